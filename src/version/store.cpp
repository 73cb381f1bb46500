#include "version/store.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include "base/check.hpp"
#include "base/fail.hpp"
#include "memory/budget.hpp"

namespace plimsoll::version {

using storage::ExclusivePage;
using storage::PageKey;

Result<std::unique_ptr<Store>> Store::open(storage::Pool& pool, io::File& file, memory::PageProvider& provider, log::Log& log,
                                           Metrics& metrics, std::uint16_t incarnation) {
  PLIMSOLL_CHECK(incarnation != storage::data_file);
  std::unique_ptr<Store> store(new Store(pool, file, log, metrics));
  store->incarnation_ = incarnation;
  constexpr std::size_t table_bytes_max = std::size_t{1} << 30;  // addresses only: 2^24 segments, 1 TiB of versions at 8 KiB pages
  PLIMSOLL_ASSIGN(store->arena_,
                  provider.reserve(memory::Account::versions, provider.chunk_bytes(), table_bytes_max / provider.chunk_bytes()));
  return store;
}

Store::~Store() {
  for (Lane& lane : lanes_) close_lane(lane.at);
}

Result<SegmentIndex> Store::take_segment() {
  MutexLock lock(table_mutex_);
  SegmentIndex index = free_list_;
  if (index != no_segment) {
    free_list_ = segment(index).next;
  } else {
    index = segments_high_.load(std::memory_order_relaxed);
    if ((std::size_t{index} + 1) * sizeof(Segment) > chunks_.load() * arena_.chunk_bytes())
      return fail(ErrorCode::memory_budget_exceeded, "the version store has no room for more than {} segments now", index);
    PLIMSOLL_TRY(grow_file(index));
    new (&segment(index)) Segment();
    segments_high_.store(index + 1, std::memory_order_release);
  }
  Segment& taken = segment(index);
  PLIMSOLL_CHECK(taken.state.load() == static_cast<std::uint8_t>(SegmentState::free) && taken.live_bytes.load() == 0 &&
                 taken.unfinished.load() == 0);
  taken.newest_end.store(0);
  taken.oldest_end.store(~std::uint64_t{0});
  taken.tombstones.store(0);
  taken.filled_bytes.store(0);
  taken.pages_used = 0;
  taken.next = no_segment;
  taken.state.store(static_cast<std::uint8_t>(SegmentState::open), std::memory_order_release);
  return index;
}

// Ahead of need and without latches, because the charge may ask the collector, and wait. One thread at a time; the others go on
// while there is room, then wait for it, but for those who are to free memory.
Result<void> Store::grow_table() {
  constexpr std::size_t segments_ahead = 256;
  const auto holds = [&](std::size_t more) {
    return (segments_high_.load(std::memory_order_relaxed) + more) * sizeof(Segment) <= chunks_.load() * arena_.chunk_bytes();
  };
  for (Backoff backoff; !holds(segments_ahead) && chunks_.load() != arena_.chunks(); backoff.pause()) {
    if (growing_.exchange(true)) {
      if (holds(1) || memory::ReserveScope::active()) return {};
      continue;
    }
    Result<void> grown;
    if (!holds(segments_ahead)) {  // nobody was faster
      grown = arena_.commit(chunks_.load());
      if (grown) chunks_.fetch_add(1);
    }
    growing_.store(false);
    if (grown || holds(1)) return {};
    return grown;
  }
  return {};
}

// A version page can always be written: a full disk refuses the change that would need one, not the checkpoint that makes room for
// undoing it.
Result<void> Store::grow_file(SegmentIndex index) {
  constexpr std::uint64_t step = 1u << 20;
  const std::uint64_t segment_bytes = std::uint64_t{segment_pages} * page_bytes(),
                      needed = (index + std::uint64_t{1}) * segment_bytes;
  while (file_bytes_ < needed) {
    const std::uint64_t more = std::max(step, segment_bytes), least = std::max(needed, file_bytes_) - file_bytes_;
    Result<void> grown = file_.allocate(file_bytes_, more);
    if (grown) {
      file_bytes_ += more;
      continue;
    }
    if (grown.error().code() == ErrorCode::no_space) grown = file_.allocate(file_bytes_, least);
    if (!grown && grown.error().code() == ErrorCode::no_space)
      return fail(ErrorCode::no_space, "the file of old versions, {} bytes, cannot grow by {}", file_bytes_, least);
    PLIMSOLL_TRY(grown);
    file_bytes_ += least;
  }
  return {};
}

// The lane moves on to a fresh page; the old one is unpinned, and its segment closed if it was the last.
Result<void> Store::next_page(PrivateLane& lane, storage::FreeFrame frame) {
  if (lane.frame != storage::no_frame) {
    pool_.unpin(lane.frame);
    lane.frame = storage::no_frame;
  }
  if (lane.current == no_segment || lane.page_in_segment + 1 == segment_pages) {
    PLIMSOLL_ASSIGN(const SegmentIndex next, take_segment());
    if (lane.current != no_segment) {
      segment(lane.current).next = next;
      segment(lane.current).state.store(static_cast<std::uint8_t>(SegmentState::closed), std::memory_order_release);
    }
    if (lane.first == no_segment) lane.first = next;
    lane.current = next;
    lane.page_in_segment = 0;
  } else {
    ++lane.page_in_segment;
  }
  const PageKey key = storage::page_key(incarnation_, lane.current * segment_pages + lane.page_in_segment);
  segment(lane.current).pages_used = static_cast<std::uint8_t>(lane.page_in_segment + 1);
  ExclusivePage page = pool_.create(std::move(frame), key);
  page_store<std::uint8_t>(page.bytes() + storage::at::kind, static_cast<std::uint8_t>(storage::PageKind::version));
  pool_.pin(page);
  lane.frame = page.frame();
  lane.offset = storage::page_header_bytes;
  page.will_change(log_.end());        // it must come back from the file even if no entry is ever filled in
  page.raise_flush_limit(log_.end());  // rule 11: what made the space free must be durable before it is written over
  pages_in_use_.fetch_add(1, std::memory_order_relaxed);
  metrics_.add(Counter::version_pages_allocated);
  return {};
}

bool Store::has_room(const PrivateLane& lane, std::uint16_t bytes) const {
  return lane.frame != storage::no_frame && lane.offset + bytes <= page_bytes();
}

Reserved Store::carve(PrivateLane& lane, std::uint16_t bytes) {
  const PageKey key = storage::page_key(incarnation_, lane.current * segment_pages + lane.page_in_segment);
  const Reserved reserved{make_address(key, lane.offset), lane.frame, bytes};
  // The hole's size is written at once, so that whoever walks the page can step over it; and the segment may not be freed under it.
  ExclusivePage page = pool_.latch_resident(key);
  PLIMSOLL_CHECK(page && page.frame() == lane.frame);
  Entry hole;
  hole.bytes = bytes;
  write_entry(page.bytes(), lane.offset, hole);
  page.hint_changed();
  segment(lane.current).unfinished.fetch_add(1, std::memory_order_acq_rel);
  segment(lane.current).filled_bytes.fetch_add(bytes, std::memory_order_relaxed);
  pool_.pin(page);  // until filled or cancelled
  lane.offset += bytes;
  return reserved;
}

Result<Reserved> Store::reserve(std::uint16_t bytes, PrivateLane* lane) {
  PLIMSOLL_CHECK(bytes % 8 == 0 && bytes + storage::page_header_bytes <= page_bytes());
  PLIMSOLL_TRY(grow_table());
  return lane != nullptr ? reserve_in_private(*lane, bytes) : reserve_in_shared(bytes);
}

Result<Reserved> Store::reserve_in_private(PrivateLane& lane, std::uint16_t bytes) {
  if (!has_room(lane, bytes)) {
    PLIMSOLL_ASSIGN(storage::FreeFrame frame, pool_.take_frame());
    const SegmentIndex before = lane.current;
    PLIMSOLL_TRY(next_page(lane, std::move(frame)));
    if (lane.current != before) segment(lane.current).unfinished.fetch_add(1, std::memory_order_acq_rel);  // until finish_lane()
  }
  return carve(lane, bytes);
}

// A frame may be long in coming: it is taken without the mutex, and goes back if another thread has brought one meanwhile.
Result<Reserved> Store::reserve_in_shared(std::uint16_t bytes) {
  static std::atomic<std::uint32_t> threads{0};
  thread_local const std::uint32_t thread = threads.fetch_add(1, std::memory_order_relaxed);
  Lane& shared = lanes_[thread % lanes_max];
  {
    const MutexLock lock(shared.mutex);
    if (has_room(shared.at, bytes)) return carve(shared.at, bytes);
  }
  PLIMSOLL_ASSIGN(storage::FreeFrame frame, pool_.take_frame());
  const MutexLock lock(shared.mutex);
  if (!has_room(shared.at, bytes)) PLIMSOLL_TRY(next_page(shared.at, std::move(frame)));
  return carve(shared.at, bytes);
}

void Store::cancel(const Reserved& reserved) {
  if (reserved.address == 0) return;
  pool_.unpin(reserved.frame);
  segment(segment_of(reserved.address)).unfinished.fetch_sub(1, std::memory_order_acq_rel);
}

ExclusivePage Store::latch(const Reserved& reserved) {
  ExclusivePage page = pool_.latch_resident(page_of(reserved.address));
  PLIMSOLL_CHECK(page && page.frame() == reserved.frame);  // pinned since reserve()
  return page;
}

void Store::fill(ExclusivePage& page, const Reserved& reserved, const Entry& entry) {
  PLIMSOLL_CHECK(entry.bytes == reserved.bytes && (entry.entry_flags & entry_filled) != 0);
  write_entry(page.bytes(), offset_of(reserved.address), entry);
  Segment& of = segment(segment_of(reserved.address));
  of.live_bytes.fetch_add(reserved.bytes, std::memory_order_relaxed);
  of.live_entries.fetch_add(1, std::memory_order_relaxed);
  live_bytes_.fetch_add(reserved.bytes, std::memory_order_relaxed);
  live_entries_.fetch_add(1, std::memory_order_relaxed);
  metrics_.add(Counter::versions_created);
  pool_.unpin(reserved.frame);
}

namespace {
void raise(std::atomic<std::uint64_t>& to, std::uint64_t value) {
  std::uint64_t now = to.load(std::memory_order_relaxed);
  while (now < value && !to.compare_exchange_weak(now, value, std::memory_order_acq_rel)) {}
}

void note_end(Segment& of, std::uint64_t end) {
  raise(of.newest_end, end);
  if (end == 0) return;  // reverted
  std::uint64_t now = of.oldest_end.load(std::memory_order_relaxed);
  while (end < now && !of.oldest_end.compare_exchange_weak(now, end, std::memory_order_acq_rel)) {}
}
}  // namespace

void Store::finish(std::uint64_t address, std::uint64_t end, bool tombstone) {
  Segment& of = segment(segment_of(address));
  note_end(of, end);
  if (tombstone) of.tombstones.fetch_add(1, std::memory_order_relaxed);
  const auto before = of.unfinished.fetch_sub(1, std::memory_order_acq_rel);
  PLIMSOLL_CHECK(before != 0);
}

void Store::close_lane(PrivateLane& lane) {
  if (lane.frame != storage::no_frame) pool_.unpin(lane.frame);
  lane.frame = storage::no_frame;
  if (lane.current != no_segment)
    segment(lane.current).state.store(static_cast<std::uint8_t>(SegmentState::closed), std::memory_order_release);
}

void Store::finish_lane(PrivateLane& lane, std::uint64_t end, bool reverted) {
  for (SegmentIndex index = lane.first; index != no_segment;) {
    Segment& of = segment(index);
    const SegmentIndex next = of.next;
    note_end(of, end);
    if (!reverted)
      of.tombstones.fetch_add(1, std::memory_order_relaxed);  // not counted one by one: looked through before it is freed
    of.next = no_segment;
    of.unfinished.store(0, std::memory_order_release);
    index = next;
  }
  lane = {};
}

void Store::dead(std::uint64_t address, std::uint16_t bytes) {
  Segment& of = segment(segment_of(address));
  const auto before = of.live_bytes.fetch_sub(bytes, std::memory_order_acq_rel);
  PLIMSOLL_CHECK(before >= bytes);
  of.live_entries.fetch_sub(1, std::memory_order_relaxed);
  live_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  live_entries_.fetch_sub(1, std::memory_order_relaxed);
  metrics_.add(Counter::versions_pruned);
}

void Store::retire_lanes(std::uint64_t oldest, Retire which) {
  for (Lane& lane : lanes_) {
    if (!lane.mutex.try_lock()) continue;  // in use right now
    const SegmentIndex current = lane.at.current;
    bool retire = current != no_segment && segment(current).unfinished.load(std::memory_order_acquire) == 0;
    if (retire && which != Retire::all) {
      const std::uint64_t stands_at =
          (std::uint64_t{current} * segment_pages + lane.at.page_in_segment) * page_bytes() + lane.at.offset;
      const bool idle = which == Retire::idle && std::exchange(lane.stood_at, stands_at) == stands_at;
      retire = idle || segment(current).newest_end.load() <= oldest;
    }
    if (retire) {
      close_lane(lane.at);
      lane.at = {};
    }
    lane.mutex.unlock();
  }
}

bool Store::scratch(PageKey page) const {
  if (storage::file_of(page) != incarnation_) return false;
  const SegmentIndex index = storage::page_of(page) / segment_pages;
  return index < segments() && segment(index).unfinished.load(std::memory_order_acquire) == 0;
}

void Store::free_segment(SegmentIndex index) {
  Segment& freed = segment(index);
  PLIMSOLL_CHECK(freed.state.load() == static_cast<std::uint8_t>(SegmentState::closed) && freed.unfinished.load() == 0);
  for (std::uint32_t page = 0; page < freed.pages_used; ++page)
    if (ExclusivePage resident = pool_.latch_resident(storage::page_key(incarnation_, index * segment_pages + page)))
      pool_.discard(std::move(resident));
  live_bytes_.fetch_sub(freed.live_bytes.exchange(0), std::memory_order_relaxed);
  live_entries_.fetch_sub(freed.live_entries.exchange(0), std::memory_order_relaxed);
  pages_in_use_.fetch_sub(freed.pages_used, std::memory_order_relaxed);
  metrics_.add(Counter::version_pages_freed, freed.pages_used);
  MutexLock lock(table_mutex_);
  freed.state.store(static_cast<std::uint8_t>(SegmentState::free), std::memory_order_release);
  freed.next = free_list_;
  free_list_ = index;
}

}  // namespace plimsoll::version
