// The bytes of one simulated file: an array of immutable blocks that copies share, so that a crash state costs a copy of pointers.
// A block that was never written has no memory and reads as zeroes. A reserved block counts against the disk's size.
// A plain value: who shares it between threads brings the mutex.
//
// Invariants: bytes at and past size() are zero; blocks end with the one that holds byte size() - 1, or with a reserved one.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "io/file.hpp"

namespace plimsoll::io::simulation {

class Content {
 public:
  static constexpr std::uint64_t bytes_max = std::uint64_t{64} << 30;

  std::uint64_t size() const { return size_; }
  std::uint64_t reserved_bytes() const { return reserved_blocks_ * block_bytes; }
  // Bytes of blocks in [offset, offset + bytes) that are not reserved yet.
  std::uint64_t unreserved_bytes(std::uint64_t offset, std::uint64_t bytes) const;

  void read(std::uint64_t offset, std::span<char> into) const;
  void write(std::uint64_t offset, std::span<const char> from);  // reserves, and extends the file where needed
  // write(offset, what `from` holds there), sharing the blocks: those that the range touches must be meant to be equal as a whole.
  void adopt(const Content& from, std::uint64_t offset, std::uint64_t bytes);
  void grow(std::uint64_t to);                              // nothing if it is that long
  void cut(std::uint64_t to);                               // nothing if it is that short
  void reserve(std::uint64_t offset, std::uint64_t bytes);  // and grows

  void release(std::uint64_t offset, std::uint64_t bytes);  // whole blocks

  // Equal for equal sizes and bytes, however the blocks are held.
  std::uint64_t hash() const;

 private:
  using Block = std::array<char, block_bytes>;
  struct Slot {
    std::shared_ptr<const Block> block;
    bool reserved = false;
  };

  void need_slots(std::uint64_t end);
  void write_in_block(std::size_t index, std::size_t begin, std::span<const char> from);

  std::vector<Slot> slots_;
  std::uint64_t size_ = 0;
  std::uint64_t reserved_blocks_ = 0;
};

}  // namespace plimsoll::io::simulation
