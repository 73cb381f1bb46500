// Lines from a terminal: editing, history and completion, by libedit. The history is kept in a file of the user. One object, used
// by one thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace plimsoll::cli {

class LineEditor {
 public:
  using Complete = std::function<std::vector<std::string>(const std::string& line)>;

  explicit LineEditor(Complete complete);
  ~LineEditor();  // writes the history
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  // The next line without its line feed; nothing at the end (Ctrl-D on an empty line). Ctrl-C gives up the line and answers with an
  // empty one.
  std::optional<std::string> next(const std::string& prompt);

  struct State;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace plimsoll::cli
