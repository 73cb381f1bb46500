// Where contexts take their blocks from: the slab allocator of a store (whose threads keep some at hand), or the block pool beneath
// it.
#pragma once

#include <cstddef>

#include "memory/failure_point.hpp"

namespace plimsoll::memory {

class PressureManager;

class BlockSource {
 public:
  // At least `bytes`, `got` says how many really (BlockPool::block_bytes), aligned to 4 KiB, not zeroed. Null: no budget; whoever
  // has memory to give was asked, and waited for, so no latch may be held.
  virtual char* take(std::size_t bytes, std::size_t& got, Site site = Site::current()) = 0;
  virtual void give(char* block, std::size_t got) = 0;  // anywhere
  // Gives back to the system what it keeps, until that comes to `bytes`; answers how much it was. Allocates nothing.
  virtual std::size_t trim(std::size_t bytes) = 0;
  virtual PressureManager& pressure() const = 0;

 protected:
  BlockSource() = default;
  BlockSource(const BlockSource&) = default;
  BlockSource& operator=(const BlockSource&) = default;
  ~BlockSource() = default;
};

}  // namespace plimsoll::memory
