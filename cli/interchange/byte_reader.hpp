// Bytes of a file or pipe, one at a time, with the line they are in. Holds one block. Used by the readers of csv and db_dump, by
// one thread.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

#include "plimsoll/types.hpp"

namespace plimsoll::cli {

class ByteReader {
 public:
  static constexpr int end = -1;

  explicit ByteReader(std::FILE* file) : file_(file) {}

  // The next byte, 0 to 255, or `end`.
  int get() {
    const int byte = peek();
    if (byte != end) ++at_;
    if (byte == '\n') ++line_;
    return byte;
  }
  int peek() { return at_ < block_.size() || fill() ? static_cast<unsigned char>(block_[at_]) : end; }

  std::uint64_t line() const { return line_; }  // of the next byte, from 1
  std::uint64_t bytes_read() const { return bytes_read_; }
  // Why the end came early; empty if it is the file's.
  const std::string& error() const { return error_; }

 private:
  bool fill();

  std::FILE* file_;
  std::string block_;
  std::size_t at_ = 0;
  bool at_end_ = false;
  std::uint64_t line_ = 1;
  std::uint64_t bytes_read_ = 0;
  std::string error_;
};

}  // namespace plimsoll::cli
