// Rows with columns: aligned under a header for a terminal, tab-separated without a header for a pipe. Cells are text that has been
// escaped already. One object is used by one thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace plimsoll::cli {

class TextTable {
 public:
  enum class Align : std::uint8_t { left, right };
  struct Column {
    std::string_view title;
    Align align = Align::left;
  };

  explicit TextTable(std::vector<Column> columns);

  void add(std::vector<std::string> cells);  // as many as there are columns
  bool empty() const { return rows_.empty(); }
  std::string render(bool for_terminal) const;

 private:
  std::string render_aligned() const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace plimsoll::cli
