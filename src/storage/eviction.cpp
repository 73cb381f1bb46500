// Which page goes when a frame is needed: second chance. The hand of the clock marks a page as cooling; whoever reads it takes the
// mark away; a page still cooling when the hand comes round again goes. In need, those not cooling yet go as well, but for inner
// nodes of trees: next to everybody waits for one that is not there. Clean pages are dropped at once; dirty ones are collected
// and written in batches, and those that nobody has read meanwhile go after that. Readers are never waited for.
//
// One thread at a time looks for pages to evict; the others wait for the frames that it frees. If each of them moved the hand, it
// would go round a hundred times for every page while a batch is on its way, and a page would be cold a millisecond after it was
// read. The hand is moved under a mutex, a few hundred frames at a time; writing happens without it.
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
  if (!grow(1) && evictor_turn_.try_take()) {
    const TurnHolder turn(evictor_turn_, TurnHolder::Adopt::adopted);
    sweep(evicted_at_once, nullptr, Cooling::respected, steps_at_once);
  }
  return pop_free();
}

// Who has waited for long queues for the turn: newcomers may have been faster.
Result<FreeFrame> Pool::take_by_eviction() {
  unsigned idle = 0, busy = 0, waits = 0;
  while (idle < rounds_idle_max && busy < rounds_busy_max) {
    if (!evictor_turn_.try_take()) {
      if (waits++ < waits_before_queueing) {
        wait_for_free_frame();
        if (FreeFrame frame = pop_free()) return frame;
        continue;
      }
      evictor_turn_.take();
    }
    Swept swept;
    {
      TurnHolder evictor(evictor_turn_, TurnHolder::Adopt::adopted);
      if (FreeFrame frame = pop_free()) return frame;  // somebody else's
      const Result<bool> evicted = evict(idle + busy < rounds_gentle ? Cooling::respected : Cooling::ignored, swept, evictor);
      if (FreeFrame frame = pop_free()) return frame;
      if (!evicted) return std::unexpected(evicted.error());
      if (*evicted) continue;  // others were faster
    }
    if (grow(1)) continue;
    ++(swept.busy ? busy : idle);
    wait_for_free_frame();
  }
  return fail(ErrorCode::memory_budget_exceeded, "all {} frames of the buffer pool are in use",
              committed_.load(std::memory_order_relaxed) * frames_of_chunk());
}

// One sweep, and a batch of writes if it has found no clean page to drop. True: a page was dropped or written.
Result<bool> Pool::evict(Cooling cooling, Swept& swept, TurnHolder& evictor) {
  WriteCandidates dirty;
  swept = sweep(evicted_at_once, &dirty, cooling);
  if (swept.freed != 0 || dirty.count == 0) return swept.freed != 0;
  swept.busy = true;
  const auto written = write_for_eviction(dirty, evictor);
  if (written) return *written != 0;
  if (sweep(1, nullptr, Cooling::ignored).freed != 0) return true;  // nothing can be written any more: a clean page, however warm
  return std::unexpected(written.error());
}

// The next may look for clean pages as soon as this batch is the one that is written; more than one does not wait for the writer.
Result<std::size_t> Pool::write_for_eviction(const WriteCandidates& dirty, TurnHolder& evictor) {
  const TurnHolder writer(writer_turn_);
  evictor.end();
  return write_frames(std::span(dirty.frames).first(dirty.count), Waiting::no, After::evict_if_cooling);
}

// Moves the hand until `wanted` clean pages are gone, `dirty` is full or holds a quarter of the pool, or it has been round twice.
Pool::Swept Pool::sweep(std::size_t wanted, WriteCandidates* dirty, Cooling cooling) {
  return sweep(wanted, dirty, cooling, 2 * committed_.load(std::memory_order_relaxed) * frames_of_chunk());
}

Pool::Swept Pool::sweep(std::size_t wanted, WriteCandidates* dirty, Cooling cooling, std::size_t steps) {
  Swept swept;
  const std::size_t frames = committed_.load(std::memory_order_relaxed) * frames_of_chunk();
  // Not most of a small pool: what a descent has just read would go before it has reached its leaf, again and again.
  if (dirty != nullptr) dirty->limit = std::clamp<std::size_t>(frames / 4, 1, dirty->frames.size());
  for (std::size_t step = 0; step < steps;) {
    const MutexLock lock(clock_mutex_);
    const std::size_t begin = step, end = std::min(steps, step + steps_at_once);
    bool enough = false;
    for (; step < end && !enough; ++step) {
      look_at(next_in_clock(), dirty, cooling, swept);
      enough = swept.freed >= wanted || (dirty != nullptr && dirty->full());
    }
    metrics_.add(Counter::eviction_steps, step - begin);
    if (enough) return swept;
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
  if (grow(low_water)) return true;             // nothing is evicted while the budget has room
  if (!evictor_turn_.try_take()) return false;  // somebody in need is at it
  TurnHolder evictor(evictor_turn_, TurnHolder::Adopt::adopted);
  WriteCandidates dirty;
  const Swept swept = sweep(low_water - free, &dirty, Cooling::respected);
  if (dirty.count == 0) return swept.freed != 0;
  PLIMSOLL_ASSIGN(const std::size_t written, write_for_eviction(dirty, evictor));
  return swept.freed + written != 0;
}

}  // namespace plimsoll::storage
