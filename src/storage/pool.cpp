// Opening, latches, and how a page comes into a frame and leaves it. The other parts: loading, chunks, eviction, write_back.
#include "storage/pool.hpp"

#include <algorithm>
#include <bit>
#include <new>

#include "base/check.hpp"
#include "base/fail.hpp"

namespace plimsoll::storage {

void ExclusivePage::will_change(Lsn lower_bound) {
  PLIMSOLL_DCHECK(bytes_ != nullptr && lower_bound.value != 0);
  FrameInfo& info = pool_->infos_[frame_];
  changed_ = true;
  perturb(Window::changing);
  info.changed_since_copy.store(true, std::memory_order_relaxed);
  // Released by the claim of the record's position, which follows: a scan that does not see this loaded an older Log::end().
  if (info.rec_lsn.load(std::memory_order_relaxed) == 0) info.rec_lsn.store(lower_bound.value, std::memory_order_release);
}

void ExclusivePage::set_lsn(Lsn end) {
  PLIMSOLL_DCHECK(changed_ && end >= lsn());
  PLIMSOLL_DCHECK(pool_->infos_[frame_].rec_lsn.load(std::memory_order_relaxed) != 0);
  page_store<std::uint64_t>(bytes_ + at::lsn, end.value);
}

void ExclusivePage::raise_flush_limit(Lsn lsn) { pool_->raise_flush_limit(frame_, lsn); }

void ExclusivePage::unlatch() {
  if (bytes_ == nullptr) return;
  PLIMSOLL_DCHECK((word_of(bytes_).load(std::memory_order_relaxed) & word_latched) != 0);
  if (changed_) {
    perturb(Window::changing);
    pool_->note_whether_inner(*this);
  }
  word_of(bytes_).store(changed_ ? word_ + word_step : word_, std::memory_order_release);
  pool_ = nullptr;
  bytes_ = nullptr;
  frame_ = no_frame;
  changed_ = false;
}

FreeFrame::~FreeFrame() {
  if (pool_ != nullptr) pool_->free_frame(frame_);
}

Pool::Pool(memory::PageProvider& provider, Metrics& metrics, LogGate& log, const PoolOptions& options)
    : page_shift_(static_cast<unsigned>(std::countr_zero(options.page_bytes))),
      budget_(provider.budget()),
      metrics_(metrics),
      log_(log),
      salt_(options.salt) {}

Result<std::unique_ptr<Pool>> Pool::open(memory::PageProvider& provider, Metrics& metrics, LogGate& log,
                                         const PoolOptions& options) {
  PLIMSOLL_CHECK(std::has_single_bit(options.page_bytes) && options.page_bytes >= page_bytes_min &&
                 options.page_bytes <= page_bytes_max);
  PLIMSOLL_CHECK(options.frames_max != 0 && options.frames_min <= options.frames_max);
  std::unique_ptr<Pool> pool(new Pool(provider, metrics, log, options));
  PLIMSOLL_TRY(pool->open_memory(provider, options));
  pool->registration_.emplace(provider.budget().pressure(), memory::Rung::pool, memory::Account::frames, *pool);
  return pool;
}

Result<void> Pool::open_memory(memory::PageProvider& provider, const PoolOptions& options) {
  const std::size_t in_chunk = provider.chunk_bytes() >> page_shift_;
  const std::size_t chunks = (options.frames_max + in_chunk - 1) / in_chunk;
  PLIMSOLL_CHECK(in_chunk != 0 && chunks * in_chunk < no_frame);
  frames_ = static_cast<FrameIndex>(chunks * in_chunk);
  chunk_frames_shift_ = static_cast<unsigned>(std::countr_zero(in_chunk));
  PLIMSOLL_ASSIGN(info_memory_, provider.map(memory::Account::translation, std::size_t{frames_} * sizeof(FrameInfo)));
  infos_ = info_memory_.as<FrameInfo>();
  std::uninitialized_default_construct_n(infos_, frames_);
  PLIMSOLL_TRY(translation_.open(provider, infos_, frames_));
  PLIMSOLL_TRY(read_buffers_.open(provider, page_bytes(), std::clamp<std::size_t>(frames_ / 64, 8, ReadBuffers::buffers_max)));
  PLIMSOLL_ASSIGN(write_buffer_, provider.map(memory::Account::io_buffers, std::size_t{page_bytes()} * doublewrite_batch));
  PLIMSOLL_ASSIGN(arena_, provider.reserve(memory::Account::frames, provider.chunk_bytes(), chunks));
  base_ = arena_.chunk(0);
  chunks_min_ = std::max<std::size_t>(1, (options.frames_min + in_chunk - 1) / in_chunk);
  for (std::size_t chunk = 0; chunk < chunks_min_; ++chunk) {
    PLIMSOLL_TRY(arena_.commit(chunk));
    const MutexLock lock(chunk_mutex_);
    add_chunk(chunk);
  }
  return {};
}

Pool::~Pool() = default;

void Pool::attach(std::uint16_t file, io::File& handle) { files_.attach(file, handle); }

Result<void> Pool::attach_doublewrite(io::File& handle) {
  PLIMSOLL_TRY(handle.allocate(0, io::block_bytes + std::uint64_t{page_bytes()} * doublewrite_batch));
  const TurnHolder turn(writer_turn_);
  doublewrite_ = &handle;
  return {};
}

void Pool::detach(std::uint16_t file) {
  const TurnHolder turn(writer_turn_);  // a batch on its way to the file ends first
  for (FrameIndex frame = 0; frame < frames_; ++frame) {
    const PageKey key{infos_[frame].key.load(std::memory_order_acquire)};
    if (key.value == no_key || file_of(key) != file) continue;
    if (ExclusivePage page = latch_frame(frame, key)) drop(std::move(page));
  }
  files_.detach(file);
}

// Empty if the frame does not hold the page, or no longer does. Waits while somebody has it latched.
ExclusivePage Pool::latch_frame(FrameIndex frame, PageKey key) {
  char* bytes = frame_bytes(frame);
  for (Backoff backoff;;) {
    std::uint64_t word = word_of(bytes).load(std::memory_order_acquire);
    if (word == 0 || key_of(bytes) != key) return {};
    if ((word & word_latched) != 0) {
      backoff.pause();
      continue;
    }
    perturb(Window::sampled);
    if (word_of(bytes).compare_exchange_weak(word, word | word_latched, std::memory_order_acquire)) {
      return {this, bytes, frame, word & ~word_cooling};  // the key was read under this very word
    }
  }
}

Pool::Latched Pool::try_latch_word(FrameIndex frame) const {
  std::uint64_t word = word_of(frame_bytes(frame)).load(std::memory_order_acquire);
  if (word == 0 || (word & word_latched) != 0) return {};
  if (!word_of(frame_bytes(frame)).compare_exchange_strong(word, word | word_latched, std::memory_order_acquire)) return {};
  return {word};
}

// Puts the key into the translation and the frame, latched; its other bytes are what they were. Empty, and the frame still the
// caller's, if the page is there already.
ExclusivePage Pool::place(FreeFrame& frame, PageKey key) {
  PLIMSOLL_CHECK(frame && key.value != no_key);
  FrameInfo& info = infos_[frame.frame_];
  char* bytes = frame_bytes(frame.frame_);
  PLIMSOLL_CHECK(info.state.load(std::memory_order_relaxed) == FrameState::taken);
  PLIMSOLL_CHECK(info.rec_lsn.load(std::memory_order_relaxed) == 0 && info.pins.load(std::memory_order_relaxed) == 0);
  const std::uint64_t word = info.last_word + word_step;
  info.last_word = word;
  info.key.store(key.value, std::memory_order_relaxed);
  info.changed_since_copy.store(true, std::memory_order_relaxed);  // of a copy of the frame's former page, still being written
  word_of(bytes).store(word | word_latched, std::memory_order_relaxed);
  set_key(bytes, key);
  if (translation_.insert(key, frame.frame_) != no_frame) {
    word_of(bytes).store(0, std::memory_order_release);
    info.key.store(no_key, std::memory_order_relaxed);
    return {};
  }
  info.state.store(FrameState::used, std::memory_order_release);
  frame.pool_ = nullptr;
  return {this, bytes, std::exchange(frame.frame_, no_frame), word};
}

// The page leaves its frame, dirty or not, and the frame becomes free.
void Pool::drop(ExclusivePage page, Wake wake) {
  const FrameIndex frame = std::exchange(page.frame_, no_frame);
  FrameInfo& info = infos_[frame];
  PLIMSOLL_CHECK(info.pins.load(std::memory_order_relaxed) == 0);
  translation_.erase(page.key(), frame);
  info.key.store(no_key, std::memory_order_relaxed);
  info.rec_lsn.store(0, std::memory_order_relaxed);
  info.flush_limit.store(0, std::memory_order_relaxed);
  info.changed_since_copy.store(true, std::memory_order_relaxed);
  info.last_word = page.word_ + word_step;
  info.state.store(FrameState::taken, std::memory_order_relaxed);
  word_of(page.bytes_).store(0, std::memory_order_release);
  page.bytes_ = nullptr;
  free_frame(frame, wake);
}

ExclusivePage Pool::latch_resident(PageKey key) {
  for (;;) {
    const FrameIndex frame = translation_.find(key);
    if (frame == no_frame) return {};
    if (ExclusivePage page = latch_frame(frame, key)) return page;
  }
}

ExclusivePage Pool::create(FreeFrame frame, PageKey key) {
  if (file_of(key) == data_file) metrics_.add(Counter::pages_allocated);
  ExclusivePage page = place(frame, key);
  while (!page) {
    if (ExclusivePage stale = latch_resident(key)) {
      PLIMSOLL_CHECK(infos_[stale.frame()].rec_lsn.load(std::memory_order_relaxed) == 0);  // else the page is alive
      drop(std::move(stale));
    }
    page = place(frame, key);
  }
  page_zero(page.bytes_ + at::lsn, page_bytes() - at::lsn);
  page.changed_ = true;
  return page;
}

void Pool::discard(ExclusivePage page) {
  PLIMSOLL_CHECK(static_cast<bool>(page));
  if (file_of(page.key()) == data_file) {
    data_discards_.fetch_add(1, std::memory_order_seq_cst);
    metrics_.add(Counter::pages_freed);
  }
  drop(std::move(page));
}

void Pool::pin(const ExclusivePage& page) {
  PLIMSOLL_DCHECK(static_cast<bool>(page));
  infos_[page.frame_].pins.fetch_add(1, std::memory_order_relaxed);
}

void Pool::unpin(FrameIndex frame) {
  const std::uint32_t before = infos_[frame].pins.fetch_sub(1, std::memory_order_release);
  PLIMSOLL_CHECK(before != 0);
}

void Pool::raise_flush_limit(FrameIndex frame, Lsn lsn) {
  FrameInfo& info = infos_[frame];
  PLIMSOLL_DCHECK((word_of(frame_bytes(frame)).load(std::memory_order_relaxed) & word_latched) != 0);
  if (info.flush_limit.load(std::memory_order_relaxed) < lsn.value) info.flush_limit.store(lsn.value, std::memory_order_relaxed);
}

bool Pool::resident(PageKey key) const { return translation_.find(key) != no_frame; }

Lsn Pool::oldest_change(Lsn now) const {
  Lsn oldest = now;
  for (FrameIndex frame = 0; frame < frames_; ++frame) {
    const Lsn change{infos_[frame].rec_lsn.load(std::memory_order_acquire)};
    if (!change || change >= oldest) continue;
    const PageKey key{infos_[frame].key.load(std::memory_order_acquire)};
    if (key.value == no_key) continue;  // gone meanwhile: written or discarded
    if (client_ == nullptr || !client_->scratch(key)) oldest = change;
  }
  return oldest;
}

Pool::Counts Pool::counts() const {
  Counts counts;
  counts.frames = committed_.load(std::memory_order_relaxed) * frames_of_chunk();
  counts.free = free_count_.load(std::memory_order_relaxed);
  for (FrameIndex frame = 0; frame < frames_; ++frame) {
    counts.dirty += infos_[frame].rec_lsn.load(std::memory_order_relaxed) != 0;
    counts.versions += holds_versions(frame);
  }
  return counts;
}

}  // namespace plimsoll::storage
