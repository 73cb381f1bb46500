// Standard output of a command. Knows whether --json was given and whether a terminal looks on. A failed write (disk full, closed
// pipe) is remembered: long commands stop at failed(), and the program ends with a failure. One object is used by one thread.
#pragma once

#include <cstdio>
#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "failure.hpp"
#include "plimsoll/types.hpp"

namespace plimsoll::cli {

class Output {
 public:
  explicit Output(std::FILE* file);

  void set_json(bool json) { json_ = json; }
  bool json() const { return json_; }
  bool terminal() const { return terminal_; }
  bool failed() const { return os_error_ != 0; }

  void write(Bytes bytes);
  void line(Bytes bytes);                            // with a line feed
  void object(const nlohmann::ordered_json& value);  // one line; bytes that are no UTF-8 come out as U+FFFD

  // True: somebody closed the pipe, as `| head` does, which is nobody's mistake and gets no message.
  bool closed_by_reader() const;
  Outcome<void> finish();  // flushes

 private:
  std::FILE* file_;
  bool json_ = false;
  bool terminal_;
  int os_error_ = 0;
};

}  // namespace plimsoll::cli
