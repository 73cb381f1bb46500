// Records as people and programs read them, in the output modes of scan and the shell. One object prints one result; used by one
// thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "choice.hpp"
#include "output.hpp"
#include "render/bytes.hpp"
#include "render/table.hpp"

namespace plimsoll::cli {

// list: key, a tab, value. json and jsonl: members as in the jsonl format, exact for any bytes, whatever the encoding.
enum class Mode : std::uint8_t { list, table, csv, json, jsonl, line, markdown };
inline constexpr std::array<Choice<Mode>, 7> mode_words{{{"list", Mode::list},
                                                         {"table", Mode::table},
                                                         {"csv", Mode::csv},
                                                         {"json", Mode::json},
                                                         {"jsonl", Mode::jsonl},
                                                         {"line", Mode::line},
                                                         {"markdown", Mode::markdown}}};
inline constexpr std::span<const Choice<Mode>> modes(mode_words);

class RecordPrinter {
 public:
  struct Settings {
    Mode mode = Mode::list;
    Encoding encoding = Encoding::escaped;  // text: control characters and what is no UTF-8 come out escaped all the same
    std::optional<bool> headers{};          // unset: as usual for the mode
    bool keys_only = false;
  };
  RecordPrinter(Output& output, Settings settings);

  void add(Bytes key, Bytes value);
  void finish();  // after the last record

 private:
  static TextTable empty_table(bool keys_only);
  void begin();
  std::string show(Bytes bytes) const;
  std::string markdown_cell(Bytes bytes) const;
  void add_json(Bytes key, Bytes value);
  void flush_table();

  Output& output_;
  Settings settings_;
  bool headers_;
  bool begun_ = false;
  TextTable table_;
  std::size_t rows_ = 0;  // in table_
  std::string line_;
};

}  // namespace plimsoll::cli
