#include "interchange/db_dump.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "base/check.hpp"
#include "render/bytes.hpp"

namespace plimsoll::cli {
namespace {

constexpr std::size_t header_line_bytes_max = 4096;
// The store's own limit is lower and depends on its page size; this one bounds what a damaged line can hold in memory.
constexpr std::size_t key_bytes_kept_max = 64_KiB;

// What a keyword of the header may say: anything, because it has no meaning here, or one value.
struct Keyword {
  std::string_view name;
  std::string_view required;  // empty: any value
  bool lmdb = false;          // only mdb_dump writes it
};
constexpr Keyword keywords[] = {
    {"type", "btree"},
    {"duplicates", "0"},
    {"dupsort", "0"},
    {"dupfixed", "0", true},
    {"integerdup", "0", true},
    {"reversedup", "0", true},
    {"integerkey", "0", true},
    {"reversekey", "", true},
    {"mapsize", "", true},
    {"mapaddr", "", true},
    {"maxreaders", "", true},
    {"db_pagesize", ""},
    {"bt_minkey", ""},
    {"chksum", ""},
    {"compressed", ""},
    {"db_lorder", ""},
    {"extentsize", ""},
    {"recnum", ""},
    {"keys", "1"},
};

bool is_control(int byte) { return byte < 0x20 || byte == 0x7F; }

// With \hh for what is not printable ASCII, and `backslash` for a backslash.
void append_printable(std::string& to, Bytes bytes, std::string_view backslash) {
  static constexpr std::string_view digits = "0123456789abcdef";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\\') {
      to += backslash;
    } else if (is_control(byte) || byte >= 0x7F) {
      (to += '\\').append(1, digits[byte >> 4]).append(1, digits[byte & 15]);
    } else {
      to += c;
    }
  }
}

}  // namespace

std::string DbDumpReader::early_end(std::string_view where) const {
  return bytes_.error().empty() ? fmt::format("the dump is cut off: it ends {}", where) : bytes_.error();
}

DbDumpReader::Answer DbDumpReader::next() {
  switch (state_) {
    case State::between_sections: return begin_section();
    case State::key: return begin_record();
    case State::value: return next_part();
    case State::ended: break;
  }
  return std::nullopt;
}

DbDumpReader::Answer DbDumpReader::begin_section() {
  line_ = bytes_.line();
  if (bytes_.peek() == ByteReader::end) {
    if (!bytes_.error().empty()) return std::unexpected(bytes_.error());
    if (!any_section_) return std::unexpected("the dump is empty: no line VERSION=3");
    state_ = State::ended;
    return std::nullopt;
  }
  if (auto read = read_header(); !read) return std::unexpected(std::move(read.error()));
  any_section_ = true;
  state_ = State::key;
  if (!table_) return begin_record();
  return Record{.table = table_};
}

// The next line of the header, which must end with a line feed.
std::expected<std::string, std::string> DbDumpReader::header_line() {
  line_ = bytes_.line();
  std::string line;
  for (int byte = bytes_.get(); byte != '\n'; byte = bytes_.get()) {
    if (byte == ByteReader::end) return std::unexpected(early_end("within the header"));
    if (line.size() == header_line_bytes_max) return std::unexpected("the header line is too long");
    line += static_cast<char>(byte);
  }
  if (line.ends_with('\r')) return std::unexpected("the line ends with CR LF: a dump has LF alone");
  return line;
}

DbDumpReader::Checked DbDumpReader::read_header() {
  header_ = {};
  auto line = header_line();
  if (!line) return std::unexpected(std::move(line.error()));
  if (*line != "VERSION=3") {
    if (line->starts_with("VERSION="))
      return std::unexpected(fmt::format("unsupported '{}': only VERSION=3 is read", escape(*line)));
    return std::unexpected(fmt::format("'{}' instead of VERSION=3", escape(line->substr(0, 40))));
  }
  for (;;) {
    line = header_line();
    if (!line) return std::unexpected(std::move(line.error()));
    if (*line == "HEADER=END") return name_table();
    const std::size_t equals = line->find('=');
    if (equals == std::string::npos)
      return std::unexpected(fmt::format("header line without '=': '{}'", escape(line->substr(0, 40))));
    if (auto taken = take_keyword(line->substr(0, equals), line->substr(equals + 1)); !taken) return taken;
  }
}

DbDumpReader::Checked DbDumpReader::take_keyword(const std::string& keyword, const std::string& value) {
  if (!header_.seen.insert(keyword).second) return std::unexpected(fmt::format("header line '{}' is there twice", escape(keyword)));
  if (keyword == "format") {
    if (value != "bytevalue" && value != "print") return std::unexpected(fmt::format("unknown format '{}'", escape(value)));
    header_.print = value == "print";
    return {};
  }
  if (keyword == "database") {
    header_.database = value;
    return {};
  }
  const auto known = std::ranges::find(keywords, std::string_view(keyword), &Keyword::name);
  if (known == std::end(keywords))
    return std::unexpected(fmt::format("unknown header line '{}={}'", escape(keyword), escape(value)));
  if (!known->required.empty() && value != known->required) {
    return std::unexpected(
        fmt::format("unsupported '{}={}': only {}={} can be loaded", keyword, escape(value), keyword, known->required));
  }
  header_.lmdb = header_.lmdb || known->lmdb;
  return {};
}

// mdb_dump writes a database's name as it is, db_dump with the escapes of format=print.
DbDumpReader::Checked DbDumpReader::name_table() {
  if (!header_.seen.contains("type")) return std::unexpected("the header has no line type=btree");
  table_ = header_.database;
  if (!table_ || header_.lmdb) return {};
  std::string name;
  for (std::size_t i = 0; i < table_->size(); ++i) {
    if ((*table_)[i] != '\\') {
      name += (*table_)[i];
    } else if (table_->substr(i + 1, 1) == "\\") {
      name += '\\', ++i;
    } else {
      const std::string digits = table_->substr(i + 1, 2);
      const auto byte = decode_hex(digits);
      if (digits.size() != 2 || !byte)
        return std::unexpected(fmt::format("bad escape in the name of database '{}'", escape(*table_)));
      name += *byte, i += 2;
    }
  }
  table_ = name;
  return {};
}

DbDumpReader::Answer DbDumpReader::begin_record() {
  line_ = bytes_.line();
  const int first = bytes_.get();
  if (first == ByteReader::end) return std::unexpected(early_end("without DATA=END"));
  if (first != ' ') {
    std::string text(1, static_cast<char>(first));
    while (bytes_.peek() != ByteReader::end && bytes_.peek() != '\n' && text.size() < 40) text += static_cast<char>(bytes_.get());
    if (text != "DATA=END" || (bytes_.peek() != '\n' && bytes_.peek() != ByteReader::end)) {
      return std::unexpected(fmt::format("'{}' is neither a record, which begins with a space, nor DATA=END", escape(text)));
    }
    bytes_.get();
    state_ = State::between_sections;
    return begin_section();
  }
  key_.clear();
  const auto whole = decode(key_, key_bytes_kept_max);
  if (!whole) return std::unexpected(whole.error());
  if (!*whole) return std::unexpected("the key is longer than a store can hold");
  const std::uint64_t key_line = line_;
  line_ = bytes_.line();
  if (bytes_.peek() != ' ') {
    if (bytes_.peek() == ByteReader::end) return std::unexpected(early_end("after a key"));
    return std::unexpected("a key without a value");
  }
  bytes_.get();
  auto part = next_part();
  if (part) line_ = key_line;
  return part;
}

DbDumpReader::Answer DbDumpReader::next_part() {
  Record record{.table = table_, .key = key_, .value = std::string()};
  const auto whole = decode(*record.value, part_bytes_max);
  if (!whole) return std::unexpected(whole.error());
  record.more = !*whole;
  state_ = record.more ? State::value : State::key;
  return record;
}

std::expected<bool, std::string> DbDumpReader::decode(std::string& into, std::size_t most) {
  while (into.size() < most || bytes_.peek() == '\n') {
    line_ = bytes_.line();
    const int byte = bytes_.get();
    if (byte == '\n') return true;
    if (byte == ByteReader::end) return std::unexpected(early_end("within a record"));
    if (byte == '\r' && bytes_.peek() == '\n') return std::unexpected("the line ends with CR LF: a dump has LF alone");
    if (header_.print && byte != '\\') {
      if (is_control(byte)) return std::unexpected(fmt::format("control character \\x{:02x} without an escape", byte));
      into += static_cast<char>(byte);
      continue;
    }
    const auto decoded = header_.print ? escaped_byte() : hex_byte(byte);
    if (!decoded) return std::unexpected(decoded.error());
    into += *decoded;
  }
  return false;
}

std::expected<char, std::string> DbDumpReader::hex_byte(int first) {
  const auto printable = [](int byte) { return escape(std::string(1, static_cast<char>(byte))); };
  const auto is_digit = [](int byte) { return byte != ByteReader::end && std::isxdigit(byte) != 0; };
  if (!is_digit(first)) return std::unexpected(fmt::format("'{}' is no hexadecimal digit", printable(first)));
  const int second = bytes_.peek();
  if (second == '\n' || second == '\r') return std::unexpected("an odd number of hexadecimal digits");
  if (second == ByteReader::end) return std::unexpected(early_end("within a record"));
  if (!is_digit(second)) return std::unexpected(fmt::format("'{}' is no hexadecimal digit", printable(second)));
  bytes_.get();
  const char digits[] = {static_cast<char>(first), static_cast<char>(second)};
  return decode_hex({digits, 2})->front();
}

std::expected<char, std::string> DbDumpReader::escaped_byte() {
  static constexpr std::string_view doubt = "; old versions of mdb_dump -p do not double backslashes: dump again without -p";
  const int first = bytes_.peek();
  if (first == '\\') {
    bytes_.get();
    return '\\';
  }
  const int digit = first == ByteReader::end || first == '\n' ? 'x' : bytes_.get();
  const auto byte = hex_byte(digit);
  if (!byte) return std::unexpected(fmt::format("a backslash without two hexadecimal digits{}", header_.lmdb ? doubt : ""));
  const auto code = static_cast<unsigned char>(*byte);
  if (header_.lmdb && !is_control(code) && code < 0x7F) {  // mdb_dump does not escape what is printable: this was a backslash
    return std::unexpected(fmt::format("'\\{:02x}' is the escape of a printable character{}", code, doubt));
  }
  return *byte;
}

void DbDumpWriter::append(std::string& to, Bytes bytes) const {
  if (print_) return append_printable(to, bytes, "\\5c");
  to += encode_hex(bytes);
}

void DbDumpWriter::begin_table(std::string& to, std::optional<Bytes> name) {
  to.append("VERSION=3\nformat=").append(print_ ? "print" : "bytevalue") += '\n';
  if (name) {
    to += "database=";
    append_printable(to, *name, "\\\\");
    to += '\n';
  }
  to += "type=btree\nHEADER=END\n";
}

std::expected<void, std::string> DbDumpWriter::add(std::string& to, const Part& part) {
  if (part.first) {
    to += ' ';
    append(to, part.key);
    to += "\n ";
  }
  append(to, part.value);
  if (part.last) to += '\n';
  return {};
}

void DbDumpWriter::end_table(std::string& to) { to += "DATA=END\n"; }

}  // namespace plimsoll::cli
