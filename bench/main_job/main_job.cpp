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
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cinttypes>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "bench/main_job/job.hpp"

namespace plimsoll::main_job {
namespace {

constexpr std::size_t rss_allowance = 16_MiB;
constexpr std::uint64_t records_wanted = 100'000;

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
      a.kills = static_cast<int>(std::clamp<std::uint64_t>(number, 1, 1000));
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

int run(int argc, char** argv) {
  const Arguments arguments = parse(argc, argv);
  if (arguments.child) run_child(arguments);
  run_parent(arguments);
  return 0;
}

}  // namespace
}  // namespace plimsoll::main_job

int main(int argc, char** argv) { return plimsoll::main_job::run(argc, argv); }
