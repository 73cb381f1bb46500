// All slabs of one size class, and its depot: the full magazines that no thread holds. One short mutex protects both. Slabs with
// free objects are in bins by fullness, and the fullest is used first, so that sparse ones run empty and go back.
//
// A class of blocks has no slabs: its objects are blocks of the pool, taken and given one by one.
//
// SlabHeap is the only caller. No function here asks the budget or reclaimers, so that all may be called while a thread's magazines
// are in use; none is called with another class's mutex held.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/latch.hpp"
#include "memory/block_pool.hpp"
#include "memory/slab_classes.hpp"
#include "memory/slab_span.hpp"

namespace plimsoll::memory {

struct SlabMagazine {
  SlabMagazine* next = nullptr;
  std::uint32_t count = 0;
  std::array<char*, SlabClasses::magazine_rounds_max> objects{};

  static SlabMagazine* of(char** first_object);
};
static_assert(sizeof(SlabMagazine) == 1024);

inline SlabMagazine* SlabMagazine::of(char** first_object) {
  return static_cast<SlabMagazine*>(
      static_cast<void*>(static_cast<char*>(static_cast<void*>(first_object)) - offsetof(SlabMagazine, objects)));
}

// What all classes of an allocator share.
struct SlabShared {
  BlockPool* pool = nullptr;
  SlabMark mark{0};
  std::atomic<std::uint8_t>* units = nullptr;  // a byte per 64 KiB of the pool's chunks: the class of the slab there plus one, or 0
  char* base = nullptr;                        // of those chunks
  std::size_t span_bytes_max = 0, depot_bytes_max = 0;
  std::atomic<std::size_t> span_bytes{0}, depot_bytes{0};
  std::atomic<std::size_t> depot_bytes_peak{0};

  std::size_t unit_of(const void* at) const {
    return (reinterpret_cast<std::uintptr_t>(at) - reinterpret_cast<std::uintptr_t>(base)) / SlabClasses::unit_bytes;
  }
};

class SlabClass {
 public:
  SlabClass() = default;
  SlabClass(const SlabClass&) = delete;
  SlabClass& operator=(const SlabClass&) = delete;
  void open(SlabShared& shared, unsigned index, std::size_t size);
  bool is_open() const { return size_ != 0; }

  std::size_t size() const { return size_; }
  bool is_block() const { return block_; }
  unsigned rounds() const { return rounds_; }
  std::uint8_t code() const { return block_ ? 0 : static_cast<std::uint8_t>(index_ + 1); }  // what units of its slabs say

  unsigned take(char** into, unsigned most);             // from slabs, the fullest first; answers how many there were
  SlabSpan* give(char* const* objects, unsigned count);  // the slabs that became empty, linked by `after`
  void count_block() { out_.fetch_add(1, std::memory_order_relaxed); }  // one that was taken from the pool directly
  bool is_object(char* at) const;                                       // an object of one of its slabs, or a block, begins there
  bool add_span(bool resident_only);                  // false: the cap, or no memory. May ask reclaimers unless resident_only
  SlabSpan* take_unused();                            // the slabs that nobody took from: others gave objects back meanwhile
  void release(SlabSpan* emptied);                    // the result of give() or take_unused(), without the mutex
  SlabMagazine* exchange_empty(SlabMagazine* empty);  // a full magazine for an empty one or for nothing; null: there is none
  SlabMagazine* exchange_full(SlabMagazine* full);    // an empty one for a full one; null: the depot is full, or has no empty one
  bool wants_empty(unsigned count) const;             // exchange_full() failed for want of an empty one
  void add_empty(SlabMagazine* empty);
  SlabMagazine* remove_empty();

  // For compaction: the slab that begins there takes part in nothing but give(), and is not released when it becomes empty.
  SlabSpan* withhold(char* at);  // null: no slab of this class begins there
  bool restore(SlabSpan* span);  // true: it was empty, and the caller is to release it
  unsigned list_out(SlabSpan* span, unsigned& from, char** into, unsigned most);
  std::size_t out_bytes(char* at);  // of the slab there

  std::size_t out() const { return out_.load(std::memory_order_relaxed); }  // objects not in slabs
  std::size_t spans() const { return spans_.load(std::memory_order_relaxed); }
  std::size_t objects_in_depot() const;
  std::size_t capacity() const { return capacity_.load(std::memory_order_relaxed); }  // of its slabs

 private:
  struct Ring {
    SlabSpan* first = nullptr;
  };
  SlabSpan* span_of(char* object) const;
  unsigned take_blocks(char** into, unsigned most);
  void link(SlabSpan* span) PLIMSOLL_REQUIRES(mutex_);
  void unlink(SlabSpan* span) PLIMSOLL_REQUIRES(mutex_);
  SlabSpan* live_span(char* at) const PLIMSOLL_REQUIRES(mutex_);

  SlabShared* shared_ = nullptr;
  unsigned index_ = 0, rounds_ = 0;
  std::size_t size_ = 0;
  bool block_ = false;
  std::atomic<std::size_t> out_{0}, spans_{0}, capacity_{0};
  mutable Mutex mutex_{LatchRank::memory};
  std::array<Ring, SlabSpan::fullness_max> bins_ PLIMSOLL_GUARDED_BY(mutex_){};  // full ones and withheld ones are in none
  SlabMagazine* full_ PLIMSOLL_GUARDED_BY(mutex_) = nullptr;
  SlabMagazine* empty_ PLIMSOLL_GUARDED_BY(mutex_) = nullptr;
  std::size_t depot_objects_ PLIMSOLL_GUARDED_BY(mutex_) = 0;
};

}  // namespace plimsoll::memory
