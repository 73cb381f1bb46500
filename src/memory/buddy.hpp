// Buddy blocks (Knowlton 1965) of 4 KiB to 256 KiB inside the chunks of one address range. Owns the free lists, which run through
// the free blocks themselves, and a table of one byte per 4 KiB that says where a block begins, how large it is and whether it is
// free; so a block given back twice, or with a wrong size, is found. Maps nothing, latches nothing: BlockPool, its only caller,
// does.
//
// Invariants: a table byte is non-zero exactly where a block of an added chunk begins; no two free buddies are left unmerged; under
// AddressSanitizer free blocks are poisoned but for their link. The free blocks of a withheld chunk are in no list and have no
// entry.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "memory/page_provider.hpp"

namespace plimsoll::memory {

class Buddy {
 public:
  static constexpr std::size_t unit_bytes = 4096;
  static constexpr unsigned order_max = 6;
  static constexpr std::size_t block_bytes_max = unit_bytes << order_max;
  static constexpr std::size_t bytes_of(unsigned order) { return unit_bytes << order; }
  static unsigned order_of(std::size_t bytes);  // the smallest block that holds `bytes`

  // Chunks of `chunk_bytes`, a multiple of 256 KiB, from `base` on. `table` and `free_units` are zeroed and have a byte per unit
  // and a std::uint16_t per chunk.
  Buddy(char* base, std::size_t chunk_bytes, std::size_t chunks, Mapping table, Mapping free_units);
  Buddy(const Buddy&) = delete;
  Buddy& operator=(const Buddy&) = delete;

  void add_chunk(std::size_t chunk);       // its memory is there and unused
  void remove_chunk(std::size_t chunk);    // must be empty; its memory may go
  void use_chunk_last(std::size_t chunk);  // must be empty: its blocks are taken when no other will do
  // Nothing is taken from this chunk any more; what is given back to it stays there. One chunk at a time. Ends with restore(), or
  // when the chunk, having become empty, is removed.
  void withhold(std::size_t chunk);
  void restore(std::size_t chunk);
  bool withheld(std::size_t chunk) const { return chunk == withheld_; }
  char* take(unsigned order);  // null: no free block is large enough
  void give(char* block, unsigned order);
  bool owns(const char* block) const { return block >= base_ && block < base_ + units_ * unit_bytes; }
  bool in_use(std::size_t chunk) const { return table()[chunk * units_per_chunk_] != 0; }
  bool empty(std::size_t chunk) const { return free_units()[chunk] == units_per_chunk_; }
  std::size_t free_bytes(std::size_t chunk) const { return free_units()[chunk] * unit_bytes; }
  std::size_t chunk_of(const char* block) const { return unit_of(block) / units_per_chunk_; }

 private:
  struct Link {
    Link* before;
    Link* after;
  };
  static void unlink(Link* link);
  static void link_after(Link* at, Link* link);
  std::size_t unit_of(const char* block) const { return static_cast<std::size_t>(block - base_) / unit_bytes; }
  Link* link_of(std::size_t unit) const;
  std::uint8_t* table() const { return table_.as<std::uint8_t>(); }
  std::uint16_t* free_units() const { return free_units_.as<std::uint16_t>(); }
  void put_free(std::size_t unit, unsigned order);
  void drop_free(std::size_t unit, unsigned order);
  void put_merged(std::size_t unit, unsigned order);

  char* base_;
  std::size_t units_per_chunk_, units_;
  std::size_t withheld_ = std::numeric_limits<std::size_t>::max();
  Mapping table_, free_units_;
  std::array<Link, order_max + 1> free_{};  // rings; the members are their heads
};

}  // namespace plimsoll::memory
