// Memory contexts (arenas; after PostgreSQL's MemoryContext): what a transaction, a cursor or a tool session allocates lives in its
// context and dies with it. The object itself is the guard: it gives everything back in its destructor, whatever the way there.
//
//   Context context(set, "transaction");                  // a root: shown by the set's view
//   Context child(context, "cursor", {.cap_bytes = n});   // dies with its parent at the latest
//   if (char* bytes = child.allocate(n)) ...              // null: a cap or the budget has been reached
//
// Tree: a child is linked into its parent and out of it in O(1). reset() ends all descendants, children before parents and without
// recursion, calls the callbacks, newest first, and frees the contents. A descendant that was ended that way is empty for good: its
// allocate answers null and its destructor does nothing; its object may lie in its parent's memory and need no destructor then.
//
// Blocks come from the store's BlockPool: the keeper (options.keeper_bytes), then ever doubled ones up to options.block_bytes_max;
// an allocation that would fill half of the next block gets a block of its own. The keeper survives reset(). While a root
// rests between two uses, ContextSet::trim() may take its keeper: the pointer to it is parked, and who exchanges it for null (the
// trimmer, or the next use) owns the block. Neither waits for the other.
//
// Caps count blocks, the context's own and its descendants': at each root and each context with a cap a sum is kept, so that taking
// a block looks at those above it only.
//
// A context is used by one thread at a time, and so is its whole tree: a child by the thread that uses the parent (checked in debug
// builds). Handing the tree to another thread is the owner's business. Other threads may read the figures that the view shows.
//
// allocate, free: O(1), but for frees that jump about between many blocks. allocate may take a block, and then ask reclaimers: no
// latch may be held.
//
// Invariants: I1 live_bytes() = cursor_ - base_ (moving the cursor alone is what an allocation costs).  I2 of each shared block,
// freed <= used; a block of which they are equal is empty.  I3 subtree_bytes() of a root or capped context = blocks of it and of
// all descendants.  I4 while a root rests, parked_ is its keeper or null; only who made it null
// touches the block.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory_resource>

#include "base/check.hpp"
#include "memory/block_pool.hpp"
#include "memory/poison.hpp"
#include "memory/pressure.hpp"

namespace plimsoll::memory {

class ContextSet;

struct ContextOptions {
  std::size_t cap_bytes = 0;  // of its blocks and its descendants'; 0: none but those above it and the budget
  std::size_t keeper_bytes = BlockPool::block_bytes_min;
  std::size_t block_bytes_max = BlockPool::block_bytes_max;
};

// Called once, at the next reset or end of the context it is registered with, and forgotten. It gives up what the context's memory
// refers to outside of the context; it must not use any context of the tree.
struct ResetCallback {
  void (*call)(void* argument) noexcept = nullptr;
  void* argument = nullptr;
  ResetCallback* next = nullptr;  // the context's
};

class alignas(64) Context final : public std::pmr::memory_resource {
 public:
  static constexpr std::size_t granule = 8;

  // `label` must outlive the context.
  Context(BlockSource& pool, const char* label, const ContextOptions& options = {});  // a root that no view shows
  Context(ContextSet& set, const char* label, const ContextOptions& options = {});    // a root
  Context(Context& parent, const char* label, const ContextOptions& options = {});
  ~Context() override;
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  // Null when a cap or the budget is reached. Alignment: a power of two up to 64.
  char* allocate(std::size_t bytes, std::size_t alignment = granule, Site site = Site::current());
  // Gives back an allocation: at once if it is the newest one or has a block of its own, otherwise when nothing is left in its
  // block.
  void free(char* at, std::size_t bytes);
  void reset();    // ends the descendants, calls the callbacks, frees everything but the keeper
  void release();  // the same, keeper included
  // `callback` stays the caller's memory (which may be of this context) and must stay until it is called.
  void on_reset(ResetCallback& callback);
  void set_cap(std::size_t bytes);  // of a root, or of a context that was made with a cap
  // Of a root: what calls off waiting for a block for the tree.
  void set_interrupt(Interrupt by) { interrupt_ = by; }
  Interrupt interrupt() const { return root_->interrupt_; }

  // --- of roots of a set that live long and have one user after the other ---
  void begin_use(std::uint64_t owner, std::uint64_t now_ns);  // what the view will show; the peak begins anew
  void rest();  // reset(), and trim() may take the keeper; nothing may be allocated until begin_use()

  std::size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }            // blocks held, without descendants
  std::size_t subtree_bytes() const { return subtree_.load(std::memory_order_relaxed); }  // with them; of roots and capped ones
  std::size_t live_bytes() const {  // allocated less freed, each rounded up to 8
    return reinterpret_cast<std::uintptr_t>(cursor()) - base_.load(std::memory_order_relaxed);
  }
  std::size_t descendants() const { return descendants_.load(std::memory_order_relaxed); }  // of roots
  bool ended() const { return ended_; }                                                     // by its parent
  Context* parent() const { return parent_; }
  const char* label() const { return label_; }

 private:
  friend class ContextSet;
  class Use;
  class Walk;
  static constexpr std::size_t header_bytes = 64;
  static constexpr std::size_t small_max = 1024;  // what is not larger never gets a block of its own
  struct Block {                                  // stands at the begin of each block
    Block* older = nullptr;                       // next of its list
    Block* newer = nullptr;
    std::size_t bytes = 0;  // of the block, header included
    std::size_t used = 0;   // of shared blocks that are not the newest: bytes ever handed out, gaps included
    std::size_t freed = 0;  // of those: freed, or gaps
    std::size_t live = 0;   // of a block of one allocation: its size

    char* begin() { return static_cast<char*>(static_cast<void*>(this)); }
    char* first() { return begin() + header_bytes; }  // byte that is handed out
    char* end() { return begin() + bytes; }
    bool holds(const char* at) { return at >= begin() && at < end(); }
  };

  Context(BlockSource& pool, Context* parent, const char* label, const ContextOptions& options);
  void* do_allocate(std::size_t bytes, std::size_t alignment) override;  // throws std::bad_alloc, as the interface demands
  void do_deallocate(void* at, std::size_t bytes, std::size_t alignment) override;
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }

  static bool is_place_of_own(std::uintptr_t address);
  static std::size_t size_of(std::size_t bytes) { return (bytes + granule - 1) & ~(granule - 1); }
  char* cursor() const { return cursor_.load(std::memory_order_relaxed); }
  void set_cursor(char* to) { cursor_.store(to, std::memory_order_relaxed); }
  void move_cursor(char* to);             // live_bytes() stays
  void count_live(std::ptrdiff_t bytes);  // live_bytes() changes by this
  char* allocate_slowly(std::size_t bytes, std::size_t alignment);
  char* bump(std::size_t size, std::size_t alignment);
  char* allocate_from_pool(std::size_t size, std::size_t alignment);
  char* allocate_own(std::size_t size);
  Block* unpark();
  void use_block(Block* block);
  std::size_t room() const;
  std::size_t next_block_bytes() const;
  Block* add_block(std::size_t bytes);
  void give_block(Block* block);
  static void give_to(BlockSource& pool, Block* block);
  void count_blocks(std::ptrdiff_t bytes);
  void free_own(char* at, std::size_t size);
  void free_shared(char* at, std::size_t size);
  void free_contents();
  void start_over();
  void free_all();

  void wake();
  void attach();
  void detach();
  void end_uses();
  void end_descendants();
  static void prefetch(const Context& context);
  void end_alone();
  void call_back();

  // line 1: what an allocation needs
  std::atomic<char*> cursor_{nullptr};   // where the free bytes of the newest shared block begin
  char* end_ = nullptr;                  // and end
  std::atomic<std::uintptr_t> base_{0};  // I1
  Block* newest_ = nullptr;              // shared blocks, newest first
  Block* own_ = nullptr;                 // blocks of one allocation each
  Block* freed_in_ = nullptr;            // the shared block of the last free, if it is still there
  Context* account_;                     // the nearest context, this one included, that is a root or has a cap
  // line 2: what ending one of many descendants needs; roots of a set are siblings of each other, guarded by the set's mutex
  Context* parent_;
  Context* first_child_ = nullptr;
  Context *next_ = nullptr, *previous_ = nullptr;
  Context* root_;
  ResetCallback* callbacks_ = nullptr;
  std::atomic<std::size_t> bytes_{0};
  std::atomic<std::uint32_t> descendants_{0};
  bool ended_ = false;
  const bool capped_;  // it was made with a cap
  std::atomic<bool> resting_{false};
  // the rest
  BlockSource& pool_;
  const char* const label_;
  ContextSet* set_ = nullptr;
  std::size_t cap_;
  Interrupt interrupt_;
  const std::uint32_t keeper_bytes_, block_bytes_max_;
  std::atomic<std::size_t> subtree_{0}, peak_{0};
  std::atomic<std::uint64_t> owner_{0}, since_ns_{0};
  std::atomic<Block*> parked_{nullptr};
  std::atomic<std::uint32_t> parked_bytes_{0};
#ifndef NDEBUG
  std::atomic<const void*> user_{nullptr};  // of a root: the thread that is inside
#endif
};

// Debug builds: while one thread is inside a tree, no other one is.
class Context::Use {
 public:
#ifdef NDEBUG
  explicit Use(Context&) {}
#else
  explicit Use(Context& context);
  ~Use();
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

 private:
  Context& root_;
  const void* outer_;
#endif
};

inline char* Context::allocate(std::size_t bytes, std::size_t alignment, Site site) {
  if (refused(site)) return nullptr;
  [[maybe_unused]] const Use use(*this);
  if (bytes - 1 < small_max && alignment <= granule) [[likely]] {
    char* at = cursor();
    const std::size_t size = size_of(bytes);
    if (size <= static_cast<std::size_t>(end_ - at)) [[likely]] {
      set_cursor(at + size);
      unpoison(at, bytes);
      return at;
    }
  }
  return allocate_slowly(bytes, alignment);
}

}  // namespace plimsoll::memory
