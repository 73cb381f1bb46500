// The blocks of all memory contexts of a store. Blocks of 2^k KiB, k = 2 .. 8, are carved from chunks that are charged to the
// `contexts` account; a chunk whose blocks are all back goes back to the system, but for a few spares below the account's floor
// and one more, which is given up when somebody else needs the memory. Larger requests are mapped, and charged, by themselves. Thread-safe.
//
// take() may ask reclaimers, so it is called without latches; give() may be called anywhere.
#pragma once

#include <cstddef>

#include "memory/page_provider.hpp"

namespace plimsoll::memory {

class BlockPool {
 public:
  static constexpr std::size_t block_bytes_min = 4u << 10;
  static constexpr std::size_t block_bytes_max = 256u << 10;  // larger ones are mapped
  static constexpr std::size_t block_alignment = 4096;

  static Result<BlockPool> make(PageProvider& provider);
  BlockPool(BlockPool&& other) noexcept;
  BlockPool& operator=(BlockPool&& other) noexcept;
  ~BlockPool();  // asserts that every block is back

  // At least `bytes`, aligned, `got` says how many really. Null: no budget (reclaimers were asked). Not zeroed.
  char* take(std::size_t bytes, std::size_t& got);
  void give(char* block, std::size_t got);
  static std::size_t block_bytes(std::size_t bytes);  // what take(bytes) will get
  std::size_t give_back(std::size_t bytes);           // spare chunks above the account's floor, until they come to `bytes`
  PressureManager& pressure() const;
  std::size_t live_bytes() const;                     // blocks handed out
  std::size_t trim();                                 // gives the spare chunks back, answers their bytes

 private:
  struct Impl;
  explicit BlockPool(Impl* impl) : impl_(impl) {}
  void close();
  Impl* impl_;
};

}  // namespace plimsoll::memory
