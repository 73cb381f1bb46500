// Which page goes when a frame is needed: second chance. The hand of the clock marks a page as cooling; whoever reads it takes the
// mark away; a page still cooling when the hand comes round again goes. In need, those not cooling yet go as well, but for inner
// nodes of trees: next to everybody waits for one that is not there. Clean pages are dropped at once; dirty ones are collected
// and written in batches, and those that nobody has read meanwhile go after that. Readers are never waited for.
//
// Several threads may evict at the same time; the hand is moved under a mutex, a few hundred frames at a time, writing happens
// without it.
#include <algorithm>

#include "base/check.hpp"
#include "base/fail.hpp"
#include "storage/pool.hpp"

namespace plimsoll::storage {
namespace {

constexpr std::size_t steps_at_once = 256;     // frames looked at while others wait for the hand
constexpr std::size_t evicted_at_once = 8;     // clean pages that a thread in need of one frame drops
constexpr unsigned rounds_gentle = 8;          // rounds without success before cooling marks are ignored,
constexpr unsigned rounds_idle_max = 16;       // before giving up when all is pinned,
constexpr unsigned rounds_busy_max = 500;      // and when frames seem to be about to come free: some seconds
constexpr unsigned waits_before_queueing = 3;  // of 8 ms at most: more than a batch takes

}  // namespace

Result<FreeFrame> Pool::take_frame() {
  if (FreeFrame frame = pop_free()) return frame;
  if (grow(1)) {
    if (FreeFrame frame = pop_free()) return frame;
  }
  return take_by_eviction();
}

// What can be had without writing or waiting.
FreeFrame Pool::try_take_frame() {
  if (FreeFrame frame = pop_free()) return frame;
  if (!grow(1)) sweep(evicted_at_once, nullptr, Cooling::respected);
  return pop_free();
}

Result<FreeFrame> Pool::take_by_eviction() {
  unsigned idle = 0, busy = 0;
  while (idle < rounds_idle_max && busy < rounds_busy_max) {
    WriteCandidates dirty;
    const Swept swept = sweep(evicted_at_once, &dirty, idle + busy < rounds_gentle ? Cooling::respected : Cooling::ignored);
    if (FreeFrame frame = pop_free()) return frame;
    if (swept.freed != 0) continue;  // others were faster
    if (dirty.count != 0) {
      const Result<bool> wrote = write_for_eviction(dirty);
      if (FreeFrame frame = pop_free()) return frame;
      if (!wrote) {
        sweep(1, nullptr, Cooling::ignored);  // nothing can be written any more: a clean page, however warm
        if (FreeFrame frame = pop_free()) return frame;
        return std::unexpected(wrote.error());
      }
      if (*wrote) continue;
    }
    if (grow(1)) continue;
    ++(swept.busy || dirty.count != 0 ? busy : idle);
    wait_for_free_frame();
  }
  return fail(ErrorCode::memory_budget_exceeded, "all {} frames of the buffer pool are in use",
              committed_.load(std::memory_order_relaxed) * frames_of_chunk());
}

// Writes the candidates, unless somebody else's batch has brought a free frame meanwhile. True if that was so, or something was
// written. Those who need frames wait for the batch that is under way, and one of them writes the next. Only who has waited for
// long queues for the turn: its holders may be a checkpoint that frees nothing and takes it again and again.
Result<bool> Pool::write_for_eviction(const WriteCandidates& dirty) {
  for (unsigned waits = 0; !writer_turn_.try_take(); ++waits) {
    if (waits == waits_before_queueing) {
      writer_turn_.take();
      break;
    }
    wait_for_free_frame();
    if (free_count_.load(std::memory_order_relaxed) != 0) return true;
  }
  const TurnHolder turn(writer_turn_, TurnHolder::Adopt::adopted);
  if (free_count_.load(std::memory_order_relaxed) != 0) return true;
  PLIMSOLL_ASSIGN(const std::size_t written,
                  write_frames(std::span(dirty.frames).first(dirty.count), Waiting::no, After::evict_if_cooling));
  return written != 0;
}

// Moves the hand until `wanted` clean pages are gone, `dirty` is full or holds a quarter of the pool, or it has been round twice.
Pool::Swept Pool::sweep(std::size_t wanted, WriteCandidates* dirty, Cooling cooling) {
  Swept swept;
  const std::size_t frames = committed_.load(std::memory_order_relaxed) * frames_of_chunk(), steps = 2 * frames;
  // Not most of a small pool: what a descent has just read would go before it has reached its leaf, again and again.
  if (dirty != nullptr) dirty->limit = std::clamp<std::size_t>(frames / 4, 1, dirty->frames.size());
  for (std::size_t step = 0; step < steps;) {
    const MutexLock lock(clock_mutex_);
    for (const std::size_t end = std::min(steps, step + steps_at_once); step < end; ++step) {
      look_at(next_in_clock(), dirty, cooling, swept);
      if (swept.freed >= wanted || (dirty != nullptr && dirty->full())) return swept;
    }
  }
  return swept;
}

// Old versions go the way of all pages, but ahead of need: those that nobody has read since the last call are dropped or written.
// Answers how many pages that were.
std::size_t Pool::spill_versions(std::size_t wanted) {
  Swept swept;
  std::size_t written = 0;
  for (FrameIndex frame = 0; frame < frames_ && swept.freed + written < wanted;) {
    WriteCandidates dirty;
    {
      const MutexLock lock(clock_mutex_);
      const FrameIndex end = std::min<FrameIndex>(frames_, frame + steps_at_once);
      for (; frame < end && !dirty.full() && swept.freed + written + dirty.count < wanted; ++frame)
        if (holds_versions(frame)) look_at(frame, &dirty, Cooling::respected, swept);
    }
    if (dirty.count == 0) continue;
    const TurnHolder turn(writer_turn_);
    const auto wrote = write_frames(std::span(dirty.frames).first(dirty.count), Waiting::no, After::evict_if_cooling);
    if (!wrote) break;  // whoever needs a frame is told
    written += *wrote;
  }
  return swept.freed + written;
}

bool Pool::holds_versions(FrameIndex frame) const {
  const PageKey key{infos_[frame].key.load(std::memory_order_relaxed)};
  return key.value != no_key && file_of(key) != data_file;
}

FrameIndex Pool::next_in_clock() {
  if (++hand_ >= frames_) hand_ = 0;
  while (infos_[hand_].state.load(std::memory_order_acquire) == FrameState::absent) {  // its whole chunk is
    hand_ = (hand_ / frames_of_chunk() + 1) * frames_of_chunk();
    if (hand_ >= frames_) hand_ = 0;
  }
  return hand_;
}

void Pool::note_whether_inner(const ExclusivePage& page) {
  const bool inner = page_load<std::uint8_t>(page.bytes_ + at::kind) == static_cast<std::uint8_t>(PageKind::node) &&
                     page_load<std::uint8_t>(page.bytes_ + at::level) != 0;
  infos_[page.frame_].inner.store(inner, std::memory_order_relaxed);
}

void Pool::look_at(FrameIndex frame, WriteCandidates* dirty, Cooling cooling, Swept& swept) {
  const FrameInfo& info = infos_[frame];
  const FrameState state = info.state.load(std::memory_order_acquire);
  if (state != FrameState::used) {
    swept.busy = swept.busy || state != FrameState::free;
    return;
  }
  std::uint64_t word = word_of(frame_bytes(frame)).load(std::memory_order_relaxed);
  if (word == 0 || (word & word_latched) != 0 || info.writing.load(std::memory_order_relaxed)) {
    swept.busy = true;
    return;
  }
  if ((word & word_cooling) == 0) {
    const bool marked = word_of(frame_bytes(frame)).compare_exchange_strong(word, word | word_cooling, std::memory_order_relaxed);
    if (!marked || cooling == Cooling::respected || info.inner.load(std::memory_order_relaxed)) return;
  }
  if (info.rec_lsn.load(std::memory_order_relaxed) != 0) {
    if (dirty != nullptr && info.pins.load(std::memory_order_relaxed) == 0) dirty->add(frame);
  } else if (try_drop_clean(frame)) {
    ++swept.freed;
  }
}

// Drops the frame's page unless it is latched, pinned, dirty or being written.
bool Pool::try_drop_clean(FrameIndex frame) {
  const FrameInfo& info = infos_[frame];
  const Latched latched = try_latch_word(frame);
  if (!latched) return false;
  ExclusivePage page(this, frame_bytes(frame), frame, latched.word & ~word_cooling);
  if (info.pins.load(std::memory_order_acquire) != 0 || info.rec_lsn.load(std::memory_order_acquire) != 0 ||
      info.writing.load(std::memory_order_acquire)) {
    return false;
  }
  drop(std::move(page));
  metrics_.add(Counter::evictions);
  return true;
}

Result<bool> Pool::run_background() {
  scrub();
  const std::size_t frames = committed_.load(std::memory_order_relaxed) * frames_of_chunk();
  const std::size_t low_water = std::clamp<std::size_t>(frames / 16, 8, 1024);
  const std::size_t free = free_count_.load(std::memory_order_relaxed);
  if (free >= low_water) return false;
  if (grow(low_water)) return true;  // nothing is evicted while the budget has room
  WriteCandidates dirty;
  const Swept swept = sweep(low_water - free, &dirty, Cooling::respected);
  if (dirty.count == 0) return swept.freed != 0;
  const TurnHolder turn(writer_turn_);
  PLIMSOLL_ASSIGN(const std::size_t written,
                  write_frames(std::span(dirty.frames).first(dirty.count), Waiting::no, After::evict_if_cooling));
  return swept.freed + written != 0;
}

}  // namespace plimsoll::storage
