// Broken dumps: valid texts of db_dump with lines, bytes and ends changed. The loader either loads exactly what a second, simpler
// reader makes of the same text, or refuses it when that one does, and then leaves the store as it was.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cli/load_support.hpp"
#include "fuzz/support.hpp"
#include "model/rare_events.hpp"

namespace plimsoll::cli {
namespace {

// ---- the second reader: the whole text as lines, each judged by itself

std::optional<std::string> from_hex(const std::string& digits) {
  static const std::string known = "0123456789abcdef";
  std::string bytes;
  if (digits.size() % 2 != 0) return {};
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    const std::size_t high = known.find(static_cast<char>(std::tolower(static_cast<unsigned char>(digits[i]))));
    const std::size_t low = known.find(static_cast<char>(std::tolower(static_cast<unsigned char>(digits[i + 1]))));
    if (high == known.npos || low == known.npos) return {};
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes;
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

std::optional<std::string> from_print(const std::string& text, bool lmdb, bool controls_allowed) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      if (!controls_allowed && is_control(text[i])) return {};
      bytes += text[i];
    } else if (i + 1 < text.size() && text[i + 1] == '\\') {
      bytes += '\\', ++i;
    } else {
      if (i + 2 >= text.size()) return {};
      const auto byte = from_hex(text.substr(i + 1, 2));
      if (!byte || (lmdb && !is_control((*byte)[0]) && static_cast<unsigned char>((*byte)[0]) < 0x80)) return {};
      bytes += *byte, i += 2;
    }
  }
  return bytes;
}

struct Section {
  bool print = false;
  bool lmdb = false;
  std::string table{nameless};
};

// The header that begins at line `at`, which is left behind HEADER=END.
std::optional<Section> read_header(const std::vector<std::string>& lines, std::size_t& at) {
  static const std::set<std::string> free{"db_pagesize", "bt_minkey",  "chksum",  "compressed", "db_lorder", "extentsize",
                                          "recnum",      "reversekey", "mapsize", "mapaddr",    "maxreaders"};
  static const std::map<std::string, std::string> fixed{{"type", "btree"},   {"duplicates", "0"}, {"dupsort", "0"},
                                                        {"dupfixed", "0"},   {"integerdup", "0"}, {"reversedup", "0"},
                                                        {"integerkey", "0"}, {"keys", "1"}};
  static const std::set<std::string> lmdb_only{"reversekey", "mapsize",    "mapaddr",    "maxreaders",
                                               "dupfixed",   "integerdup", "reversedup", "integerkey"};
  if (at >= lines.size() || lines[at++] != "VERSION=3") return {};
  std::map<std::string, std::string> said;
  Section section;
  for (;; ++at) {
    if (at >= lines.size()) return {};
    if (lines[at] == "HEADER=END") break;
    const std::size_t equals = lines[at].find('=');
    if (equals == std::string::npos || lines[at].size() > 4096) return {};
    const std::string word = lines[at].substr(0, equals), value = lines[at].substr(equals + 1);
    if (value.ends_with('\r') || !said.emplace(word, value).second) return {};
    if (word == "format" && (value == "print" || value == "bytevalue")) continue;
    if (word == "database" && !value.empty()) continue;
    if (!free.contains(word) && (!fixed.contains(word) || fixed.at(word) != value)) return {};
    section.lmdb = section.lmdb || lmdb_only.contains(word);
  }
  ++at;
  if (!said.contains("type")) return {};
  section.print = said.contains("format") && said["format"] == "print";
  if (!said.contains("database")) return section;
  const auto name = section.lmdb ? std::optional(said["database"]) : from_print(said["database"], false, true);
  if (!name || name->size() > 255) return {};
  section.table = *name;
  return section;
}

// What the text holds; nothing: it is not valid.
std::optional<Tables> reference(const std::string& text, std::size_t key_bytes_max) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    if (end == text.npos && text.substr(begin) != "DATA=END") return {};
    lines.push_back(text.substr(begin, end - begin));
    begin = end == text.npos ? text.size() : end + 1;
  }
  Tables tables;
  std::size_t at = 0;
  do {
    const auto section = read_header(lines, at);
    if (!section) return {};
    Records& records = tables[section->table];
    const auto item = [&]() -> std::optional<std::string> {
      if (at >= lines.size() || !lines[at].starts_with(' ')) return {};
      const std::string body = lines[at++].substr(1);
      return section->print ? from_print(body, section->lmdb, false) : from_hex(body);
    };
    while (at < lines.size() && lines[at] != "DATA=END") {
      const auto key = item();
      const auto value = key ? item() : std::nullopt;
      if (!value || key->empty() || key->size() > key_bytes_max || !records.emplace(*key, *value).second) return {};
    }
    if (at++ >= lines.size()) return {};
  } while (at < lines.size());
  return tables;
}

// ---- texts

std::string any_bytes(Random& random, std::size_t least) {
  std::string bytes;
  const std::uint64_t size = least + random.below(random.one_in(20) ? 1100 : 6);
  for (std::uint64_t i = 0; i < size; ++i) bytes += static_cast<char>(random.one_in(3) ? random.next() : 'a' + random.below(6));
  return bytes;
}

std::string written(const std::string& bytes, bool print) {
  std::string text = " ";
  for (const char c : bytes) {
    const unsigned code = static_cast<unsigned char>(c);
    text += !print                        ? fmt::format("{:02x}", code)
            : c == '\\'                   ? "\\\\"
            : code < 0x20 || code >= 0x7F ? fmt::format("\\{:02x}", code)
                                          : std::string(1, c);
  }
  return text + "\n";
}

std::string any_dump(Random& random) {
  std::string text;
  const std::uint64_t sections = 1 + random.below(3);
  for (std::uint64_t s = 0; s < sections; ++s) {
    const bool print = random.one_in(2);
    text += fmt::format("VERSION=3\nformat={}\n", print ? "print" : "bytevalue");
    if (s != 0 || random.one_in(2)) text += fmt::format("database={}\n", s == 2 ? "kept" : fmt::format("t{}", s));
    if (random.one_in(4)) text += "mapsize=1048576\nmaxreaders=126\n";
    text += "type=btree\n";
    if (random.one_in(4)) text += "db_pagesize=4096\n";
    text += "HEADER=END\n";
    std::set<std::string> keys;
    for (std::uint64_t n = random.below(6); n != 0; --n) keys.insert(any_bytes(random, 1));
    for (const std::string& key : keys) text += written(key, print) + written(any_bytes(random, 0), print);
    text += "DATA=END\n";
  }
  return text;
}

std::size_t any_line(const std::string& text, Random& random) {
  const std::size_t end = text.rfind('\n', random.below(text.size()));
  return end == text.npos ? 0 : end + 1;
}

std::string line_at(const std::string& text, std::size_t begin) {
  const std::size_t end = text.find('\n', begin);
  return text.substr(begin, end == text.npos ? end : end + 1 - begin);
}

void break_it(std::string& text, Random& random) {
  static const std::vector<std::string> strange{"duplicates=1\n",
                                                "type=hash\n",
                                                "type=btree\n",
                                                "integerkey=1\n",
                                                "frobnicate=1\n",
                                                "HEADER=END\n",
                                                "DATA=END\n",
                                                "VERSION=3\n",
                                                "VERSION=2\n",
                                                "format=print\n",
                                                "\n",
                                                " \n",
                                                " 6\n",
                                                " \\zz\n",
                                                "database=t1\n",
                                                "keys=0\n",
                                                "chksum=1\n",
                                                " \\61\n",
                                                "no equals\n"};
  const std::size_t line = any_line(text, random);
  switch (random.below(10)) {
    case 0: text.resize(random.below(text.size() + 1)); break;
    case 1: text.erase(line, line_at(text, line).size()); break;
    case 2: text.insert(line, line_at(text, any_line(text, random))); break;
    case 3: text.insert(line, line_at(text, line) + line_at(text, text.find('\n', line) + 1)); break;
    case 4: text.insert(line, strange[random.below(strange.size())]); break;
    case 5: damage({text.data(), text.size()}, 60, random); break;
    case 6: text.erase(random.below(text.size()), 1); break;
    case 7:
      for (char& c : text) c = random.one_in(4) ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
      break;
    case 8:
      if (const std::size_t end = text.find('\n', line); end != text.npos) text.insert(end, "\r");
      break;
    default: text.replace(line, line_at(text, line).size(), strange[random.below(strange.size())]);
  }
}

// ---- the store

void set_up(Database& db, const Tables& present) {
  for (const auto& [name, records] : present) ASSERT_TRUE(db.drop_table(name));
  const auto kept = db.open_table("kept", {.create_if_missing = true});
  ASSERT_TRUE(kept);
  ASSERT_TRUE(db.transact({.durability = Durability::relaxed}, [&](Transaction& tx) { return tx.put(*kept, "a", "before"); }));
}

std::string kind_of(const std::string& message) {
  for (const char* part :
       {"cut off", "key without a value", "odd number", "no hexadecimal digit", "two hexadecimal digits", "there twice",
        "unknown format", "unknown header line", "unsupported", "control character", "CR LF", "without '='", "no line type",
        "instead of VERSION", "nor DATA=END", "escape of a printable", "dump is empty", "invalid_argument", "header line '"}) {
    if (message.find(part) != message.npos) return part;
  }
  return "other: " + message;
}

TEST(BrokenDumps, LoadExactlyWhatASecondReaderReadsOrLeaveNothing) {
  static constexpr std::uint64_t rounds_per_store = 250;
  std::optional<Database> db;
  Tables before;
  Random random(7);
  test::RareEvents events;
  const std::string path = fmt::format("broken_dump.{}", getpid());
  for (std::uint64_t round = 0; round < scaled(20'000, 200); ++round) {
    if (round % rounds_per_store == 0) {
      auto opened = Database::open_in_memory({.memory_budget = 32_MiB});
      ASSERT_TRUE(opened);
      db = std::move(*opened);
      set_up(*db, {});
      before = contents(*db);
    }
    std::string text = any_dump(random);
    for (std::uint64_t n = random.below(4); n != 0 && !text.empty(); --n) break_it(text, random);
    SCOPED_TRACE(fmt::format("round {}:\n{}", round, text.substr(0, 2000)));
    const auto expected = reference(text, db->key_bytes_max());
    const auto failure = load_text(*db, path, text, {.format = Format::db_dump});
    if (failure) events.add(kind_of(failure->message));
    ASSERT_EQ(!failure, expected.has_value()) << (failure ? failure->message : "accepted");
    Tables now = contents(*db);
    if (failure) {
      ASSERT_TRUE(failure->message.starts_with(path + ":")) << failure->message;
      ASSERT_EQ(now, before);
      continue;
    }
    events.add("accepted");
    Tables merged = before;
    for (const auto& [name, records] : *expected) {
      for (const auto& [key, value] : records) merged[name][key] = value;
      // A section without a name and without records creates nothing.
      if (records.empty() && name != nameless) merged[name];
    }
    std::erase_if(merged, [](const auto& table) { return table.first == nameless && table.second.empty(); });
    std::erase_if(now, [](const auto& table) { return table.first == nameless && table.second.empty(); });
    ASSERT_EQ(now, merged);
    set_up(*db, contents(*db));
    ASSERT_FALSE(HasFatalFailure());
  }
  std::remove(path.c_str());
  events.print("broken dumps");
  if (test_scale() < 1) return;
  EXPECT_EQ(events.missing({"accepted", "cut off", "key without a value", "odd number", "no hexadecimal digit",
                            "two hexadecimal digits", "there twice", "unknown header line", "unsupported", "control character",
                            "CR LF", "without '='", "no line type", "instead of VERSION", "nor DATA=END", "escape of a printable",
                            "dump is empty", "invalid_argument"}),
            "");
}

}  // namespace
}  // namespace plimsoll::cli
