#include "interchange/byte_reader.hpp"

#include <fmt/core.h>

#include <cerrno>
#include <cstring>

#include "base/check.hpp"

namespace plimsoll::cli {

bool ByteReader::fill() {
  PLIMSOLL_DCHECK(at_ == block_.size());
  if (at_end_) return false;
  static constexpr std::size_t block_bytes = 256_KiB;
  block_.resize(block_bytes);
  at_ = 0;
  block_.resize(std::fread(block_.data(), 1, block_bytes, file_));
  bytes_read_ += block_.size();
  if (block_.size() < block_bytes) {
    at_end_ = true;
    if (std::ferror(file_) != 0) error_ = fmt::format("cannot read: {}", std::strerror(errno));
  }
  return !block_.empty();
}

}  // namespace plimsoll::cli
