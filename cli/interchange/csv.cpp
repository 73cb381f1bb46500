#include "interchange/csv.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/check.hpp"

namespace plimsoll::cli {
namespace {

struct EncodingName {
  Encoding encoding;
  std::string_view name;
};
constexpr std::array encoding_names{EncodingName{Encoding::escaped, "escaped"}, EncodingName{Encoding::hex, "hex"},
                                    EncodingName{Encoding::base64, "base64"}};

std::string header_name(std::string_view column, Encoding encoding) {
  const auto* found = std::ranges::find(encoding_names, encoding, &EncodingName::encoding);
  PLIMSOLL_CHECK(found != encoding_names.end());
  return fmt::format("{}_{}", column, found->name);
}

// Between the columns of a composite key.
constexpr std::size_t fields_free = 16;  // a row may have so many at no charge: more than dump writes
constexpr char key_separator = '\0';

}  // namespace

// Other letters begin as the mark does: the third byte tells.
std::expected<void, std::string> CsvRows::skip_byte_order_mark() {
  begun_ = true;
  static constexpr std::string_view mark = "\xEF\xBB\xBF";
  for (const char c : mark) {
    const int byte = bytes_.peek();
    const bool continues = byte >= 0x80 && byte <= 0xBF;
    if (byte != static_cast<unsigned char>(c)) {
      if (first_bytes_.size() == 2 && !continues) return std::unexpected("a damaged byte order mark");
      return {};
    }
    first_bytes_ += static_cast<char>(bytes_.get());
  }
  first_bytes_.clear();
  return {};
}

std::expected<bool, std::string> CsvRows::next(std::vector<std::string>& fields) {
  if (!begun_) {
    if (auto skipped = skip_byte_order_mark(); !skipped) return std::unexpected(skipped.error());
  }
  fields.clear();
  line_ = bytes_.line();
  row_bytes_ = 0;
  if (bytes_.peek() == ByteReader::end && first_bytes_.empty()) {
    if (!bytes_.error().empty()) return std::unexpected(bytes_.error());
    return false;
  }
  for (;;) {
    bool quoted = false;
    if (fields.size() >= fields_free)
      if (auto taken = charge(sizeof(std::string)); !taken) return std::unexpected(taken.error());
    const auto after = field(fields.emplace_back(), quoted);
    if (!after) return std::unexpected(after.error());
    if (*after == After::separator) continue;
    if (fields.size() == 1 && fields[0].empty() && !quoted) return std::unexpected("the line is empty");
    return true;
  }
}

// Of what the row takes in memory: an empty field takes some, too.
std::expected<void, std::string> CsvRows::charge(std::size_t bytes) {
  row_bytes_ += bytes;
  if (row_bytes_ <= line_bytes_max) return {};
  return std::unexpected("the row is longer than 16 MiB; `plimsoll put --file` stores a value of any size");
}

std::expected<void, std::string> CsvRows::take(std::string& into, int byte) {
  if (auto taken = charge(1); !taken) return taken;
  into += static_cast<char>(byte);
  return {};
}

std::expected<CsvRows::After, std::string> CsvRows::field(std::string& into, bool& quoted) {
  into = std::exchange(first_bytes_, {});
  quoted = into.empty() && bytes_.peek() == '"';
  if (!quoted) {
    for (;;) {
      const int byte = bytes_.get();
      if (byte == separator_ || byte == '\n' || byte == '\r' || byte == ByteReader::end) return after_field(byte);
      if (byte == '"') return std::unexpected("a quote inside a field without quotes");
      if (auto taken = take(into, byte); !taken) return std::unexpected(taken.error());
    }
  }
  bytes_.get();
  for (;;) {
    const int byte = bytes_.get();
    if (byte == ByteReader::end) return std::unexpected(bytes_.error().empty() ? "a quote is not closed" : bytes_.error());
    if (byte == '"' && bytes_.peek() != '"') return after_field(bytes_.get());
    if (byte == '"') bytes_.get();
    if (auto taken = take(into, byte); !taken) return std::unexpected(taken.error());
  }
}

std::expected<CsvRows::After, std::string> CsvRows::after_field(int byte) {
  if (byte == separator_) return After::separator;
  if (byte == '\n') return After::row;
  if (byte == ByteReader::end) {
    if (!bytes_.error().empty()) return std::unexpected(bytes_.error());
    return After::row;
  }
  if (byte == '\r' && bytes_.peek() == '\n') {
    bytes_.get();
    return After::row;
  }
  return std::unexpected(byte == '\r' ? "a carriage return without a line feed" : "text behind a closing quote");
}

std::expected<std::optional<Record>, std::string> CsvReader::next() {
  if (!begun_) {
    if (auto ready = begin(); !ready) return std::unexpected(ready.error());
  }
  if (!std::exchange(row_waits_, false)) {
    const auto found = rows_.next(fields_);
    if (!found) return std::unexpected(found.error());
    if (!*found) return std::nullopt;
  }
  if (fields_.size() != columns_) {
    return std::unexpected(fmt::format("{} fields instead of {}, as in the first row", fields_.size(), columns_));
  }
  for (std::size_t i = 0; i < fields_.size() && options_.encoding != Encoding::text; ++i) {
    auto bytes = decode(fields_[i], options_.encoding);
    if (!bytes) return std::unexpected(fmt::format("column {}: {}", column_name(i), bytes.error()));
    fields_[i] = std::move(*bytes);
  }
  Record record;
  if (table_column_) record.table = fields_[*table_column_];
  auto key = make_key();
  if (!key) return std::unexpected(std::move(key.error()));
  auto value = make_value();
  if (!value) return std::unexpected(std::move(value.error()));
  if (table_column_ && key->empty() && value->empty()) return record;
  record.key = std::move(*key);
  record.value = std::move(*value);
  return record;
}

CsvReader::Checked CsvReader::begin() {
  begun_ = true;
  const auto found = rows_.next(fields_);
  if (!found) return std::unexpected(found.error());
  if (!*found) {
    if (options_.header) return std::unexpected("the input is empty: no header");
    return {};
  }
  columns_ = fields_.size();
  if (options_.header) {
    names_ = fields_;
    if (take_dump_header()) return {};
  } else {
    row_waits_ = true;
  }
  return choose_columns();
}

bool CsvReader::take_dump_header() {
  if (!options_.key_columns.empty() || options_.encoding != Encoding::text || columns_ < 2 || columns_ > 3) return false;
  for (const EncodingName& known : encoding_names) {
    std::vector<std::string> names{header_name("key", known.encoding), header_name("value", known.encoding)};
    if (columns_ == 3) names.insert(names.begin(), header_name("table", known.encoding));
    if (names != names_) continue;
    options_.encoding = known.encoding;
    if (columns_ == 3) table_column_ = 0;
    key_columns_ = {columns_ - 2};
    value_columns_ = {columns_ - 1};
    return true;
  }
  return false;
}

CsvReader::Checked CsvReader::choose_columns() {
  for (const std::string& name : options_.key_columns) {
    const auto chosen = column(name);
    if (!chosen) return std::unexpected(chosen.error());
    if (std::ranges::count(key_columns_, *chosen) != 0) return std::unexpected(fmt::format("the key has column '{}' twice", name));
    key_columns_.push_back(*chosen);
  }
  if (key_columns_.empty()) key_columns_.push_back(0);
  for (std::size_t i = 0; i < columns_; ++i) {
    if (std::ranges::count(key_columns_, i) == 0) value_columns_.push_back(i);
  }
  if (value_columns_.size() < 2) return {};
  for (std::size_t i = 0; i < names_.size(); ++i) {
    if (!is_utf8(names_[i])) return std::unexpected(fmt::format("the name of column {} is not UTF-8", i + 1));
    if (std::ranges::count(names_, names_[i]) > 1) return std::unexpected(fmt::format("two columns are named '{}'", names_[i]));
  }
  return {};
}

// A name, or a number from 1 if no column has that name.
std::expected<std::size_t, std::string> CsvReader::column(const std::string& name) const {
  const auto same = std::ranges::count(names_, name);
  if (same > 1) return std::unexpected(fmt::format("two columns are named '{}'", name));
  if (same == 1) return static_cast<std::size_t>(std::ranges::find(names_, name) - names_.begin());
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error == std::errc{} && end == name.data() + name.size() && number >= 1 && number <= columns_) return number - 1;
  return std::unexpected(fmt::format("no column '{}' among the {} of the first row", name, columns_));
}

std::string CsvReader::column_name(std::size_t column) const {
  return names_.empty() ? fmt::format("{}", column + 1) : fmt::format("'{}'", escape(names_[column]));
}

std::expected<std::string, std::string> CsvReader::make_key() const {
  std::string key;
  for (const std::size_t column : key_columns_) {
    const std::string& field = fields_[column];
    if (key_columns_.size() > 1 && field.find(key_separator) != field.npos) {
      return std::unexpected(fmt::format("column {} holds a zero byte, which separates the columns of a key", column_name(column)));
    }
    if (column != key_columns_.front()) key += key_separator;
    key += field;
  }
  return key;
}

std::expected<std::string, std::string> CsvReader::make_value() const {
  if (value_columns_.empty()) return std::string();
  if (value_columns_.size() == 1) return fields_[value_columns_.front()];
  std::string value(1, names_.empty() ? '[' : '{');
  for (const std::size_t column : value_columns_) {
    if (!is_utf8(fields_[column])) {
      return std::unexpected(fmt::format("column {} is not UTF-8: several value columns become JSON", column_name(column)));
    }
    if (column != value_columns_.front()) value += ',';
    if (!names_.empty()) {
      append_json_string(value, names_[column]);
      value += ':';
    }
    append_json_string(value, fields_[column]);
  }
  value += names_.empty() ? ']' : '}';
  return value;
}

CsvWriter::CsvWriter(char separator, Encoding encoding, bool name_tables)
    : separator_(separator), encoding_(encoding), name_tables_(name_tables) {
  PLIMSOLL_CHECK(encoding != Encoding::text);
}

void CsvWriter::begin_table(std::string& to, std::optional<Bytes> name) {
  if (!std::exchange(header_written_, true)) {
    if (name_tables_) to.append(header_name("table", encoding_)) += separator_;
    to.append(header_name("key", encoding_)) += separator_;
    to.append(header_name("value", encoding_)) += '\n';
  }
  if (!name_tables_) return;
  PLIMSOLL_CHECK(name.has_value());
  table_.clear();
  append_csv_field(table_, encode(*name, encoding_), separator_);
  to.append(table_) += separator_;
  to += separator_;
  to += '\n';
}

std::expected<void, std::string> CsvWriter::add(std::string& to, const Part& part) {
  if (part.first) value_.clear();
  value_ += part.value;
  const std::size_t before = to.size();
  if (part.last) {
    if (name_tables_) to.append(table_) += separator_;
    append_csv_field(to, encode(part.key, encoding_), separator_);
    to += separator_;
    append_csv_field(to, encode(value_, encoding_), separator_);
    to += '\n';
  }
  if (value_.size() <= line_bytes_max && to.size() - before <= line_bytes_max) return {};
  to.resize(before);
  return std::unexpected(
      fmt::format("the row of key '{}' would be longer than 16 MiB: dump as jsonl or db_dump", escape(part.key)));
}

void append_csv_field(std::string& to, std::string_view text, char separator) {
  if (text.find_first_of(std::string("\"\r\n") + separator) == text.npos) {
    to += text;
    return;
  }
  to += '"';
  for (const char c : text) to.append(c == '"' ? 2 : 1, c);
  to += '"';
}

}  // namespace plimsoll::cli
