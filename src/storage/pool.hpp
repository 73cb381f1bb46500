// The buffer pool (D2): frames, translation, eviction, write-back. What finds a page is sized by the number of frames, never by the
// database.
//
// Reading is optimistic and stores nothing shared (but clears a cooling mark); changing needs the page's exclusive latch, bit 0 of
// its word. There are no shared latches. Rules:
//  1. Latches are taken parent before child, left before right, tree pages before space maps, leaf before version page. Everything
//     that may block or fail (reads of pages, free frames, log credits) comes before the first latch: take_frame(), read(),
//     Log::reserve(). With a latch held, only pages known to be resident may be latched (try_upgrade, or latch_resident, which
//     fails when it is not).
//  2. A change is: will_change(lower bound = Log::end()) BEFORE the record's position is claimed, modify, append, set_lsn(record
//  end).
//     So oldest_change(), which callers compare with a Log::end() loaded before the scan, never misses a change in the making.
//  3. A page is written only when the log is durable up to its LSN and its flush limit. Batches go through the doublewrite area
//  first.
//  4. The evictor never waits for readers: it latches, re-checks pins and dirt, drops the word's page.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "base/latch.hpp"
#include "base/metrics.hpp"
#include "io/file.hpp"
#include "memory/page_provider.hpp"
#include "memory/pressure.hpp"
#include "plimsoll/error.hpp"
#include "storage/doublewrite.hpp"
#include "storage/file_table.hpp"
#include "storage/frame.hpp"
#include "storage/page.hpp"
#include "storage/read_buffers.hpp"
#include "storage/translation.hpp"
#include "storage/turn.hpp"

namespace plimsoll::storage {

// All that storage sees of the log.
class LogGate {
 public:
  virtual ~LogGate() = default;
  virtual Lsn durable() const = 0;
  virtual Result<void> flush_to(Lsn lsn) = 0;
};

// What the owner of pages is asked about them.
class PageClient {
 public:
  virtual ~PageClient() = default;
  // The page is latched and about to be written: a last chance to stamp records. May only do what fixed-size hints need; sets flush
  // limits.
  virtual void before_write(char* page, FrameIndex frame) = 0;
  // A version page on which nothing of an unfinished transaction lies: a checkpoint need not write it, and it needs no doublewrite.
  virtual bool scratch(PageKey key) const = 0;
};

class Pool;

// The exclusive latch of a page. Move-only; unlatches when it dies, bumping the version if the page was changed.
class ExclusivePage {
 public:
  ExclusivePage() = default;
  ExclusivePage(ExclusivePage&& other) noexcept { swap(other); }
  ExclusivePage& operator=(ExclusivePage&& other) noexcept {
    ExclusivePage dying(std::move(other));
    swap(dying);
    return *this;
  }
  ~ExclusivePage() { unlatch(); }

  explicit operator bool() const { return bytes_ != nullptr; }
  char* bytes() const { return bytes_; }
  FrameIndex frame() const { return frame_; }
  PageKey key() const { return key_of(bytes_); }
  Lsn lsn() const { return lsn_of(bytes_); }

  void will_change(Lsn lower_bound);  // logged change: marks dirty (rule 2)
  void set_lsn(Lsn end);
  void hint_changed() { changed_ = true; }  // unlogged fixed-size hint: readers must notice, the page need not be written for it
  void raise_flush_limit(Lsn lsn);
  void unlatch();

 private:
  friend class Pool;
  ExclusivePage(Pool* pool, char* bytes, FrameIndex frame, std::uint64_t word)
      : pool_(pool), bytes_(bytes), frame_(frame), word_(word) {}
  void swap(ExclusivePage& other) noexcept {
    std::swap(pool_, other.pool_);
    std::swap(bytes_, other.bytes_);
    std::swap(frame_, other.frame_);
    std::swap(word_, other.word_);
    std::swap(changed_, other.changed_);
  }
  Pool* pool_ = nullptr;
  char* bytes_ = nullptr;
  FrameIndex frame_ = no_frame;
  std::uint64_t word_ = 0;  // before latching, without the cooling mark
  bool changed_ = false;
};

// A frame that belongs to nobody yet. Move-only; goes back to the free list when it dies.
class FreeFrame {
 public:
  FreeFrame() = default;
  FreeFrame(FreeFrame&& other) noexcept
      : pool_(std::exchange(other.pool_, nullptr)), frame_(std::exchange(other.frame_, no_frame)) {}
  FreeFrame& operator=(FreeFrame&& other) noexcept {
    std::swap(pool_, other.pool_);
    std::swap(frame_, other.frame_);
    return *this;
  }
  ~FreeFrame();
  explicit operator bool() const { return pool_ != nullptr; }

 private:
  friend class Pool;
  FreeFrame(Pool* pool, FrameIndex frame) : pool_(pool), frame_(frame) {}
  Pool* pool_ = nullptr;
  FrameIndex frame_ = no_frame;
};

enum class Access : std::uint8_t { normal, scan };  // scan: a page that had to be loaded is the first to go again

struct PoolOptions {
  std::uint32_t page_bytes = 8192;
  std::uint64_t salt = 0;
  std::size_t frames_max = 0;  // frames that the budget could ever hold: sizes the translation
  std::size_t frames_min = 0;  // committed at open and never given back
};

// The frames and keys of one batch of pages to be written; `images` of the write buffer belong to it.
struct WriteBatch {
  struct Entry {
    FrameIndex frame = no_frame;
    PageKey key{};
    Lsn lsn{};  // of the copy
    char* image = nullptr;
  };
  std::array<Entry, doublewrite_batch> kept;     // images adjacent from the buffer's front
  std::array<Entry, doublewrite_batch> scratch;  // from its back
  std::size_t kept_count = 0, scratch_count = 0;
  Lsn flush_limit{};
  std::size_t count() const { return kept_count + scratch_count; }
  bool holds(PageKey key) const {
    const auto is_it = [&](const Entry& entry) { return entry.key == key; };
    return std::any_of(kept.begin(), kept.begin() + static_cast<std::ptrdiff_t>(kept_count), is_it) ||
           std::any_of(scratch.begin(), scratch.begin() + static_cast<std::ptrdiff_t>(scratch_count), is_it);
  }
};

// Frames that might be written next.
struct WriteCandidates {
  std::array<FrameIndex, doublewrite_batch> frames;
  std::size_t count = 0, limit = frames.size();
  bool full() const { return count == limit; }
  void add(FrameIndex frame) { frames[count++] = frame; }
};

class Pool final : public memory::Reclaimer {
 public:
  static Result<std::unique_ptr<Pool>> open(memory::PageProvider& provider, Metrics& metrics, LogGate& log,
                                            const PoolOptions& options);
  ~Pool() override;

  // Files that pages come from. Detaching drops the file's pages, dirty or not.
  void attach(std::uint16_t file, io::File& handle);
  void detach(std::uint16_t file);
  void set_client(PageClient& client) { client_ = &client; }
  Result<void> attach_doublewrite(io::File& handle);  // repairs nothing: storage/doublewrite.hpp does, before any page is read

  std::uint32_t page_bytes() const { return 1u << page_shift_; }
  char* frame_bytes(FrameIndex frame) const { return base_ + (static_cast<std::size_t>(frame) << page_shift_); }
  FrameIndex frames() const { return frames_; }

  // The page, if frame `hint` still holds it and nobody has it latched. The hot path: two loads of one cache line. A scan leaves a
  // cooling page cooling.
  bool try_frame(PageKey key, FrameIndex hint, OptimisticPage& page, Access access = Access::normal) const {
    if (hint >= frames_ || !arena_.committed(hint >> chunk_frames_shift_))
      return false;  // where there is no memory, a look makes some
    const char* bytes = frame_bytes(hint);
    const std::uint64_t word = word_of(bytes).load(std::memory_order_acquire);
    perturb(Window::sampled);
    if ((word & word_latched) != 0 || word == 0 || key_of(bytes) != key) return false;
    if ((word & word_cooling) != 0 && access == Access::normal) warm(bytes);
    page = {bytes, word & ~word_cooling, hint};
    return true;
  }
  // The page, read from its file if need be; waits while somebody has it latched. corruption: names file, page and what is wrong;
  // memory_budget_exceeded: no frame could be freed. No latch may be held.
  Result<OptimisticPage> read(PageKey key, Access access = Access::normal);
  // The same and latched.
  Result<ExclusivePage> latch(PageKey key);
  // With latches held: the page if it is resident (waits while it is latched: keep to rule 1), else an empty guard.
  ExclusivePage latch_resident(PageKey key);
  // Succeeds only if nothing has changed since `page` was sampled and nobody has it latched.
  bool try_upgrade(const OptimisticPage& page, ExclusivePage& out) {
    auto word = word_of(page.bytes);
    std::uint64_t expected = page.word;
    if (!page.still_valid()) return false;  // a failing compare-and-swap would write to a chunk that has been given back
    perturb(Window::sampled);
    if (!word.compare_exchange_strong(expected, page.word | word_latched, std::memory_order_acquire)) {
      if (expected != (page.word | word_cooling)) return false;
      if (!word.compare_exchange_strong(expected, page.word | word_latched, std::memory_order_acquire)) return false;
    }
    out = ExclusivePage(this, const_cast<char*>(page.bytes), page.frame, page.word);
    return true;
  }

  // A free frame, evicting (and writing) if need be. No latch may be held.
  Result<FreeFrame> take_frame();
  // A new page: zeroed but for word and key, latched, resident. Never fails. No live page may have the key; what a late reader of a
  // freed page has loaded meanwhile is dropped.
  ExclusivePage create(FreeFrame frame, PageKey key);
  // Recovery: the page as it is on disk, or, where the change can begin with one, a zeroed page with LSN 0.
  enum class IfBad : std::uint8_t { fail, zero_if_never_written, zero };
  Result<ExclusivePage> latch_for_redo(PageKey key, IfBad if_bad);
  // The page, or a zeroed one with LSN 0 if its place in the file was never written; a damaged one is an error. No latch may be
  // held.
  Result<ExclusivePage> latch_or_zero(PageKey key);
  // The page ceases to exist: its frame becomes free, nothing is written.
  void discard(ExclusivePage page);
  // How many pages of the data file have ceased to exist. While it stands still, a latched page with the expected key is no stale
  // copy that a late reader has loaded of a page that is gone.
  std::uint64_t data_discards() const { return data_discards_.load(std::memory_order_seq_cst); }
  // Keeps a page in its frame until unpin (counted). The caller holds the latch (pin) or nothing (unpin).
  void pin(const ExclusivePage& page);
  void unpin(FrameIndex frame);
  // For PageClient::before_write, which has the page latched: as ExclusivePage::raise_flush_limit.
  void raise_flush_limit(FrameIndex frame, Lsn lsn);

  // Loads what is missing of `keys`, all reads at once. Best effort: errors show up when the page is read.
  void prefetch(std::span<const PageKey> keys, Access access);
  bool resident(PageKey key) const;

  // The smallest LSN from which a page that must survive a crash is dirty, or `now` (Log::end() loaded by the caller before).
  Lsn oldest_change(Lsn now) const;
  // Writes and syncs every page (but scratch ones) whose oldest change lies below `below`.
  Result<void> write_back(Lsn below);
  // Before bytes are written into pages [first, first + count) of the data file behind the pool's back (large values): no write of
  // one that was discarded before this call is under way when it returns, and a crash will not bring one back from the doublewrite
  // area.
  Result<void> settle_writes(std::uint32_t first, std::uint32_t count);
  // One round of the background page provider: keeps free frames above the low-water mark, by second chance. True if it did
  // something.
  Result<bool> run_background();
  // Under pressure: drops or writes up to `wanted` pages of old versions, so that their frames are free when somebody needs one.
  std::size_t spill_versions(std::size_t wanted);

  // memory::Reclaimer: gives whole chunks back, down to frames_min.
  std::size_t reclaim(std::size_t bytes) override;
  std::size_t reclaimable() const override;
  std::string_view obstacle() const override { return "every page above the least is latched, pinned or cannot be written"; }

  struct Counts {
    std::uint64_t frames = 0, free = 0, dirty = 0, versions = 0;
  };
  Counts counts() const;

 private:
  friend class ExclusivePage;
  friend class FreeFrame;
  struct Latched {  // a word as it was before it was latched, 0: not latched
    std::uint64_t word = 0;
    explicit operator bool() const { return word != 0; }
  };
  struct Swept {
    std::size_t freed = 0;
    bool busy = false;  // frames were passed over that may soon be free
  };
  enum class Cooling : std::uint8_t { respected, ignored };

  Pool(memory::PageProvider& provider, Metrics& metrics, LogGate& log, const PoolOptions& options);
  Result<void> open_memory(memory::PageProvider& provider, const PoolOptions& options);
  static void warm(const char* bytes) { word_of(bytes).fetch_and(~word_cooling, std::memory_order_relaxed); }

  // pool.cpp: how a page comes into a frame and leaves it
  ExclusivePage latch_frame(FrameIndex frame, PageKey key);
  Latched try_latch_word(FrameIndex frame) const;
  ExclusivePage place(FreeFrame& frame, PageKey key);
  enum class Wake : std::uint8_t { one, later };  // of those who wait for a frame
  void drop(ExclusivePage page, Wake wake = Wake::one);
  // loading.cpp
  Result<ExclusivePage> load(PageKey key, IfBad if_bad);
  Result<void> accept(ExclusivePage& page, const char* image, IfBad if_bad);
  void publish(ExclusivePage page, Access access);
  std::size_t prefetch_some(std::span<const PageKey> keys, Access access);
  Result<ExclusivePage> latch_loading(PageKey key, IfBad if_bad);

  // chunks.cpp: free frames and where they come from
  FrameIndex frames_of_chunk() const { return static_cast<FrameIndex>(arena_.chunk_bytes() >> page_shift_); }
  FreeFrame pop_free();
  void free_frame(FrameIndex frame, Wake wake = Wake::one);
  void wait_for_free_frame();
  bool grow(std::size_t enough);
  void add_chunk(std::size_t chunk) PLIMSOLL_REQUIRES(chunk_mutex_);
  bool empty_chunk(std::size_t chunk);
  void give_back(std::size_t chunk);
  void decommit(std::size_t chunk) PLIMSOLL_REQUIRES(clock_mutex_);
  void scrub();
  void unpark_frames(std::size_t chunk);
  void park_free_frames(std::size_t chunk);
  bool drop_or_collect(std::size_t chunk, WriteCandidates& dirty);
  std::size_t cheapest_chunk(std::span<const std::size_t> tried) const;
  std::size_t cost_of_chunk(std::size_t chunk) const;

  // eviction.cpp
  FreeFrame try_take_frame();
  Result<FreeFrame> take_by_eviction();
  Swept sweep(std::size_t wanted, WriteCandidates* dirty, Cooling cooling, std::size_t steps);
  Swept sweep(std::size_t wanted, WriteCandidates* dirty, Cooling cooling);
  void note_whether_inner(const ExclusivePage& page);
  bool holds_versions(FrameIndex frame) const;
  FrameIndex next_in_clock() PLIMSOLL_REQUIRES(clock_mutex_);
  void look_at(FrameIndex frame, WriteCandidates* dirty, Cooling cooling, Swept& swept) PLIMSOLL_REQUIRES(clock_mutex_);
  bool try_drop_clean(FrameIndex frame);
  Result<bool> evict(Cooling cooling, Swept& swept, TurnHolder& evictor);
  Result<std::size_t> write_for_eviction(const WriteCandidates& dirty, TurnHolder& evictor);

  // write_back.cpp; the caller has the writer's turn
  enum class After : std::uint8_t { keep, evict_if_cooling, evict };
  enum class Waiting : bool { no, yes };
  Result<std::size_t> write_frames(std::span<const FrameIndex> frames, Waiting waiting, After after);
  void copy_out(FrameIndex frame, Waiting waiting, WriteBatch& batch);
  Result<void> store(WriteBatch& batch);
  Result<void> write_in_place(std::span<const WriteBatch::Entry> entries, bool sync);
  Result<void> settle_area();
  void finish(const WriteBatch::Entry& entry, bool stored, After after);

  char* base_ = nullptr;
  unsigned page_shift_ = 13, chunk_frames_shift_ = 0;
  FrameIndex frames_ = 0;  // addressable frames; those in uncommitted chunks read as word 0
  PageClient* client_ = nullptr;
  FrameInfo* infos_ = nullptr;

  memory::MemoryBudget& budget_;
  Metrics& metrics_;
  LogGate& log_;
  const std::uint64_t salt_;
  memory::Mapping info_memory_, write_buffer_;
  memory::ChunkArena arena_;
  Translation translation_;
  ReadBuffers read_buffers_;
  FileTable files_;
  io::File* doublewrite_ = nullptr;
  std::atomic<std::uint64_t> data_discards_{0};
  DoublewritePages doublewritten_;

  mutable Mutex free_mutex_{LatchRank::pool};
  FrameIndex free_head_ PLIMSOLL_GUARDED_BY(free_mutex_) = no_frame;
  std::size_t closing_chunk_ PLIMSOLL_GUARDED_BY(free_mutex_) = no_chunk;  // its frames are parked instead of freed
  CondVar frame_freed_;
  std::atomic<std::size_t> free_count_{0};
  std::atomic<unsigned> free_waiters_{0};

  static constexpr std::size_t no_chunk = ~std::size_t{0};
  Mutex chunk_mutex_{LatchRank::pool};     // commits
  std::atomic<std::size_t> committed_{0};  // chunks
  std::size_t chunks_min_ = 0;
  std::atomic<std::uint64_t> decommitted_ns_{0}, scrubbed_ns_{0};
  std::atomic<std::uint64_t> reclaimed_ns_{0};  // when somebody last wanted chunks back; 0: never
  Turn reclaim_turn_{LatchRank::pool};
  Turn evictor_turn_{LatchRank::pool};  // moves the hand; its holder may take the writer's turn, never the other way round

  Mutex clock_mutex_{LatchRank::pool};  // the hand; and that no chunk goes while its frames are looked at
  FrameIndex hand_ PLIMSOLL_GUARDED_BY(clock_mutex_) = 0;
  Turn writer_turn_{LatchRank::writer};               // the write buffer, the doublewrite area, FrameInfo::writing
  bool unsettled_ = false;                            // under the turn: pages of the area's batch may be torn in their places
  std::optional<memory::Registration> registration_;  // once it is open
};

}  // namespace plimsoll::storage
