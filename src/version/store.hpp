// The version store (D4, D6): version pages in segments of a scratch file, one file an incarnation (each open starts a new one).
//
// A segment is 8 adjacent pages. Segments are filled by lanes; a lane belongs to a few threads, or to one big transaction alone.
// For each segment the store keeps: live bytes (entries not yet found garbage), unfinished entries (of transactions that have
// neither committed nor been reverted), and the range of timestamps at which its versions end. A segment is freed when nothing in
// it is unfinished and either no live byte is left or every version in it ended at or before the oldest admissible snapshot
// (pointers into it are then never followed again: walkers stop at the first stamp that old).
//
// Life of an entry: reserve() before latches carves its bytes out of a lane's page (a hole) -> fill() under the leaf latch and the
// version page's latch -> commit: finish() -> dead(), once, when it is unlinked or reverted, or with its whole segment.
//
// Thread-safe. Owns the version file of this incarnation; older ones are read-only guests of the pool, removed when their losers
// are reverted.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string>

#include "base/metrics.hpp"
#include "log/log.hpp"
#include "memory/page_provider.hpp"
#include "storage/pool.hpp"
#include "version/entry.hpp"

namespace plimsoll::version {

inline constexpr std::uint32_t segment_pages = 8;
using SegmentIndex = std::uint32_t;
inline constexpr SegmentIndex no_segment = 0xFFFFFFFF;

struct Segment {
  std::atomic<std::uint32_t> live_bytes{0};
  std::atomic<std::uint32_t> unfinished{0};  // entries; also reservations not yet filled, and the private lane that it belongs to
  std::atomic<std::uint32_t> live_entries{0};
  std::atomic<std::uint64_t> newest_end{0};  // largest timestamp at which a version in it ended
  std::atomic<std::uint64_t> oldest_end{0};  // smallest one: a snapshot before it sees each version that began by then
  std::atomic<std::uint32_t> tombstones{0};  // entries whose change was an erase
  std::atomic<std::uint32_t> filled_bytes{0};
  std::atomic<std::uint8_t> state{0};  // free, open, closed
  std::uint8_t pages_used = 0;
  SegmentIndex next = no_segment;  // of a big transaction's chain, or of the free list
};
enum class SegmentState : std::uint8_t { free = 0, open = 1, closed = 2 };

// Where an entry may go. `address` 0: nothing reserved.
struct Reserved {
  std::uint64_t address = 0;
  storage::FrameIndex frame = storage::no_frame;
  std::uint16_t bytes = 0;
};

// The pages that one big transaction fills alone. Owned by the transaction; used by its thread.
struct PrivateLane {
  SegmentIndex first = no_segment, current = no_segment;
  std::uint32_t page_in_segment = 0, offset = 0;
  storage::FrameIndex frame = storage::no_frame;
};

class Store {
 public:
  // `file` is the one that the pool knows under `incarnation`.
  static Result<std::unique_ptr<Store>> open(storage::Pool& pool, io::File& file, memory::PageProvider& provider, log::Log& log,
                                             Metrics& metrics, std::uint16_t incarnation);
  ~Store();

  std::uint16_t incarnation() const { return incarnation_; }
  std::uint32_t page_bytes() const { return pool_.page_bytes(); }

  // Room for an entry of `bytes`; takes a frame when a page is full. No latch may be held.
  Result<Reserved> reserve(std::uint16_t bytes, PrivateLane* lane);
  // The latched page of a reservation (resident: it is pinned while its lane is on it, and latched by frame otherwise only if still
  // there).
  storage::ExclusivePage latch(const Reserved& reserved);
  void cancel(const Reserved& reserved);  // not filled: the hole stays
  // Writes the entry into its reservation; the caller has latched the page, and sets its LSN.
  void fill(storage::ExclusivePage& page, const Reserved& reserved, const Entry& entry);

  // The entry's transaction committed at `end`, or was reverted (end = 0). Called once an entry, or once for a private lane.
  void finish(std::uint64_t address, std::uint64_t end, bool tombstone);
  void finish_lane(PrivateLane& lane, std::uint64_t end, bool reverted);
  // The entry will not be needed again.
  void dead(std::uint64_t address, std::uint16_t bytes);
  // Ends a private lane's use of its page (before finish_lane).
  void close_lane(PrivateLane& lane);

  // A page on which nothing unfinished lies (storage::PageClient).
  bool scratch(storage::PageKey page) const;
  bool ours(std::uint64_t address) const { return incarnation_of(address) == incarnation_; }

  // --- for the collector ---
  // Closes shared lanes' segments in which nothing is unfinished, so that they can be collected: those in which no version ended
  // after `oldest`; with `idle`, also those to which nothing was added since the last such call; or all.
  enum class Retire : std::uint8_t { old, idle, all };
  void retire_lanes(std::uint64_t oldest, Retire which);
  std::uint32_t segments() const { return segments_high_.load(std::memory_order_acquire); }
  Segment& segment(SegmentIndex index) const {
    return *reinterpret_cast<Segment*>(arena_.chunk(0) + std::size_t{index} * sizeof(Segment));
  }
  SegmentIndex segment_of(std::uint64_t address) const { return storage::page_of(page_of(address)) / segment_pages; }
  // Gives the segment back; the caller has made sure that nothing refers to it. Its resident pages are discarded (their words
  // grow).
  void free_segment(SegmentIndex index);
  std::uint64_t pages_in_use() const { return pages_in_use_.load(std::memory_order_relaxed); }
  std::uint64_t live_bytes() const { return live_bytes_.load(std::memory_order_relaxed); }
  std::uint64_t live_entries() const { return live_entries_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::size_t lanes_max = 8;
  struct Lane {
    Mutex mutex{LatchRank::space};
    PrivateLane at PLIMSOLL_GUARDED_BY(mutex);
    std::uint64_t stood_at PLIMSOLL_GUARDED_BY(mutex) = 0;  // when it was last asked whether it is idle
  };
  Store(storage::Pool& pool, io::File& file, log::Log& log, Metrics& metrics)
      : pool_(pool), file_(file), log_(log), metrics_(metrics) {}
  Result<Reserved> reserve_in_private(PrivateLane& lane, std::uint16_t bytes);
  Result<Reserved> reserve_in_shared(std::uint16_t bytes);
  bool has_room(const PrivateLane& lane, std::uint16_t bytes) const;
  Reserved carve(PrivateLane& lane, std::uint16_t bytes);  // there is room
  Result<void> next_page(PrivateLane& lane, storage::FreeFrame frame);
  Result<SegmentIndex> take_segment();
  Result<void> grow_table();
  Result<void> grow_file(SegmentIndex index) PLIMSOLL_REQUIRES(table_mutex_);

  storage::Pool& pool_;
  io::File& file_;
  log::Log& log_;
  Metrics& metrics_;
  std::uint16_t incarnation_ = 0;
  memory::ChunkArena arena_;  // the segment table
  std::atomic<std::size_t> chunks_{0};
  std::atomic<bool> growing_{false};                                // a thread is in grow_table()
  std::uint64_t file_bytes_ PLIMSOLL_GUARDED_BY(table_mutex_) = 0;  // disk blocks that are there
  std::atomic<std::uint32_t> segments_high_{0};
  Mutex table_mutex_{LatchRank::commit};  // the free list and the table's growth
  SegmentIndex free_list_ PLIMSOLL_GUARDED_BY(table_mutex_) = no_segment;
  std::array<Lane, lanes_max> lanes_;
  std::atomic<std::uint64_t> pages_in_use_{0}, live_bytes_{0}, live_entries_{0};
};

}  // namespace plimsoll::version
