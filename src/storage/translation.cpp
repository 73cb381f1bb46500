#include "storage/translation.hpp"

#include <bit>

#include "base/check.hpp"
#include "base/fail.hpp"

namespace plimsoll::storage {
namespace {

constexpr std::uint64_t tag_mask = 0xFFFFFFFF00000000;

constexpr FrameIndex frame_of(std::uint64_t slot) { return static_cast<FrameIndex>(slot) - 1; }

}  // namespace

Result<void> Translation::open(memory::PageProvider& provider, const FrameInfo* infos, std::size_t frames) {
  PLIMSOLL_CHECK(frames != 0 && frames < no_frame);
  const std::size_t slots = std::bit_ceil(2 * frames);
  PLIMSOLL_ASSIGN(memory_, provider.map(memory::Account::translation, slots * sizeof(std::uint64_t)));
  slots_ = memory_.as<std::uint64_t>();
  infos_ = infos;
  mask_ = slots - 1;
  shift_ = 64 - static_cast<unsigned>(std::countr_zero(slots));
  return {};
}

// Multiplicative hashing: the upper bits choose the home, the lower half, mixed once more, tells keys apart.
Translation::Place Translation::place_of(PageKey key) const {
  const std::uint64_t hash = key.value * 0x9E3779B97F4A7C15;
  return {static_cast<std::size_t>(hash >> shift_), (hash ^ hash >> 29) << 32};
}

FrameIndex Translation::probe(PageKey key) const {
  const Place place = place_of(key);
  for (std::size_t step = 0; step <= mask_; ++step) {  // bounded: entries may move under a reader without the mutex
    const std::uint64_t entry = slot(place.home + step).load(std::memory_order_acquire);
    if (entry == 0) return no_frame;
    if ((entry & tag_mask) == place.tag && infos_[frame_of(entry)].key.load(std::memory_order_relaxed) == key.value)
      return frame_of(entry);
  }
  return no_frame;
}

FrameIndex Translation::find(PageKey key) const {
  if (const FrameIndex frame = probe(key); frame != no_frame) return frame;
  const MutexLock lock(mutex_);
  return probe_at_rest(key);
}

FrameIndex Translation::insert(PageKey key, FrameIndex frame) {
  PLIMSOLL_DCHECK(infos_[frame].key.load(std::memory_order_relaxed) == key.value);
  const MutexLock lock(mutex_);
  const Place place = place_of(key);
  for (std::size_t step = 0; step <= mask_; ++step) {
    const std::uint64_t entry = slot(place.home + step).load(std::memory_order_relaxed);
    if (entry == 0) {
      set(place.home + step, place.tag | (frame + 1));
      return no_frame;
    }
    PLIMSOLL_DCHECK(frame_of(entry) != frame);
    if (infos_[frame_of(entry)].key.load(std::memory_order_relaxed) == key.value) return frame_of(entry);
  }
  PLIMSOLL_CHECK(false && "the table has two slots for each frame");
  return no_frame;
}

// Entries behind the hole move up to it as long as that does not put them before their home.
void Translation::erase(PageKey key, FrameIndex frame) {
  const MutexLock lock(mutex_);
  const Place place = place_of(key);
  std::size_t hole = place.home;
  while (slot(hole).load(std::memory_order_relaxed) != (place.tag | (frame + 1))) {
    PLIMSOLL_CHECK(slot(hole).load(std::memory_order_relaxed) != 0);  // the page must be there
    ++hole;
  }
  for (std::size_t next = hole + 1;; ++next) {
    const std::uint64_t entry = slot(next).load(std::memory_order_relaxed);
    if (entry == 0) break;
    const std::size_t home = place_of(PageKey{infos_[frame_of(entry)].key.load(std::memory_order_relaxed)}).home;
    if (((next - home) & mask_) < ((next - hole) & mask_)) continue;
    set(hole, entry);
    hole = next;
  }
  set(hole, 0);
}

}  // namespace plimsoll::storage
