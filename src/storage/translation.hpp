// From page keys to frames: open addressing with linear probing, sized twice the number of frames, whatever the size of the
// database. A slot is one word: upper half of the key's hash | frame + 1; the key itself is read from the frame's FrameInfo.
//
// Lookups first go without a latch and store nothing. What they find may be outdated a moment later: callers check the frame's word
// and key. A lookup may miss an entry that an erasure is just moving, so a miss is repeated under the mutex. Thread-safe.
//
// Invariants: a frame is in at most one slot; every key in at most one; infos[frame].key is the key of the frame in a slot, from
// before its insertion until after its erasure; no empty slot lies between an entry's home and its slot.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/latch.hpp"
#include "memory/page_provider.hpp"
#include "storage/frame.hpp"

namespace plimsoll::storage {

class Translation {
 public:
  Result<void> open(memory::PageProvider& provider, const FrameInfo* infos, std::size_t frames);

  FrameIndex find(PageKey key) const;
  // Adds key -> frame unless the key is there: then answers its frame, else no_frame.
  FrameIndex insert(PageKey key, FrameIndex frame);
  void erase(PageKey key, FrameIndex frame);

 private:
  struct Place {
    std::size_t home = 0;
    std::uint64_t tag = 0;  // upper half of a slot
  };
  Place place_of(PageKey key) const;
  FrameIndex probe(PageKey key) const;
  FrameIndex probe_at_rest(PageKey key) const PLIMSOLL_REQUIRES(mutex_) { return probe(key); }  // misses nothing
  std::atomic_ref<std::uint64_t> slot(std::size_t index) const { return std::atomic_ref(slots_[index & mask_]); }
  void set(std::size_t index, std::uint64_t entry) PLIMSOLL_REQUIRES(mutex_) {
    slot(index).store(entry, std::memory_order_release);
  }

  memory::Mapping memory_;
  std::uint64_t* slots_ = nullptr;
  const FrameInfo* infos_ = nullptr;
  std::size_t mask_ = 0;
  unsigned shift_ = 0;
  mutable Mutex mutex_{LatchRank::pool};  // changes of slots, and lookups that must not miss
};

}  // namespace plimsoll::storage
