// Comma- and tab-separated values: RFC 4180, with the separator of the format. A row is a record: its key columns are the key, the
// others are the value. docs/interchange.md has the rules for tables that dump did not write.
//
// An input is valid if and only if every row has as many fields as the first, no row is blank, a quote stands only around a whole
// field (doubled inside), and every row takes at most line_bytes_max in memory (its text, and 32 bytes a field from the 17th on).
// Rows end with LF or CR LF; a UTF-8 byte order mark in front is skipped. That no key comes twice is checked by the loader.
//
// What dump writes is known by its header: `key_E,value_E`, or `table_E,key_E,value_E` for several tables, where E (escaped, hex,
// base64) says how the bytes are written. A row with an empty key and an empty value names a table and nothing else.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include "interchange/byte_reader.hpp"
#include "interchange/record.hpp"
#include "render/bytes.hpp"

namespace plimsoll::cli {

// Splits the text into rows. Also used to read back what was written.
class CsvRows {
 public:
  CsvRows(std::FILE* file, char separator) : bytes_(file), separator_(separator) {}

  // Fills `fields` with those of the next row; false at the end.
  std::expected<bool, std::string> next(std::vector<std::string>& fields);
  std::uint64_t line() const { return line_; }
  std::uint64_t bytes_read() const { return bytes_.bytes_read(); }

 private:
  enum class After : std::uint8_t { separator, row };
  std::expected<After, std::string> field(std::string& into, bool& quoted);
  std::expected<After, std::string> after_field(int byte);
  std::expected<void, std::string> take(std::string& into, int byte);
  std::expected<void, std::string> charge(std::size_t bytes);
  std::expected<void, std::string> skip_byte_order_mark();

  ByteReader bytes_;
  char separator_;
  std::uint64_t line_ = 1;
  std::size_t row_bytes_ = 0;
  bool begun_ = false;
  std::string first_bytes_;  // of the first field: they looked like a byte order mark
};

struct CsvOptions {
  char separator = ',';
  bool header = true;
  std::vector<std::string> key_columns{};  // names, or numbers from 1; none: the first column
  Encoding encoding = Encoding::text;      // of all fields, unless dump's own header says it
};

class CsvReader final : public RecordReader {
 public:
  CsvReader(std::FILE* file, CsvOptions options) : rows_(file, options.separator), options_(std::move(options)) {}
  std::expected<std::optional<Record>, std::string> next() override;
  std::uint64_t line() const override { return rows_.line(); }
  std::uint64_t bytes_read() const override { return rows_.bytes_read(); }

 private:
  using Checked = std::expected<void, std::string>;
  Checked begin();
  bool take_dump_header();
  Checked choose_columns();
  std::expected<std::size_t, std::string> column(const std::string& name) const;
  std::expected<std::string, std::string> make_key() const;
  std::expected<std::string, std::string> make_value() const;
  std::string column_name(std::size_t column) const;

  CsvRows rows_;
  CsvOptions options_;
  std::vector<std::string> fields_;
  std::vector<std::string> names_;  // empty without a header
  std::size_t columns_ = 0;
  std::optional<std::size_t> table_column_;
  std::vector<std::size_t> key_columns_;
  std::vector<std::size_t> value_columns_;
  bool begun_ = false;
  bool row_waits_ = false;  // without a header the first row is a record
};

class CsvWriter final : public RecordWriter {
 public:
  CsvWriter(char separator, Encoding encoding, bool name_tables);
  void begin_table(std::string& to, std::optional<Bytes> name) override;
  std::expected<void, std::string> add(std::string& to, const Part& part) override;
  void end_table(std::string&) override {}

 private:
  char separator_;
  Encoding encoding_;
  bool name_tables_;
  bool header_written_ = false;
  std::string table_;  // the field, encoded
  std::string value_;  // parts so far
};

// Appends a field, in quotes if it needs them.
void append_csv_field(std::string& to, std::string_view text, char separator);

}  // namespace plimsoll::cli
