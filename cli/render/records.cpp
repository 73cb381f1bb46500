#include "render/records.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.hpp"
#include "interchange/csv.hpp"
#include "interchange/jsonl.hpp"

namespace plimsoll::cli {
namespace {

// A table is aligned over so many rows, so that a result of any size is printed as it comes.
constexpr std::size_t rows_aligned = 1000;

}  // namespace

RecordPrinter::RecordPrinter(Output& output, Settings settings)
    : output_(output),
      settings_(settings),
      headers_(settings.headers.value_or(settings.mode == Mode::table || settings.mode == Mode::markdown)),
      table_(empty_table(settings.keys_only)) {}

TextTable RecordPrinter::empty_table(bool keys_only) { return keys_only ? TextTable({{"key"}}) : TextTable({{"key"}, {"value"}}); }

void RecordPrinter::begin() {
  if (std::exchange(begun_, true)) return;
  if (settings_.mode == Mode::json) output_.write("[");
  if (!headers_) return;
  const bool keys_only = settings_.keys_only;
  if (settings_.mode == Mode::list) output_.line(keys_only ? "key" : "key\tvalue");
  if (settings_.mode == Mode::csv) output_.line(keys_only ? "key" : "key,value");
  if (settings_.mode == Mode::markdown) output_.line(keys_only ? "| key |\n| --- |" : "| key | value |\n| --- | --- |");
}

std::string RecordPrinter::show(Bytes bytes) const {
  return settings_.encoding == Encoding::text ? escape_control(bytes) : encode(bytes, settings_.encoding);
}

std::string RecordPrinter::markdown_cell(Bytes bytes) const {
  std::string cell;
  for (const char c : show(bytes)) cell.append(c == '|' ? "\\|" : std::string(1, c));
  return cell;
}

void RecordPrinter::add_json(Bytes key, Bytes value) {
  JsonlLine record{.key = key};
  if (!settings_.keys_only) record.value = value;
  append_jsonl(line_, record);
}

void RecordPrinter::add(Bytes key, Bytes value) {
  const bool first = !begun_;
  begin();
  line_.clear();
  switch (settings_.mode) {
    case Mode::list:
      line_ = show(key);
      if (!settings_.keys_only) line_.append("\t").append(show(value));
      line_ += '\n';
      break;
    case Mode::table:
      settings_.keys_only ? table_.add({show(key)}) : table_.add({show(key), show(value)});
      if (++rows_ == rows_aligned) flush_table();
      break;
    case Mode::csv:
      append_csv_field(line_, show(key), ',');
      if (!settings_.keys_only) append_csv_field(line_ += ',', show(value), ',');
      line_ += '\n';
      break;
    case Mode::json:
      line_ = first ? "" : ",\n";
      add_json(key, value);
      line_.pop_back();
      break;
    case Mode::jsonl: add_json(key, value); break;
    case Mode::line:
      if (!first) line_ += '\n';
      line_.append("  key = ").append(show(key)) += '\n';
      if (!settings_.keys_only) line_.append("value = ").append(show(value)) += '\n';
      break;
    case Mode::markdown:
      line_.append("| ").append(markdown_cell(key));
      if (!settings_.keys_only) line_.append(" | ").append(markdown_cell(value));
      line_ += " |\n";
      break;
  }
  output_.write(line_);
}

void RecordPrinter::flush_table() {
  std::string text = table_.render(true);
  if (!headers_) text.erase(0, text.find('\n') + 1);
  output_.write(text);
  table_ = empty_table(settings_.keys_only);
  rows_ = 0;
}

void RecordPrinter::finish() {
  if (settings_.mode == Mode::json) {
    begin();
    output_.line("]");
  }
  if (rows_ != 0) flush_table();
}

}  // namespace plimsoll::cli
