// Free frames, and where they come from and go to: the pool grows by a chunk while the budget permits, and gives whole chunks back
// when somebody else needs the memory. While a chunk is being emptied its free frames are parked, so that nobody gets one of them.
//
// An optimistic reader that was descheduled on its way to a frame may look at a chunk that was given back meanwhile, or clear the
// cooling mark there; the system then maps zeroed memory again (for a look: on kernels without the shared zero page), uncharged.
// The window is a few instructions wide, and emptying the chunk, with its dirty pages, has to fit into it; the background takes
// such memory away again (scrub).
#include <algorithm>

#include "base/check.hpp"
#include "storage/pool.hpp"

namespace plimsoll::storage {
namespace {

constexpr std::size_t too_dear = ~std::size_t{0};
constexpr unsigned emptying_rounds = 512;
constexpr std::size_t dirty_cost = 64, inner_cost = 1024;  // of losing a page, in clean leaves
// Who needed a chunk will need it again soon: what others have taken and given back stays free for so long before the pool takes
// it, or each would cost a round of writing pages out.
constexpr std::uint64_t growth_rest_ns = 250'000'000;

}  // namespace

FreeFrame Pool::pop_free() {
  if (free_count_.load(std::memory_order_relaxed) == 0) return {};
  const MutexLock lock(free_mutex_);
  const FrameIndex frame = free_head_;
  if (frame == no_frame) return {};
  FrameInfo& info = infos_[frame];
  PLIMSOLL_CHECK(info.state.load(std::memory_order_relaxed) == FrameState::free);
  free_head_ = info.next_free;
  info.next_free = no_frame;
  info.state.store(FrameState::taken, std::memory_order_relaxed);
  free_count_.fetch_sub(1, std::memory_order_relaxed);
  return {this, frame};
}

void Pool::free_frame(FrameIndex frame, Wake wake) {
  const MutexLock lock(free_mutex_);
  FrameInfo& info = infos_[frame];
  PLIMSOLL_CHECK(info.state.load(std::memory_order_relaxed) == FrameState::taken);
  PLIMSOLL_DCHECK(word_of(frame_bytes(frame)).load(std::memory_order_relaxed) == 0);
  if (frame / frames_of_chunk() == closing_chunk_) {
    info.state.store(FrameState::parked, std::memory_order_release);
    return;
  }
  info.next_free = free_head_;
  info.state.store(FrameState::free, std::memory_order_release);
  free_head_ = frame;
  free_count_.fetch_add(1, std::memory_order_relaxed);
  if (wake == Wake::one && free_waiters_.load(std::memory_order_relaxed) != 0) frame_freed_.notify_one();
}

// For those who found all frames latched, taken or on their way to the file: about as long as a batch takes.
void Pool::wait_for_free_frame() {
  const MutexLock lock(free_mutex_);
  if (free_head_ != no_frame) return;
  free_waiters_.fetch_add(1, std::memory_order_relaxed);
  frame_freed_.wait_for(free_mutex_, std::chrono::milliseconds(8));
  free_waiters_.fetch_sub(1, std::memory_order_relaxed);
}

// Commits one more chunk unless there are `enough` free frames already. False: the budget has no room.
bool Pool::grow(std::size_t enough) {
  if (committed_.load(std::memory_order_relaxed) == arena_.chunks()) return false;
  if (budget_.available(memory::Account::frames) < arena_.chunk_bytes()) return false;
  if (const std::uint64_t reclaimed = reclaimed_ns_.load(std::memory_order_relaxed);
      reclaimed != 0 && budget_.time().coarse_ns() < reclaimed + growth_rest_ns)
    return false;
  const MutexLock lock(chunk_mutex_);
  if (free_count_.load(std::memory_order_relaxed) >= enough) return true;  // somebody else has grown it meanwhile
  for (std::size_t chunk = 0; chunk < arena_.chunks(); ++chunk) {
    if (arena_.committed(chunk)) continue;
    if (!arena_.try_commit(chunk)) return false;
    add_chunk(chunk);
    return true;
  }
  return false;
}

void Pool::add_chunk(std::size_t chunk) {
  const FrameIndex first = static_cast<FrameIndex>(chunk) * frames_of_chunk();
  committed_.fetch_add(1, std::memory_order_relaxed);
  for (FrameIndex frame = first + frames_of_chunk(); frame-- > first;) {  // so that the lowest is taken first
    PLIMSOLL_CHECK(infos_[frame].state.load(std::memory_order_relaxed) == FrameState::absent);
    infos_[frame].state.store(FrameState::taken, std::memory_order_relaxed);
    free_frame(frame);
  }
}

std::size_t Pool::reclaim(std::size_t bytes) {
  const TurnHolder turn(reclaim_turn_);
  reclaimed_ns_.store(budget_.time().coarse_ns(), std::memory_order_relaxed);
  std::size_t given = 0;
  std::array<std::size_t, 4> stuck;  // chunks in which something would not go
  std::size_t stuck_count = 0;
  while (given < bytes && stuck_count < stuck.size() && committed_.load(std::memory_order_relaxed) > chunks_min_) {
    const std::size_t chunk = cheapest_chunk(std::span(stuck).first(stuck_count));
    if (chunk == no_chunk) break;
    if (empty_chunk(chunk)) {
      given += arena_.chunk_bytes();
    } else {
      stuck[stuck_count++] = chunk;
    }
  }
  return given;
}

std::size_t Pool::reclaimable() const {
  const std::size_t committed = committed_.load(std::memory_order_relaxed);
  return committed > chunks_min_ ? (committed - chunks_min_) * arena_.chunk_bytes() : 0;
}

// The chunk that is emptied with the least effort, those `tried` apart.
std::size_t Pool::cheapest_chunk(std::span<const std::size_t> tried) const {
  std::size_t best = no_chunk, least = too_dear;
  for (std::size_t chunk = 0; chunk < arena_.chunks(); ++chunk) {
    if (!arena_.committed(chunk) || std::find(tried.begin(), tried.end(), chunk) != tried.end()) continue;
    const std::size_t cost = cost_of_chunk(chunk);
    if (cost >= least) continue;
    best = chunk;
    least = cost;
  }
  return best;
}

std::size_t Pool::cost_of_chunk(std::size_t chunk) const {
  const FrameIndex first = static_cast<FrameIndex>(chunk) * frames_of_chunk();
  std::size_t cost = 0;
  for (FrameIndex frame = first; frame < first + frames_of_chunk(); ++frame) {
    const FrameInfo& info = infos_[frame];
    const FrameState state = info.state.load(std::memory_order_relaxed);
    if (state == FrameState::absent || info.pins.load(std::memory_order_relaxed) != 0) return too_dear;
    if (state == FrameState::free) continue;
    const bool dirty = info.rec_lsn.load(std::memory_order_relaxed) != 0;
    cost += info.inner.load(std::memory_order_relaxed) ? inner_cost : dirty ? dirty_cost : 1;
  }
  return cost;
}

// Drops and writes what the chunk holds and gives its memory back; false if something in it would not go.
bool Pool::empty_chunk(std::size_t chunk) {
  park_free_frames(chunk);
  bool empty = false;
  Backoff backoff;
  for (unsigned round = 0; round < emptying_rounds && !empty; ++round) {
    WriteCandidates dirty;
    empty = drop_or_collect(chunk, dirty);
    if (dirty.count == 0) {
      if (!empty) backoff.pause();  // a latch, a load, a batch under way
      continue;
    }
    const TurnHolder turn(writer_turn_);
    if (!write_frames(std::span(dirty.frames).first(dirty.count), Waiting::yes, After::evict)) break;
  }
  if (empty) {
    give_back(chunk);
  } else {
    unpark_frames(chunk);
  }
  return empty;
}

// All frames of the chunk are parked. It stops being the closing one before it can be committed again.
void Pool::give_back(std::size_t chunk) {
  const MutexLock clock_lock(clock_mutex_);
  const FrameIndex first = static_cast<FrameIndex>(chunk) * frames_of_chunk();
  for (FrameIndex frame = first; frame < first + frames_of_chunk(); ++frame) {
    PLIMSOLL_CHECK(infos_[frame].state.load(std::memory_order_relaxed) == FrameState::parked);
    infos_[frame].state.store(FrameState::absent, std::memory_order_relaxed);
  }
  {
    const MutexLock lock(free_mutex_);
    closing_chunk_ = no_chunk;
  }
  decommit(chunk);
}

void Pool::decommit(std::size_t chunk) {
  committed_.fetch_sub(1, std::memory_order_relaxed);
  arena_.decommit(chunk);
  decommitted_ns_.store(budget_.time().coarse_ns(), std::memory_order_relaxed);
}

// For a second after a chunk was given back, every tenth of one: a reader that is later than that has been stopped.
void Pool::scrub() {
  constexpr std::uint64_t every_ns = 100'000'000, for_ns = 1'000'000'000;
  const std::uint64_t decommitted = decommitted_ns_.load(std::memory_order_relaxed), now = budget_.time().coarse_ns();
  if (decommitted == 0 || now < scrubbed_ns_.load(std::memory_order_relaxed) + every_ns) return;
  const MutexLock lock(chunk_mutex_);
  for (std::size_t chunk = 0; chunk < arena_.chunks(); ++chunk)
    if (!arena_.committed(chunk)) arena_.scrub(chunk);
  scrubbed_ns_.store(now, std::memory_order_relaxed);
  if (now > decommitted + for_ns) {
    std::uint64_t seen = decommitted;
    decommitted_ns_.compare_exchange_strong(seen, 0);
  }
}

void Pool::unpark_frames(std::size_t chunk) {
  {
    const MutexLock lock(free_mutex_);
    closing_chunk_ = no_chunk;
  }
  const FrameIndex first = static_cast<FrameIndex>(chunk) * frames_of_chunk();
  for (FrameIndex frame = first; frame < first + frames_of_chunk(); ++frame) {
    FrameState parked = FrameState::parked;
    if (infos_[frame].state.compare_exchange_strong(parked, FrameState::taken)) free_frame(frame);
  }
}

void Pool::park_free_frames(std::size_t chunk) {
  const MutexLock lock(free_mutex_);
  PLIMSOLL_CHECK(closing_chunk_ == no_chunk);
  closing_chunk_ = chunk;
  FrameIndex* link = &free_head_;
  while (*link != no_frame) {
    FrameInfo& info = infos_[*link];
    if (*link / frames_of_chunk() != chunk) {
      link = &info.next_free;
      continue;
    }
    *link = std::exchange(info.next_free, no_frame);
    info.state.store(FrameState::parked, std::memory_order_relaxed);
    free_count_.fetch_sub(1, std::memory_order_relaxed);
  }
}

// Drops the chunk's clean pages and collects its dirty ones; true if all its frames are parked.
bool Pool::drop_or_collect(std::size_t chunk, WriteCandidates& dirty) {
  bool all_parked = true;
  const FrameIndex first = static_cast<FrameIndex>(chunk) * frames_of_chunk();
  for (FrameIndex frame = first; frame < first + frames_of_chunk(); ++frame) {
    const FrameInfo& info = infos_[frame];
    if (info.state.load(std::memory_order_acquire) == FrameState::used && !try_drop_clean(frame) && !dirty.full() &&
        info.rec_lsn.load(std::memory_order_relaxed) != 0) {
      dirty.add(frame);
    }
    all_parked = all_parked && info.state.load(std::memory_order_acquire) == FrameState::parked &&
                 !info.writing.load(std::memory_order_acquire);
  }
  return all_parked;
}

}  // namespace plimsoll::storage
