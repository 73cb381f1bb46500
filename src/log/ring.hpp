// The log's bounded ring in memory. Position p of the stream lies at p modulo the ring's size.
//
// Writers, in parallel, each at a position of its own: copy() what follows a record's first 8 bytes, then publish() these 8 bytes
// (length and checksum) in one release store. One flusher at a time: published() walks the lengths from where it stopped; a record
// that is still being copied has length 0 and ends the walk. After the bytes are on stable storage, advance() zeroes and frees
// whole blocks.
//
// Invariants:
//   1. every byte from the published end up to freed + ring bytes is zero, but for records being copied (so a length word is 0
//   until stored);
//   2. the block that holds the published end is never freed: the next flush writes it again;
//   3. one block always stays empty, so that the walk meets a zero before it would come round.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/check.hpp"
#include "io/file.hpp"
#include "log/priority.hpp"
#include "memory/page_provider.hpp"

namespace plimsoll::log {

constexpr std::uint64_t block_begin(std::uint64_t position) { return position & ~std::uint64_t{io::block_bytes - 1}; }
constexpr std::uint64_t block_end(std::uint64_t position) { return block_begin(position + io::block_bytes - 1); }

class Ring {
 public:
  explicit Ring(memory::Mapping memory);  // zeroed; a power of two of bytes, at least 4 blocks

  std::uint64_t bytes() const { return mask_ + 1; }
  // Positions below may be promised.
  std::uint64_t room_end(Priority priority) const { return freed_.load(std::memory_order_seq_cst) + room(priority); }
  // How many bytes can be granted at once, whatever part of the block at the published end is in use.
  std::uint64_t grant_max(Priority priority) const { return room(priority) - io::block_bytes; }

  // Before first use: the stream goes on at `end`; `partial` are the bytes of its block before it.
  void start(std::uint64_t end, std::span<const char> partial);

  void copy(std::uint64_t position, std::string_view from);
  void publish(std::uint64_t position, std::uint32_t bytes, std::uint32_t crc);

  // The flusher's.
  std::uint64_t published(std::uint64_t from) const;                 // the end of the published records that begin at `from`
  std::span<char> run(std::uint64_t position, std::uint64_t bytes);  // as much of [position, position + bytes) as is in one piece
  void read(std::uint64_t position, std::span<char> into) const;
  void advance(std::uint64_t durable_before, std::uint64_t durable);  // zeroes and frees

 private:
  std::uint64_t room(Priority priority) const {
    return bytes() - io::block_bytes - (priority == Priority::normal ? bytes() / 8 : 0);
  }
  char* at(std::uint64_t position) const { return data_ + (position & mask_); }

  memory::Mapping memory_;
  char* const data_;
  const std::uint64_t mask_;
  alignas(64) std::atomic<std::uint64_t> freed_{0};  // blocks below are free again
};

}  // namespace plimsoll::log
