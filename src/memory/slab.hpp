// The slab allocator: small objects of any size up to 32 KiB from size classes (slab_classes.hpp), everything larger passed on to
// the block pool. What is charged to the budget are the spans and blocks that it takes from the pool; its own records live there as
// well.
//
//   auto slab = SlabAllocator::make(pool, {});
//   char* row = slab->allocate(bytes, 8);               // null: the cap or the budget is reached
//   slab->free(row, bytes, 8);                          // from any thread, with the same size and alignment
//   std::pmr::vector<int> numbers(&*slab);              // throws std::bad_alloc instead
//
// After Bonwick (slab, 1994; magazines and depot, 2001). Allocating and freeing touch the thread's own magazines; an object goes
// into the magazine of the thread that frees it, whoever allocated it, so that there is no remote free to speak of. Magazines are
// exchanged with the class's depot, whose bytes are capped; what is above goes to the slabs; an empty slab goes back to the pool.
//
// Found at once, in every build: an object given back twice, or one of another pool. Found at the latest when its magazine leaves
// the thread: an address that no object of that class has, be it inside one, or of another size. Debug and AddressSanitizer builds
// find these at once, too, and objects whose first word was written to while they were free. A few allocations lie before a page
// that cannot be touched (SlabGuards): one in `guard_every` of those that come from depots and slabs, and the next one of each
// thread after sample_next(). Under AddressSanitizer free objects are poisoned, and so is what an object does not use.
//
// Thread-safe. allocate() and take() may ask the budget's reclaimers: no latch may be held, but for the owner's under a live
// Prefill. free() and give() may be called anywhere. trim() allocates nothing and may be called by a reclaimer.
//
// Movable classes are for objects whose owner can be asked to put them elsewhere; compact() empties the sparsest chunks by doing
// so. (The version store compacts its entries in pages of its own and needs none.)
#pragma once

#include <chrono>
#include <cstddef>
#include <memory_resource>
#include <utility>

#include "base/time.hpp"
#include "memory/block_pool.hpp"
#include "memory/pressure.hpp"
#include "memory/slab_classes.hpp"
#include "memory/slab_guard.hpp"
#include "memory/slab_thread.hpp"

namespace plimsoll::memory {

class SlabHeap;

// What an allocator still holds when it ends: of a size class (`label` empty, `age` 0), then the sampled objects one by one.
struct SlabLeak {
  const char* label;
  std::size_t object_bytes;
  std::size_t objects;
  std::chrono::nanoseconds age;
};

struct SlabOptions {
  const char* label = "slab";
  std::size_t span_bytes_max = 0;        // of all slabs; 0: no cap but the budget
  std::size_t depot_bytes_max = 0;       // of all depots together; 0: a 64th of the budget, 128 KiB to 8 MiB
  std::size_t thread_bytes_max = 0;      // what a thread's magazines may hold; 0: a 256th of the budget, 64 KiB to 512 KiB
  std::uint32_t guard_every = 1u << 19;  // objects that magazines are filled with; 0: never, 1: all of them, and no magazines
  std::size_t guard_places = 8;          // sampled objects that live at a time; 8 KiB each, charged from the start
  TimeSource* time = nullptr;            // of samples; null: the system's
  void (*on_leak)(void* context, const SlabLeak& leak) = nullptr;
  void* leak_context = nullptr;
};

struct SlabStatistics {
  std::size_t live_objects = 0, live_bytes = 0;  // with owners, rounded up to their classes; larger ones are the block pool's
  std::size_t magazine_bytes = 0, depot_bytes = 0, depot_bytes_peak = 0;
  std::size_t slabs = 0, slab_bytes = 0;
  std::uint64_t moved_objects = 0, moved_bytes = 0;
  std::uint64_t guarded_objects = 0;  // ever
};

// Asked to move an object of a movable class from `from` to `to`, bytes and all, and to see to it that nobody knows `from` any
// more. Called without latches. False: it stays. The object may have been freed a moment ago: the owner takes the latch under which
// it frees, asks is_free(), and refuses if so.
using SlabRelocate = bool (*)(void* context, char* from, char* to);

class SlabAllocator final : public std::pmr::memory_resource, public BlockSource {
 public:
  static Result<SlabAllocator> make(BlockPool& pool, const SlabOptions& options);
  SlabAllocator(SlabAllocator&& other) noexcept;
  SlabAllocator& operator=(SlabAllocator&& other) noexcept;
  ~SlabAllocator()
      override;  // reports what lives to on_leak; it must be nothing (checked): whoever holds it would use freed memory

  char* allocate(std::size_t bytes, std::size_t alignment, Site site = Site::current()) {  // a power of two up to 2 MiB
    if (refused(site)) return nullptr;
    if (!SlabClasses::is_small(bytes, alignment)) [[unlikely]]
      return take_other(bytes, alignment);
    return take_of(SlabClasses::of_small(bytes), bytes, alignment);
  }
  void free(char* at, std::size_t bytes, std::size_t alignment) {
    if (!SlabClasses::is_small(bytes, alignment)) [[unlikely]]
      return give_other(at, bytes, alignment);
    give_of(SlabClasses::of_small(bytes), at, bytes);
  }

  // As BlockPool's: at least `bytes`, `got` says how many really, aligned to 4 KiB from 4 KiB on.
  char* take(std::size_t bytes, std::size_t& got, Site site = Site::current()) override {
    if (refused(site)) return nullptr;
    if (bytes > SlabClasses::object_bytes_max) [[unlikely]]
      return pool_->take(bytes, got);
    const unsigned index = SlabClasses::of(bytes < SlabClasses::block_bytes_least ? bytes : BlockPool::block_bytes(bytes));
    got = SlabClasses::size(index);
    return take_of(index, got, SlabClasses::granule);
  }
  void give(char* at, std::size_t got) override {
    if (got > SlabClasses::object_bytes_max) [[unlikely]]
      return pool_->give(at, got);
    give_of(SlabClasses::of(got), at, got);
  }

  // While it lives, the next `objects` allocations of this size on this thread cannot fail.
  class Prefill {
   public:
    Prefill(Prefill&& other) noexcept : heap_(std::exchange(other.heap_, nullptr)) {}
    Prefill& operator=(Prefill&&) = delete;
    ~Prefill();
    explicit operator bool() const { return heap_ != nullptr; }  // false: the cap or the budget is reached

   private:
    friend class SlabAllocator;
    explicit Prefill(SlabHeap* heap) : heap_(heap) {}
    SlabHeap* heap_;
  };
  static constexpr unsigned prefill_max(std::size_t bytes) {
    return SlabClasses::rounds(SlabClasses::size(SlabClasses::of(bytes)));
  }
  Prefill prefill(std::size_t bytes, unsigned objects);  // at most prefill_max(bytes)

  // Drains depots, then the magazines of all threads, until the pool has returned `bytes` to the system; answers how many it
  // returned.
  std::size_t trim(std::size_t bytes = ~std::size_t{0}) override;
  PressureManager& pressure() const override { return pool_->pressure(); }

  void sample_next();  // for whoever looks after the store now and then

  struct MovableClass {
    unsigned index;
    std::size_t object_bytes;
  };
  MovableClass make_movable(std::size_t bytes, SlabRelocate relocate, void* context);  // at most eight; they stay
  char* take(MovableClass of) { return take_of(of.index, of.object_bytes, SlabClasses::granule); }
  void give(MovableClass of, char* at) { give_of(of.index, at, of.object_bytes); }
  bool is_free(const char* at) const;  // of an object of a slab
  // Moves at most `objects`; answers how many. One compaction at a time, others do nothing.
  std::size_t compact(std::size_t objects = ~std::size_t{0});

  SlabStatistics statistics() const;  // exact when nothing is being allocated or freed
  // The live objects per class, then the samples.
  void report(void (*sink)(void* context, const SlabLeak& leak), void* context) const;

 private:
  SlabAllocator(BlockPool& pool, SlabHeap& heap);
#if defined(NDEBUG) && !defined(PLIMSOLL_ASAN)
  static constexpr bool looks_closely = false;
#else
  static constexpr bool looks_closely = true;
#endif
  SlabEntry& entry() const;
  char* take_of(unsigned index, std::size_t bytes, std::size_t alignment);
  void give_of(unsigned index, char* at, std::size_t bytes);
  char* take_slow(unsigned index, std::size_t bytes, std::size_t alignment);
  void give_slow(unsigned index, char* at, std::size_t bytes);
  char* take_other(std::size_t bytes, std::size_t alignment);
  void give_other(char* at, std::size_t bytes, std::size_t alignment);
  void* do_allocate(std::size_t bytes, std::size_t alignment) override;
  void do_deallocate(void* at, std::size_t bytes, std::size_t alignment) override;
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }
  void close();

  std::ptrdiff_t entry_offset_;  // of the heap's entry from the thread pointer, the same in all threads
  SlabMark mark_{0};             // the heap's
  std::uintptr_t base_ = 0;      // of the pool's chunks: samples lie elsewhere
  std::size_t bytes_ = 0;
  BlockPool* pool_ = nullptr;
  SlabHeap* heap_ = nullptr;
};

inline SlabEntry& SlabAllocator::entry() const {
  return *static_cast<SlabEntry*>(static_cast<void*>(static_cast<char*>(__builtin_thread_pointer()) + entry_offset_));
}

inline char* SlabAllocator::take_of(unsigned index, std::size_t bytes, std::size_t alignment) {
  SlabEntry& mine = entry();
  SlabSlot& slot = mine.enter()->slots[index];
  char** const top = slot.top;
  if (top == slot.begin) [[unlikely]] {
    mine.leave();
    return take_slow(index, bytes, alignment);
  }
  char* at = top[-1];
  slot.top = top - 1;
  mine.leave();
  unpoison(at, bytes);
  PLIMSOLL_DCHECK(mark_.is_on(at));  // else written to after it was freed
  mark_.remove(at);
  return at;
}

inline void SlabAllocator::give_of(unsigned index, char* at, std::size_t bytes) {
  SlabEntry& mine = entry();
  SlabSlot& slot = mine.enter()->slots[index];
  char** const top = slot.top;
  const std::size_t place = reinterpret_cast<std::uintptr_t>(at) - base_;
  if (looks_closely || top == slot.end || place >= bytes_ || mark_.is_on(at)) [[unlikely]] {
    mine.leave();
    return give_slow(index, at, bytes);
  }
  mark_.put(at);  // inside: outside, the magazine may be taken away, and the object be another owner's
  *top = at;
  slot.top = top + 1;
  mine.leave();
}

// Gives what a store's slab allocator keeps at hand to whoever needs it more.
class SlabReclaimer final : public Reclaimer {
 public:
  explicit SlabReclaimer(SlabAllocator& slab)
      : slab_(slab), registration_(slab.pressure(), Rung::caches, Account::contexts, *this) {}
  std::size_t reclaim(std::size_t bytes) override { return slab_.trim(bytes); }
  std::string_view obstacle() const override { return "every slab has objects in use"; }

 private:
  SlabAllocator& slab_;
  Registration registration_;
};

}  // namespace plimsoll::memory
