// The blocks of all memory contexts of a store. Blocks of 2^k KiB, k = 2 .. 8, are carved from chunks that are charged to the
// `contexts` account; a chunk whose blocks are all back goes back to the system, but for a few spares below the account's floor
// and one more, which is given up when somebody else needs the memory.
// Larger requests are extents of their own (ExtentCache). Thread-safe.
//
// The slab allocator takes its spans here. A block of 2^k bytes lies at a multiple of its size. To empty a chunk whose blocks can
// be moved, withhold() it, move them into blocks from take_resident(), and restore() what is left of it.
//
// take() may ask reclaimers, so it is called without latches; give() may be called anywhere.
#pragma once

#include <cstddef>

#include "memory/block_source.hpp"
#include "memory/extent_cache.hpp"
#include "memory/page_provider.hpp"

namespace plimsoll::memory {

class BlockPool final : public BlockSource {
 public:
  static constexpr std::size_t block_bytes_min = 4u << 10;
  static constexpr std::size_t block_bytes_max = 256u << 10;  // larger ones are mapped
  static constexpr std::size_t block_alignment = 4096;

  static Result<BlockPool> make(PageProvider& provider);  // extents: a cache of a 20th of the budget
  static Result<BlockPool> make(PageProvider& provider, const ExtentOptions& extents);
  BlockPool(BlockPool&& other) noexcept;
  BlockPool& operator=(BlockPool&& other) noexcept;
  ~BlockPool();  // asserts that every block is back

  // At least `bytes`, aligned, `got` says how many really. Null: no budget (reclaimers were asked). Not zeroed.
  char* take(std::size_t bytes, std::size_t& got, Site site = Site::current()) override;
  void give(char* block, std::size_t got) override;
  static std::size_t block_bytes(std::size_t bytes);  // what take(bytes) will get
  PressureManager& pressure() const override;
  std::size_t live_bytes() const;  // blocks handed out
  std::size_t trim(std::size_t bytes = ~std::size_t{
                       0}) override;  // cached extents, then spare chunks: below the floor only if all are to go

  // A block of at most 256 KiB from memory that is there already; null if there is none. Asks nobody, so latches may be held.
  char* take_resident(std::size_t bytes, std::size_t& got);

  // The chunks: where they lie, and how much of each is free. A chunk without memory is all used (free_bytes 0).
  PageProvider& provider() const;
  char* base() const;
  std::size_t chunks() const;
  std::size_t chunk_bytes() const;
  std::size_t free_bytes(std::size_t chunk) const;
  bool withhold(std::size_t chunk);  // one at a time; nothing is taken from it until restore(). False: it has no block in use
  void restore(std::size_t chunk);   // also if it became empty and has gone back meanwhile
  // Ever given back to the system by this thread, from all pools: what its trim achieved is the difference, whatever others do.
  static std::size_t returned_bytes();

 private:
  struct Impl;
  explicit BlockPool(Impl* impl) : impl_(impl) {}
  void close();
  Impl* impl_;
};

}  // namespace plimsoll::memory
