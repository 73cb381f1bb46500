// A file that a command reads, or standard input under the name "-". Move-only; closes what it opened.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include "failure.hpp"

namespace plimsoll::cli {

class Input {
 public:
  static Outcome<Input> open(const std::string& path);

  std::FILE* file() const { return file_.get(); }
  const std::string& name() const { return name_; }  // for messages
  std::uint64_t size() const;                        // 0 if it is no regular file: a pipe has no known size

 private:
  struct Close {
    void operator()(std::FILE* file) const {
      if (file != stdin) std::fclose(file);
    }
  };
  Input(std::FILE* file, std::string name) : file_(file), name_(std::move(name)) {}

  std::unique_ptr<std::FILE, Close> file_;
  std::string name_;
};

}  // namespace plimsoll::cli
