// Loads the Debian package index, WordNet and the Unicode database.
#include <algorithm>
#include <cinttypes>
#include <filesystem>
#include <fstream>
#include <vector>

#include "bench/main_job/job.hpp"

namespace plimsoll::main_job {
namespace {

constexpr std::size_t batch_records = 1000;

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

}  // namespace

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

}  // namespace plimsoll::main_job
