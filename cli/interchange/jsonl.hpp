// The interchange format: JSON Lines, one record a line, UTF-8.
//
//   {"key":"alice","value":"17"}
//   {"table":"accounts","key":"bob","value":"4"}
//   {"key_base64":"AAE=","value_base64":"/w=="}
//   {"table":"empty"}
//
// A line is valid if and only if it is one JSON object of at most line_bytes_max bytes that holds no member but these, none twice:
//   key    or key_base64     the record's key
//   value  or value_base64   its value, or a part of it
//   table  or table_base64   optional: the table; without it the table that the command was given
//   more                     optional: true if the value goes on in the next line, which names the same table and key
// with key and value both there, or both absent beside a table (which creates the table, and nothing else). Members ending in
// _base64 (RFC 4648, padded) carry bytes that are not valid UTF-8; all others are strings. The writer uses base64 only where it
// must, and for every part of a value longer than part_bytes_max. Reading what was written gives the same bytes: exact for any key
// and value.
//
// Stateless but for the classes at the end, whose objects are used by one thread.
#pragma once

#include <cstdint>
#include <cstdio>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "interchange/record.hpp"
#include "plimsoll/types.hpp"

namespace plimsoll::cli {

// A byte takes at most 6 characters in a JSON string ("\u0001"), so that the longest part with the longest key and names fits a
// line.
static_assert(part_bytes_max * 6 + 1_MiB <= line_bytes_max);

// The record of one line (without its line feed), or why the line is not valid.
std::expected<Record, std::string> parse_jsonl(std::string_view line);

// Appends `"name":"text"`, or `"name_base64":"..."` if the bytes are not valid UTF-8 or `binary` says so.
void append_jsonl_member(std::string& to, std::string_view name, Bytes bytes, bool binary = false);

// What one line says about a record. `value` is one part of at most part_bytes_max bytes.
struct JsonlLine {
  std::optional<Bytes> table{};
  std::optional<Bytes> key{};
  std::optional<Bytes> value{};
  bool part = false;  // one of several parts: base64, whatever the bytes
  bool more = false;
};
// Appends the line with its line feed. With a key alone (scan --keys-only --json) it is for readers, not for load.
void append_jsonl(std::string& to, const JsonlLine& line);

// Lines of a file or pipe. Holds one line and one read-ahead block; never more than line_bytes_max and a block.
class LineReader {
 public:
  explicit LineReader(std::FILE* file) : file_(file) {}

  // The next line without its line feed, valid until the next call; nothing at the end. The error says what is wrong with
  // the line, whose number is line_number().
  std::expected<std::optional<std::string_view>, std::string> next();
  std::uint64_t line_number() const { return line_number_; }  // of the line that next() answered with, from 1
  std::uint64_t bytes_read() const { return bytes_read_; }

 private:
  std::expected<void, std::string> fill();  // reads one block

  std::FILE* file_;
  std::string buffer_;
  std::size_t begin_ = 0;  // of the next line in buffer_
  bool at_end_ = false;
  std::uint64_t line_number_ = 0;
  std::uint64_t bytes_read_ = 0;
};

class JsonlReader final : public RecordReader {
 public:
  explicit JsonlReader(std::FILE* file) : lines_(file) {}
  std::expected<std::optional<Record>, std::string> next() override;
  std::uint64_t line() const override { return lines_.line_number(); }
  std::uint64_t bytes_read() const override { return lines_.bytes_read(); }

 private:
  LineReader lines_;
};

class JsonlWriter final : public RecordWriter {
 public:
  // `name_tables`: a line for each table itself, so that one without records is there again after load.
  explicit JsonlWriter(bool name_tables) : name_tables_(name_tables) {}
  void begin_table(std::string& to, std::optional<Bytes> name) override;
  std::expected<void, std::string> add(std::string& to, const Part& part) override;
  void end_table(std::string&) override {}

 private:
  bool name_tables_;
  std::optional<std::string> table_;
};

}  // namespace plimsoll::cli
