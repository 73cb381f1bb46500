// What all interchange formats have in common: the records that load reads and dump writes, and the interfaces of a format's
// reader and writer. A reader owns nothing but its buffer; the file is its caller's. Used by load, dump and the shell.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>

#include "plimsoll/types.hpp"

namespace plimsoll::cli {

// The longest line of text formats that are read line by line (jsonl, csv, tsv).
inline constexpr std::size_t line_bytes_max = 16_MiB;
// The longest part in which a value is read and written.
inline constexpr std::size_t part_bytes_max = 2_MiB;

struct Record {
  std::optional<std::string> table{};
  std::optional<std::string> key{};    // absent: it only names a table
  std::optional<std::string> value{};  // there if and only if key is
  bool more = false;                   // the value goes on in the next record, which names the same table and key
};

class RecordReader {
 public:
  RecordReader() = default;
  RecordReader(const RecordReader&) = delete;
  RecordReader& operator=(const RecordReader&) = delete;
  virtual ~RecordReader() = default;

  // The next record; nothing at the end. The error says what is wrong with the input at line().
  virtual std::expected<std::optional<Record>, std::string> next() = 0;
  virtual std::uint64_t line() const = 0;  // of the record that next() answered with, or of the mistake; from 1
  virtual std::uint64_t bytes_read() const = 0;
};

// Appends the text of records to a string. Tables are written one after another, records in key order.
class RecordWriter {
 public:
  RecordWriter() = default;
  RecordWriter(const RecordWriter&) = delete;
  RecordWriter& operator=(const RecordWriter&) = delete;
  virtual ~RecordWriter() = default;

  // `name`: absent for the table that load puts nameless records into.
  virtual void begin_table(std::string& to, std::optional<Bytes> name) = 0;
  struct Part {
    Bytes key;
    Bytes value;  // at most part_bytes_max bytes of it
    bool first = true;
    bool last = true;
  };
  // The error says why the format cannot hold the record.
  virtual std::expected<void, std::string> add(std::string& to, const Part& part) = 0;
  virtual void end_table(std::string& to) = 0;
};

}  // namespace plimsoll::cli
