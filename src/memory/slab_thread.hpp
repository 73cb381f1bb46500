// What a thread keeps of a slab heap: for each class two magazines, from which and into which it allocates and frees without
// sharing anything (Bonwick and Adams 2001), keyed by the thread and the heap, so that heaps never mix. A live heap has a number,
// and each thread an entry for each number.
//
// A thread works on its magazines only between enter() and leave() of the entry. Whoever wants the magazines of another thread
// (trim, statistics) takes them out of the entry, makes every running thread pass a memory barrier, and may have them when the
// entry's owner is not inside: it finds the entry empty and goes to the heap's mutex. So the owner pays two plain stores and no
// barrier.
//
// Heaps and threads may end in either order. A thread that ends tells the heaps that are enlisted, a heap that ends empties the
// entries of its threads, both with the list's mutex held.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "memory/slab_class.hpp"

namespace plimsoll::memory {

class BlockPool;

inline constexpr unsigned slab_classes_max = 80;  // the size classes and eight movable ones
inline constexpr unsigned slab_entries_max = 15;  // heaps that have magazines at a time; others work without

// The magazine in use, as three places in its array, and the other one, which is full or empty.
struct alignas(64) SlabSlot {
  char** top = nullptr;
  char** begin = nullptr;  // null: there are no magazines
  char** end = nullptr;
  SlabMagazine* previous = nullptr;
  std::uint32_t previous_count = 0;
  std::uint32_t code = 0;  // SlabClass::code()

  bool has_magazines() const { return begin != nullptr; }
  unsigned count() const { return static_cast<unsigned>(top - begin); }
  unsigned capacity() const { return static_cast<unsigned>(end - begin); }
  SlabMagazine* loaded() const { return SlabMagazine::of(begin); }
  void load(SlabMagazine* magazine, unsigned count, unsigned capacity) {
    begin = magazine->objects.data();
    top = begin + count;
    end = begin + capacity;
  }
  void swap() {
    SlabMagazine* const other = previous;
    const unsigned other_count = previous_count;
    previous = loaded();
    previous_count = count();
    load(other, other_count, capacity());
  }
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
  std::array<SlabSlot, slab_classes_max> slots{};
};
static_assert(sizeof(SlabThread) <= 8192);

inline constinit SlabThread no_slab_thread{};  // its magazines are full and empty: never written

struct SlabEntry {
  std::atomic<SlabThread*> thread{&no_slab_thread};
  std::atomic<std::uint32_t> inside{0};

  SlabThread* enter() {
    inside.store(1, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);  // the processor's part is slab_barrier()
    return thread.load(std::memory_order_acquire);
  }
  void leave() { inside.store(0, std::memory_order_release); }
};

// The last one stays empty.
[[gnu::tls_model("initial-exec")]] inline constinit thread_local std::array<SlabEntry, slab_entries_max + 1> slab_entries{};

class SlabThreads {  // a heap, as far as ending threads see it
 public:
  virtual ~SlabThreads() = default;
  virtual void thread_ends(std::uint64_t thread) = 0;
  virtual void forget_threads() = 0;  // empties their entries

 protected:
  SlabThreads() = default;
  SlabThreads(const SlabThreads&) = delete;
  SlabThreads& operator=(const SlabThreads&) = delete;
  void enlist();
  void delist();                               // forgets the threads; afterwards none is inside thread_ends()
  unsigned number() const { return number_; }  // slab_entries_max: it has none

 private:
  friend struct SlabThreadEnd;
  SlabThreads* next_ = nullptr;
  unsigned number_ = slab_entries_max;
};

inline constexpr std::size_t slab_thread_bytes = 8192;  // of the block that a SlabThread lies in
char* slab_thread_block(BlockPool& pool);               // null: no budget
std::uint64_t slab_thread_id();                         // of this thread; 0: it is ending and has told the heaps already
bool slab_barrier();  // every running thread of the process has passed a barrier; false: the system cannot do that

}  // namespace plimsoll::memory
