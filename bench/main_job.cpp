// The main job: the whole promise of the store on real data, in one program. It loads the Debian package index, WordNet and the
// Unicode database, then lets a child process update them from several threads while one reader holds a snapshot and proves it
// exact over and over; the child is killed with SIGKILL in the middle, the store is reopened, and everything that was acknowledged
// must be there, whole. Uses the public C++ API only.
//
// Tables: packages   name/version/arch -> sequence (8 bytes) number (4 bytes) stanza      updated by the writers
//         numbers    number -> key in packages
//         dependencies, words                                                            never updated
//         accounts   number -> balance                                                   transfers between two of them
//         counters   writer -> sequence of its newest transaction
// Transaction s of writer w stamps s into the packages that pick(w, s, i) names, moves money, and sets counters[w] = s. The child
// reports a sequence through a pipe once its commit has returned: the parent alone knows what was acknowledged, and since pick() is
// a function, it knows the sequence that each package must carry for any value of the counters.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "plimsoll/plimsoll.hpp"

namespace {

using namespace plimsoll;  // NOLINT(google-build-using-namespace): a program, not a header
using Clock = std::chrono::steady_clock;

constexpr std::uint32_t accounts_count = 1024;
constexpr std::uint64_t opening_balance = 1000;
constexpr int packages_per_transaction = 4;
constexpr std::size_t stamp_bytes = 8;
constexpr std::size_t batch_records = 1000;
constexpr std::size_t rss_allowance = 16_MiB;
constexpr std::uint64_t records_wanted = 100'000;

struct Arguments {
  std::string folder = ".";
  int seconds = 20;  // how long the child runs before it is killed
  int writers = 3;
  int kills = 2;
  std::uint64_t records = 0;  // at most so many of each source, 0: all
  // Of the child alone.
  bool child = false;
  int pipe = -1;
  std::uint64_t budget = 0;
  std::uint32_t packages = 0;
  std::uint64_t packages_hash = 0;
};

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "main_job: %s\n", what.c_str());
  std::fflush(stdout);
  std::_Exit(1);  // other threads may be at work: nothing is torn down
}

template <class T>
T must(Result<T> result, const char* what) {
  if (!result) die(std::string(what) + ": " + result.error().message());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

// --- numbers as bytes, big-endian, so that keys sort as numbers

template <class T>
std::string bytes_of(T number) {
  std::string out(sizeof(T), '\0');
  for (std::size_t i = sizeof(T); i-- > 0; number = static_cast<T>(number >> 8)) out[i] = static_cast<char>(number & 0xff);
  return out;
}

template <class T>
T number_in(Bytes bytes) {
  if (bytes.size() < sizeof(T)) die("a stored number is too short");
  T number = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) number = static_cast<T>(number << 8 | static_cast<unsigned char>(bytes[i]));
  return number;
}

std::uint64_t mixed(std::uint64_t x) {  // splitmix64
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

std::uint64_t hash_of(Bytes key, Bytes value) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const Bytes part : {key, value}) {
    for (const char c : part) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    hash = mixed(hash + part.size());
  }
  return hash;
}

// The package that step i of transaction `sequence` of a writer stamps. Each writer has its own share of the packages.
std::uint32_t pick(int writer, std::uint64_t sequence, int step, std::uint32_t packages, int writers) {
  const auto share = packages / static_cast<std::uint32_t>(writers);
  const auto random = mixed(mixed(sequence * 64 + static_cast<std::uint64_t>(step)) + static_cast<std::uint64_t>(writer));
  return static_cast<std::uint32_t>(random % share) * static_cast<std::uint32_t>(writers) + static_cast<std::uint32_t>(writer);
}

struct Totals {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  std::uint64_t hash = 0;  // a sum, so that the order of arrival does not matter

  void add(Bytes key, Bytes value) {
    ++records;
    bytes += key.size() + value.size();
    hash += hash_of(key, value);
  }
  friend bool operator==(const Totals&, const Totals&) = default;
};

struct Tables {
  Table packages, numbers, dependencies, words, accounts, counters;
};

Tables open_tables(Database& db) {
  const auto open = [&](const char* name) { return must(db.open_table(name, {.create_if_missing = true}), name); };
  return {open("packages"), open("numbers"), open("dependencies"), open("words"), open("accounts"), open("counters")};
}

Database open_store(const std::string& folder, std::size_t budget) {
  Options options;
  options.memory_budget = budget;
  return must(Database::open(folder + "/main_job.plim", options), "open");
}

// --- loading

// Inserts in transactions of batch_records records; a key that is there already is skipped.
class Loader {
 public:
  explicit Loader(Database& db) : db_(db) { begin(); }

  bool insert(Table table, Bytes key, Bytes value) {
    if (key.empty() || key.size() > db_.key_bytes_max()) return false;
    if (auto done = transaction_.insert(table, key, value); !done) {
      if (done.error().code() == ErrorCode::already_exists) return false;
      die("load: " + done.error().message());
    }
    if (++in_batch_ == batch_records) {
      finish();
      begin();
    }
    return true;
  }
  void finish() { must(transaction_.commit(), "load: commit"); }

 private:
  void begin() {
    TransactionOptions options;
    options.durability = Durability::relaxed;
    transaction_ = must(db_.begin(options), "load: begin");
    in_batch_ = 0;
  }

  Database& db_;
  Transaction transaction_;
  std::size_t in_batch_ = 0;
};

struct Loaded {
  Totals packages, dependencies, words;
  std::uint64_t records() const { return packages.records + dependencies.records + words.records; }
  std::uint64_t bytes() const { return packages.bytes + dependencies.bytes + words.bytes; }
};

// Calls `each` for every line that `command` prints.
void each_line_of(const char* command, const std::function<void(std::string_view)>& each) {
  std::FILE* pipe = popen(command, "r");  // NOLINT(cert-env33-c): constant commands of this file
  if (pipe == nullptr) return;
  char* line = nullptr;
  std::size_t capacity = 0;
  for (ssize_t length; (length = getline(&line, &capacity, pipe)) > 0;) {
    each(std::string_view(line, static_cast<std::size_t>(length - (line[length - 1] == '\n'))));
  }
  std::free(line);
  pclose(pipe);
}

// One paragraph of a package index: its text and the fields that name it.
struct Stanza {
  std::string text, name, version, architecture;
  std::vector<std::string> dependencies;

  static bool take_field(std::string_view line, std::string_view field, std::string& into) {
    if (!line.starts_with(field)) return false;
    into = line.substr(field.size());
    return true;
  }
  void take(std::string_view line) {
    text.append(line).push_back('\n');
    if (take_field(line, "Package: ", name) || take_field(line, "Version: ", version) ||
        take_field(line, "Architecture: ", architecture))
      return;
    for (const std::string_view field : {"Depends: ", "Pre-Depends: ", "Recommends: ", "Suggests: "}) {
      if (std::string list; take_field(line, field, list)) split_list(list);
    }
  }
  void split_list(std::string_view list) {
    while (!list.empty()) {
      const std::size_t comma = list.find(", ");
      dependencies.emplace_back(list.substr(0, comma));
      list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 2);
    }
  }
};

void load_stanza(Loader& loader, const Tables& tables, const Stanza& stanza, std::uint64_t limit, Loaded& loaded) {
  if (stanza.name.empty() || (limit != 0 && loaded.packages.records >= limit)) return;
  const std::string key = stanza.name + "/" + stanza.version + "/" + stanza.architecture;
  const std::string number = bytes_of(static_cast<std::uint32_t>(loaded.packages.records));
  if (!loader.insert(tables.packages, key, bytes_of(std::uint64_t{0}) + number + stanza.text)) return;
  if (!loader.insert(tables.numbers, number, key)) die("load: a package number was used twice");
  loaded.packages.add(key, number + stanza.text);
  for (std::size_t n = 0; n < stanza.dependencies.size(); ++n) {
    const std::string& dependency = stanza.dependencies[n];
    const std::string name = dependency.substr(0, dependency.find_first_of(" (:|"));
    const std::string dependency_key = stanza.name + '\0' + name + '\0' + std::to_string(n);
    if (loader.insert(tables.dependencies, dependency_key, dependency)) loaded.dependencies.add(dependency_key, dependency);
  }
}

void load_packages(Database& db, const Tables& tables, std::uint64_t limit, Loaded& loaded) {
  constexpr std::array commands = {
      "/usr/lib/apt/apt-helper cat-file /var/lib/apt/lists/*_Packages* 2>/dev/null",
      "apt-cache dumpavail 2>/dev/null",
      "cat /var/lib/dpkg/available /var/lib/dpkg/status 2>/dev/null",
  };
  for (const char* command : commands) {
    if (loaded.packages.records > 0) return;
    Loader loader(db);
    Stanza stanza;
    each_line_of(command, [&](std::string_view line) {
      if (!line.empty()) return stanza.take(line);
      load_stanza(loader, tables, stanza, limit, loaded);
      stanza = {};
    });
    load_stanza(loader, tables, stanza, limit, loaded);
    loader.finish();
  }
}

// A record for each line of a file; short lines are joined.
void load_lines(Loader& loader, Table into, const std::filesystem::path& path, std::uint64_t limit, Totals& loaded) {
  constexpr std::size_t joined_bytes = 256;
  std::ifstream in(path, std::ios::binary);
  std::string text;
  auto insert = [&, number = std::uint32_t{0}]() mutable {
    const std::string key = path.filename().string() + "/" + bytes_of(number++);
    if (!text.empty() && loader.insert(into, key, text)) loaded.add(key, text);
    text.clear();
  };
  for (std::string line; std::getline(in, line);) {
    if (limit != 0 && loaded.records >= limit) return;
    text.append(line).push_back('\n');
    if (text.size() >= joined_bytes) insert();
  }
  insert();
}

// WordNet's synsets and index, and the texts of the Unicode database.
void load_words(Database& db, const Tables& tables, std::uint64_t limit, Loaded& loaded) {
  namespace fs = std::filesystem;
  const auto wanted = [](const std::string& name) {
    return name.starts_with("data.") || name.starts_with("index.") || name.ends_with(".txt");
  };
  Loader loader(db);
  for (const char* folder : {"/usr/share/wordnet", "/usr/share/unicode"}) {
    if (!fs::is_directory(folder)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (entry.is_regular_file() && wanted(entry.path().filename().string()))
        load_lines(loader, tables.words, entry.path(), limit, loaded.words);
    }
  }
  loader.finish();
}

void load_accounts(Database& db, const Tables& tables) {
  Loader loader(db);
  for (std::uint32_t i = 0; i < accounts_count; ++i) loader.insert(tables.accounts, bytes_of(i), bytes_of(opening_balance));
  loader.finish();
}

Loaded load(const Arguments& arguments) {
  Database db = open_store(arguments.folder, 32_MiB);
  const Tables tables = open_tables(db);
  Loaded loaded;
  const auto begin = Clock::now();
  load_packages(db, tables, arguments.records, loaded);
  load_words(db, tables, arguments.records, loaded);
  load_accounts(db, tables);
  must(db.close(), "close after loading");
  const double seconds = seconds_since(begin);
  std::printf("loaded      %" PRIu64 " packages, %" PRIu64 " dependencies, %" PRIu64 " texts: %.1f MiB in %.1f s\n",
              loaded.packages.records, loaded.dependencies.records, loaded.words.records,
              static_cast<double>(loaded.bytes()) / (1 << 20), seconds);
  return loaded;
}

// --- looking at everything

// Totals of a table; `strip` bytes at the front of each value are left out.
Totals totals_of(Transaction& tx, Table table, std::size_t strip, const std::function<void(Bytes)>& each_value = {}) {
  Totals totals;
  Cursor cursor = must(tx.cursor(table), "cursor");
  while (must(cursor.next(), "scan")) {
    // A cursor shows no value that lies out of line.
    std::optional<Value> large;
    if (cursor.large()) large = must(tx.get(table, cursor.key()), "get");
    const Bytes value = large ? large->bytes() : cursor.value();
    if (value.size() < strip) die("a stored value is too short");
    totals.add(cursor.key(), value.substr(strip));
    if (each_value) each_value(value);
  }
  return totals;
}

std::uint64_t sum_of_balances(Transaction& tx, const Tables& tables) {
  std::uint64_t sum = 0;
  const Totals totals = totals_of(tx, tables.accounts, 0, [&](Bytes balance) { sum += number_in<std::uint64_t>(balance); });
  if (totals.records != accounts_count) die("accounts are missing");
  return sum;
}

std::uint64_t counter_of(Transaction& tx, const Tables& tables, int writer) {
  const auto value = must(tx.get(tables.counters, bytes_of(static_cast<std::uint32_t>(writer))), "counter");
  return value ? number_in<std::uint64_t>(*value) : 0;
}

// --- the child

enum class MessageKind : std::uint32_t { ready, acknowledged, snapshot_verified };

// Smaller than PIPE_BUF: written and read whole.
struct Message {
  MessageKind kind;
  std::int32_t writer;
  std::uint64_t value;
};

void send(int pipe, MessageKind kind, int writer, std::uint64_t value) {
  const Message message{kind, writer, value};
  if (write(pipe, &message, sizeof message) != static_cast<ssize_t>(sizeof message)) die("the parent is gone");
}

Result<void> stamp_package(Transaction& tx, const Tables& tables, std::uint32_t number, std::uint64_t sequence) {
  auto key = tx.get(tables.numbers, bytes_of(number));
  if (!key) return std::unexpected(key.error());
  if (!*key) die("a package number is missing");
  auto value = tx.get(tables.packages, **key);
  if (!value) return std::unexpected(value.error());
  if (!*value) die("a package is missing");
  std::string changed((*value)->bytes());
  changed.replace(0, stamp_bytes, bytes_of(sequence));
  return tx.update(tables.packages, **key, changed);
}

Result<void> transfer(Transaction& tx, const Tables& tables, std::uint64_t random) {
  const std::string from = bytes_of(static_cast<std::uint32_t>(random % accounts_count));
  const std::string to = bytes_of(static_cast<std::uint32_t>((random >> 32) % accounts_count));
  if (from == to) return {};
  auto source = tx.get(tables.accounts, from);
  if (!source) return std::unexpected(source.error());
  auto target = tx.get(tables.accounts, to);
  if (!target) return std::unexpected(target.error());
  if (!*source || !*target) die("an account is missing");
  const auto balance = number_in<std::uint64_t>(**source);
  const std::uint64_t amount = std::min<std::uint64_t>(balance, (random >> 16) % 10);
  if (auto done = tx.put(tables.accounts, from, bytes_of(balance - amount)); !done) return done;
  return tx.put(tables.accounts, to, bytes_of(number_in<std::uint64_t>(**target) + amount));
}

void write_for_ever(Database& db, const Tables& tables, const Arguments& arguments, int writer) {
  Transaction reading = must(db.begin(), "begin");
  std::uint64_t sequence = counter_of(reading, tables, writer);
  must(reading.abort(), "abort");
  while (true) {
    const std::uint64_t next = sequence + 1;
    auto done = db.transact({}, [&](Transaction& tx) -> Result<void> {
      for (int step = 0; step < packages_per_transaction; ++step) {
        const std::uint32_t number = pick(writer, next, step, arguments.packages, arguments.writers);
        if (auto stamped = stamp_package(tx, tables, number, next); !stamped) return stamped;
      }
      if (auto moved = transfer(tx, tables, mixed(next * 64 + static_cast<std::uint64_t>(writer))); !moved) return moved;
      return tx.put(tables.counters, bytes_of(static_cast<std::uint32_t>(writer)), bytes_of(next));
    });
    if (!done && is_retryable(done.error().code())) continue;
    must(std::move(done), "writer");
    sequence = next;
    send(arguments.pipe, MessageKind::acknowledged, writer, sequence);
  }
}

// Reads everything at one snapshot, again and again: nothing may ever change.
void verify_snapshot_for_ever(Transaction tx, const Tables& tables, const Arguments& arguments) {
  Totals first;
  for (std::uint64_t pass = 1;; ++pass) {
    const Totals stamped = totals_of(tx, tables.packages, 0);
    const Totals contents = totals_of(tx, tables.packages, stamp_bytes);
    if (pass == 1) first = stamped;
    if (stamped != first) die("the snapshot changed");
    if (contents.records != arguments.packages || contents.hash != arguments.packages_hash) die("the snapshot is not exact");
    if (sum_of_balances(tx, tables) != accounts_count * opening_balance) die("the snapshot's balances do not add up");
    send(arguments.pipe, MessageKind::snapshot_verified, 0, pass);
  }
}

[[noreturn]] void run_child(const Arguments& arguments) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  Database db = open_store(arguments.folder, arguments.budget);
  const Tables tables = open_tables(db);
  TransactionOptions reading;
  reading.read_only = true;
  reading.label = "snapshot";
  std::vector<std::jthread> threads;
  threads.emplace_back(
      [&, tx = must(db.begin(reading), "begin")]() mutable { verify_snapshot_for_ever(std::move(tx), tables, arguments); });
  send(arguments.pipe, MessageKind::ready, 0, 0);
  for (int writer = 0; writer < arguments.writers; ++writer) {
    threads.emplace_back([&, writer] { write_for_ever(db, tables, arguments, writer); });
  }
  while (true) pause();  // until the parent kills this process
}

// --- the parent

struct Child {
  pid_t pid = 0;
  int pipe = -1;
};

Child start_child(const Arguments& arguments, const Loaded& loaded, std::uint64_t budget) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) die("pipe2 failed");
  std::vector<std::string> words = {"main_job", "--folder", arguments.folder};
  const auto add = [&](const char* option, std::uint64_t number) { words.insert(words.end(), {option, std::to_string(number)}); };
  add("--writers", static_cast<std::uint64_t>(arguments.writers));
  add("--child", static_cast<std::uint64_t>(ends[1]));
  add("--budget", budget);
  add("--packages", loaded.packages.records);
  add("--packages-hash", loaded.packages.hash);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const pid_t pid = fork();
  if (pid < 0) die("fork failed");
  if (pid == 0) {
    fcntl(ends[1], F_SETFD, 0);
    execv("/proc/self/exe", argv.data());
    _exit(127);
  }
  close(ends[1]);
  return {pid, ends[0]};
}

// What the child has told so far.
struct Acknowledged {
  std::vector<std::uint64_t> sequence;  // per writer
  std::uint64_t commits = 0;
  std::uint64_t snapshot_passes = 0;  // of the present child
  bool ready = false;

  void take(const Message& message) {
    if (message.kind == MessageKind::ready) ready = true;
    if (message.kind == MessageKind::snapshot_verified) snapshot_passes = message.value;
    if (message.kind != MessageKind::acknowledged) return;
    sequence.at(static_cast<std::size_t>(message.writer)) = message.value;
    ++commits;
  }
};

// Reads messages until the deadline or the pipe's end. True: the pipe has ended.
bool listen_until(int pipe, Clock::time_point deadline, Acknowledged& heard) {
  std::array<Message, 256> messages;
  while (Clock::now() < deadline) {
    pollfd poll_for{pipe, POLLIN, 0};
    if (poll(&poll_for, 1, 100) <= 0) continue;
    const ssize_t bytes = read(pipe, messages.data(), sizeof messages);
    if (bytes <= 0) return true;
    if (static_cast<std::size_t>(bytes) % sizeof(Message) != 0) die("a torn message");
    for (std::size_t i = 0; i < static_cast<std::size_t>(bytes) / sizeof(Message); ++i) heard.take(messages[i]);
  }
  return false;
}

std::size_t peak_rss_bytes(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::strtoull(line.c_str() + 6, nullptr, 10) << 10;
  }
  die("the child's peak memory cannot be read");
}

// Runs the child for `arguments.seconds`, kills it, and adds what it acknowledged to `heard`.
void run_and_kill(const Arguments& arguments, const Loaded& loaded, std::uint64_t budget, Acknowledged& heard) {
  const Child child = start_child(arguments, loaded, budget);
  heard.ready = false;
  heard.snapshot_passes = 0;
  const std::uint64_t commits_before = heard.commits;
  bool ended = false;
  const auto give_up = Clock::now() + std::chrono::seconds(60);
  while (!heard.ready && !ended && Clock::now() < give_up)
    ended = listen_until(child.pipe, Clock::now() + std::chrono::milliseconds(50), heard);
  const auto begin = Clock::now();
  if (heard.ready && !ended) ended = listen_until(child.pipe, begin + std::chrono::seconds(arguments.seconds), heard);
  // A loaded machine may need longer for the first pass over the snapshot.
  const auto patience = Clock::now() + std::chrono::seconds(60);
  while (!ended && heard.snapshot_passes == 0 && Clock::now() < patience) {
    ended = listen_until(child.pipe, Clock::now() + std::chrono::milliseconds(200), heard);
  }
  const double seconds = seconds_since(begin);
  const std::size_t rss = ended ? 0 : peak_rss_bytes(child.pid);
  const bool was_ready = heard.ready;
  kill(child.pid, SIGKILL);
  if (!ended) listen_until(child.pipe, Clock::now() + std::chrono::seconds(10), heard);
  close(child.pipe);
  int status = 0;
  waitpid(child.pid, &status, 0);
  if (ended || !was_ready) die("the child ended or hung before it was killed");
  const std::uint64_t commits = heard.commits - commits_before;
  std::printf("writers     %" PRIu64 " durable commits of %d updates in %.1f s: %.0f commits/s; snapshot verified %" PRIu64
              " times\n",
              commits, packages_per_transaction + 3, seconds, static_cast<double>(commits) / seconds, heard.snapshot_passes);
  std::printf("memory      peak RSS of the child %.1f MiB at a budget of %.1f MiB\n", static_cast<double>(rss) / (1 << 20),
              static_cast<double>(budget) / (1 << 20));
  std::fflush(stdout);
  if (commits == 0) die("nothing was committed");
  if (heard.snapshot_passes == 0) die("the snapshot was never read to its end");
  if (rss > budget + rss_allowance) die("the child used more memory than budget + 16 MiB");
}

// The sequence each package must carry when the writers' counters are `counters`.
std::vector<std::uint64_t> expected_stamps(const std::vector<std::uint64_t>& counters, std::uint32_t packages) {
  std::vector<std::uint64_t> stamps(packages);
  const int writers = static_cast<int>(counters.size());
  for (int writer = 0; writer < writers; ++writer) {
    for (std::uint64_t s = 1; s <= counters[static_cast<std::size_t>(writer)]; ++s) {
      for (int step = 0; step < packages_per_transaction; ++step) stamps[pick(writer, s, step, packages, writers)] = s;
    }
  }
  return stamps;
}

void verify_contents(Database& db, const Tables& tables, const Loaded& loaded, const Acknowledged& heard) {
  TransactionOptions reading;
  reading.read_only = true;
  Transaction tx = must(db.begin(reading), "begin");
  std::vector<std::uint64_t> counters;
  for (std::size_t writer = 0; writer < heard.sequence.size(); ++writer) {
    counters.push_back(counter_of(tx, tables, static_cast<int>(writer)));
    if (counters.back() < heard.sequence[writer]) die("an acknowledged commit is lost");
    if (counters.back() > heard.sequence[writer] + 1) die("a writer's counter is ahead of the writer");
  }
  const auto stamps = expected_stamps(counters, static_cast<std::uint32_t>(loaded.packages.records));
  const Totals packages = totals_of(tx, tables.packages, stamp_bytes, [&](Bytes value) {
    const auto number = number_in<std::uint32_t>(value.substr(stamp_bytes));
    if (number >= stamps.size() || number_in<std::uint64_t>(value) != stamps[number]) die("a transaction is there by half");
  });
  if (packages != loaded.packages) die("the packages are not what was loaded");
  if (totals_of(tx, tables.dependencies, 0) != loaded.dependencies) die("the dependencies are not what was loaded");
  if (totals_of(tx, tables.words, 0) != loaded.words) die("the words are not what was loaded");
  if (sum_of_balances(tx, tables) != accounts_count * opening_balance) die("the balances do not add up");
  must(tx.abort(), "abort");
}

void recover_and_verify(const Arguments& arguments, const Loaded& loaded, std::uint64_t budget, Acknowledged& heard) {
  const auto begin = Clock::now();
  Database db = open_store(arguments.folder, budget);
  const Tables tables = open_tables(db);
  must(db.transact({}, [&](Transaction& tx) { return transfer(tx, tables, mixed(heard.commits)); }), "first commit");
  const double seconds = seconds_since(begin);
  const RecoveryReport report = db.recovery_report();
  if (report.was_clean) die("the store took the kill for an orderly end");
  verify_contents(db, tables, loaded, heard);
  const VerifyReport verified = must(db.verify(), "verify");
  for (const VerifyProblem& problem : verified.problems) {
    std::fprintf(stderr, "main_job: %s page %" PRIu64 ": %s\n", problem.file.c_str(), problem.page, problem.what.c_str());
  }
  if (!verified.problems.empty()) die("the store is damaged");
  for (std::size_t writer = 0; writer < heard.sequence.size();
       ++writer) {  // one commit may have been durable but not yet acknowledged
    Transaction tx = must(db.begin(), "begin");
    heard.sequence[writer] = counter_of(tx, tables, static_cast<int>(writer));
  }
  must(db.close(), "close");
  std::printf("recovery    first commit %.3f s after the kill: %" PRIu64 " log records redone, %" PRIu64 " transactions undone\n",
              seconds, report.records_redone, report.losers);
  std::printf("verified    every acknowledged commit, no half transaction, all totals; %" PRIu64 " pages, %" PRIu64 " records\n",
              verified.pages, verified.records);
  std::fflush(stdout);
}

void run_parent(const Arguments& arguments) {
  std::filesystem::create_directories(arguments.folder);
  std::filesystem::remove_all(arguments.folder + "/main_job.plim");
  const Loaded loaded = load(arguments);
  const std::uint64_t budget = std::clamp<std::uint64_t>(loaded.bytes() / 4, 16_MiB, 32_MiB);
  std::printf("data        %.1f times the budget of %.1f MiB\n", static_cast<double>(loaded.bytes()) / static_cast<double>(budget),
              static_cast<double>(budget) / (1 << 20));
  std::fflush(stdout);
  if (loaded.packages.records < static_cast<std::uint64_t>(arguments.writers)) die("no package index; run scripts/setup.sh");
  if (arguments.records == 0 && (loaded.records() < records_wanted || loaded.bytes() < 4 * budget)) {
    die("there is too little data: at least 100,000 records and 4 times the budget are wanted; run scripts/setup.sh");
  }
  Acknowledged heard;
  heard.sequence.resize(static_cast<std::size_t>(arguments.writers));
  for (int round = 0; round < arguments.kills; ++round) {
    run_and_kill(arguments, loaded, budget, heard);
    recover_and_verify(arguments, loaded, budget, heard);
  }
  std::printf("main job    ok\n");
}

Arguments parse(int argc, char** argv) {
  Arguments a;
  for (int i = 1; i < argc; i += 2) {
    const std::string_view option = argv[i];
    if (i + 1 == argc) die("usage: main_job [--folder F] [--seconds N] [--writers N] [--kills N] [--records N]");
    const std::uint64_t number = std::strtoull(argv[i + 1], nullptr, 10);
    if (option == "--folder") {
      a.folder = argv[i + 1];
    } else if (option == "--seconds") {
      a.seconds = static_cast<int>(number);
    } else if (option == "--writers") {
      a.writers = static_cast<int>(std::clamp<std::uint64_t>(number, 1, 32));
    } else if (option == "--kills") {
      a.kills = static_cast<int>(number);
    } else if (option == "--records") {
      a.records = number;
    } else if (option == "--child") {
      a.child = true;
      a.pipe = static_cast<int>(number);
    } else if (option == "--budget") {
      a.budget = number;
    } else if (option == "--packages") {
      a.packages = static_cast<std::uint32_t>(number);
    } else if (option == "--packages-hash") {
      a.packages_hash = number;
    } else {
      die("unknown option " + std::string(option));
    }
  }
  return a;
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments = parse(argc, argv);
  if (arguments.child) run_child(arguments);
  run_parent(arguments);
  return 0;
}
