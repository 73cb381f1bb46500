// What a thread keeps of a slab heap: for each class two magazines, from which and into which it allocates and frees without sharing
// anything (Bonwick and Adams 2001), keyed by the thread and the heap, so that heaps never mix.
//
// A thread works on its magazines only between enter and leave: it stores to `inside`, then loads `heap`. Whoever wants the magazines
// of another thread (trim, statistics) clears `heap`, makes every running thread pass a memory barrier, and may have them when
// `inside` is 0: the owner finds `heap` changed and goes to the heap's mutex. So the owner pays two plain stores and no barrier.
//
// Heaps and threads may end in either order. A thread that ends tells the heaps that are enlisted, with the list's mutex held; a heap
// delists itself first of all. Ids of heaps are never used again, so that what a dead heap left in an entry matches nothing.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "memory/slab_class.hpp"

namespace plimsoll::memory {

inline constexpr unsigned slab_classes_max = 80;  // the size classes and eight movable ones
inline constexpr unsigned slab_entries_max = 8;   // heaps that a thread uses at a time without looking for itself in their lists

struct SlabSlot {
  SlabMagazine* loaded = nullptr;
  SlabMagazine* previous = nullptr;
  std::uint32_t count = 0;  // of the loaded one
  std::uint32_t previous_count = 0;
  std::uint32_t capacity = 0;  // of each; 0: there are none
  std::uint32_t code = 0;      // SlabClass::code()
};

struct SlabEntry;

// Lives in a block of its own, is its heap's, and is used again after its thread has ended.
struct SlabThread {
  std::uint32_t until_sample = 0;  // allocations until one is placed before a guard page
  std::uint32_t pinned = 0;        // prefilled: nobody takes the magazines away
  std::uint64_t owner = 0;         // slab_thread_id(), 0: nobody
  SlabEntry* entry = nullptr;      // the owner's
  SlabThread* next = nullptr;
  std::size_t equipped_bytes = 0;  // what all its magazines can hold
  alignas(64) std::array<SlabSlot, slab_classes_max> slots{};
};
static_assert(sizeof(SlabThread) <= 4096);

struct alignas(32) SlabEntry {
  std::atomic<std::uint64_t> heap{0};  // id of the heap whose `thread` this is
  SlabThread* thread = nullptr;
  std::atomic<std::uint32_t> inside{0};

  void enter() {
    inside.store(1, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);  // the processor's part is slab_barrier()
  }
  void leave() { inside.store(0, std::memory_order_release); }
};

[[gnu::tls_model("initial-exec")]] inline constinit thread_local std::array<SlabEntry, slab_entries_max> slab_entries{};

class SlabThreads {  // a heap, as far as ending threads see it
 public:
  virtual ~SlabThreads() = default;
  virtual void thread_ends(std::uint64_t thread) = 0;

 protected:
  SlabThreads() = default;
  SlabThreads(const SlabThreads&) = delete;
  SlabThreads& operator=(const SlabThreads&) = delete;
  void enlist();
  void delist();  // afterwards no thread is inside thread_ends()

 private:
  friend struct SlabThreadEnd;
  SlabThreads* next_ = nullptr;
};

std::uint64_t slab_thread_id();  // of this thread; 0: it is ending and has told the heaps already
std::uint64_t slab_heap_id();    // a new one
bool slab_barrier();             // every running thread of the process has passed a barrier; false: the system cannot do that

}  // namespace plimsoll::memory
