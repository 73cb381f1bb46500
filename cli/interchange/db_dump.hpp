// The text format of Berkeley DB's db_dump and LMDB's mdb_dump. Read strictly: what a damaged or cut dump may have lost is refused,
// where db_load and mdb_load go on. docs/interchange.md says what the headers mean here.
//
//   input   = 1*section
//   section = "VERSION=3" LF *( keyword "=" value LF ) "HEADER=END" LF *( SP key LF SP value LF ) "DATA=END" LF
//   key, value:  format=bytevalue: pairs of hexadecimal digits;  format=print: \hh, \\, and all else but control characters
//
// An input is valid if and only if it is made of such sections, whose keywords are known (none twice), ask for a plain btree
// without duplicates, and whose records all have a key and a value. That no key comes twice is checked by the loader.
// `database` names the section's table; the section without it goes into the table that load was given.
#pragma once

#include <cstdio>
#include <set>

#include "interchange/byte_reader.hpp"
#include "interchange/record.hpp"

namespace plimsoll::cli {

class DbDumpReader final : public RecordReader {
 public:
  explicit DbDumpReader(std::FILE* file) : bytes_(file) {}
  // A section's header becomes a record that only names the table, unless it has no name. Values come in parts.
  std::expected<std::optional<Record>, std::string> next() override;
  std::uint64_t line() const override { return line_; }
  std::uint64_t bytes_read() const override { return bytes_.bytes_read(); }

 private:
  using Answer = std::expected<std::optional<Record>, std::string>;
  using Checked = std::expected<void, std::string>;
  enum class State : std::uint8_t { between_sections, key, value, ended };
  struct Header {
    bool print = false;
    bool lmdb = false;  // has keywords that only mdb_dump writes
    std::optional<std::string> database;
    std::set<std::string, std::less<>> seen;
  };

  std::expected<std::string, std::string> header_line();
  Checked read_header();
  Checked take_keyword(const std::string& keyword, const std::string& value);
  Checked name_table();
  Answer begin_section();
  Answer begin_record();
  Answer next_part();
  // Decodes up to `most` bytes of the line into `into`; true: the line has ended.
  std::expected<bool, std::string> decode(std::string& into, std::size_t most);
  std::expected<char, std::string> escaped_byte();
  std::expected<char, std::string> hex_byte(int first);
  std::string early_end(std::string_view where) const;

  ByteReader bytes_;
  State state_ = State::between_sections;
  Header header_;
  std::optional<std::string> table_;
  std::string key_;
  std::uint64_t line_ = 1;
  bool any_section_ = false;
};

// Writes no keyword but those that both tools take. In the printable form a backslash is \5c, which all read alike: mdb_load takes
// two doubled ones in a line for something else.
class DbDumpWriter final : public RecordWriter {
 public:
  explicit DbDumpWriter(bool print) : print_(print) {}
  void begin_table(std::string& to, std::optional<Bytes> name) override;
  std::expected<void, std::string> add(std::string& to, const Part& part) override;
  void end_table(std::string& to) override;

 private:
  void append(std::string& to, Bytes bytes) const;

  bool print_;
};

}  // namespace plimsoll::cli
