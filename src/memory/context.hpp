// Memory contexts (arenas; after PostgreSQL's MemoryContext): what a transaction, cursor or tool session allocates lives in its
// context and dies with it. Its blocks come from the store's BlockPool and double from 4 KiB to 256 KiB; an allocation larger than
// half of the block that would be next gets a block of its own. A context is used by one thread at a time; the pool is thread-safe.
//
//   Context context(pool, "cursor", 0);
//   if (char* bytes = context.allocate(n)) ...        // null: the cap or the budget has been reached
//
// allocate and free: O(1), but for frees that jump about between many blocks. allocate may take a block, and then ask reclaimers:
// no latch may be held.
#pragma once

#include <cstddef>
#include <memory_resource>

#include "memory/block_pool.hpp"

namespace plimsoll::memory {

class Context final : public std::pmr::memory_resource {
 public:
  // `label` must outlive the context. `cap_bytes` 0: none but the budget.
  Context(BlockPool& pool, const char* label, std::size_t cap_bytes) : pool_(pool), label_(label), cap_(cap_bytes) {}
  ~Context() override;  // release()
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  // Null when the cap or the budget is reached. Alignment: a power of two up to 64.
  char* allocate(std::size_t bytes, std::size_t alignment = 8);
  // Gives back an allocation: at once if it is the newest one or has a block of its own, otherwise when nothing is left in its
  // block.
  void free(char* at, std::size_t bytes);
  void reset();    // frees everything, keeps the first block
  void release();  // frees everything, first block included
  void set_cap(std::size_t bytes) { cap_ = bytes; }

  std::size_t bytes() const { return block_bytes_; }  // blocks held
  std::size_t live_bytes() const { return live_; }    // allocated less freed, each rounded up to 8
  const char* label() const { return label_; }

 private:
  struct Block;
  void* do_allocate(std::size_t bytes, std::size_t alignment) override;  // throws std::bad_alloc, as the interface demands
  void do_deallocate(void* at, std::size_t bytes, std::size_t alignment) override;
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }
  static char* bump(Block& block, std::size_t size, std::size_t alignment);
  static Block* block_of_own(char* at);
  std::size_t next_block_bytes() const;
  char* allocate_from_pool(std::size_t size, std::size_t alignment);
  Block* add_block(std::size_t bytes);
  void give_block(Block* block);
  void free_shared(char* at, std::size_t size);

  BlockPool& pool_;
  const char* label_;
  std::size_t cap_;
  Block* newest_ = nullptr;    // shared blocks, newest first
  Block* own_ = nullptr;       // blocks of one allocation each
  Block* freed_in_ = nullptr;  // the shared block of the last free, if it is still there
  std::size_t block_bytes_ = 0, live_ = 0;
};

}  // namespace plimsoll::memory
