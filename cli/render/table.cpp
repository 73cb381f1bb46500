#include "render/table.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace plimsoll::cli {
namespace {

// Characters, not bytes; a wide or combining character counts as one, which is good enough for names.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace

TextTable::TextTable(std::vector<Column> columns) : columns_(std::move(columns)) { PLIMSOLL_CHECK(!columns_.empty()); }

void TextTable::add(std::vector<std::string> cells) {
  PLIMSOLL_CHECK(cells.size() == columns_.size());
  rows_.push_back(std::move(cells));
}

std::string TextTable::render(bool for_terminal) const {
  if (for_terminal) return render_aligned();
  std::string text;
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) text.append(i == 0 ? "" : "\t").append(row[i]);
    text += '\n';
  }
  return text;
}

std::string TextTable::render_aligned() const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    widths.push_back(width(columns_[i].title));
    for (const auto& row : rows_) widths[i] = std::max(widths[i], width(row[i]));
  }
  std::string text;
  const auto add_cell = [&](std::size_t i, std::string_view cell) {
    PLIMSOLL_DCHECK(width(cell) <= widths[i]);
    const std::string padding(widths[i] - width(cell), ' ');
    if (i != 0) text += "  ";
    if (columns_[i].align == Align::right) text += padding;
    text += cell;
    if (columns_[i].align == Align::left && i + 1 < columns_.size()) text += padding;
  };
  for (std::size_t i = 0; i < columns_.size(); ++i) add_cell(i, columns_[i].title);
  text += '\n';
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) add_cell(i, row[i]);
    text += '\n';
  }
  return text;
}

}  // namespace plimsoll::cli
