// Collects versions that no admissible snapshot can see (D6). A round refreshes the snapshot set, evicts the commit table, frees
// segments that are garbage as a whole, and, when enough may be won, sweeps the others entry by entry: chains are pruned, and what
// survives in a sparse segment moves to a fresh one. Before a segment goes, the tombstones whose only witnesses are in it are
// purged from their leaves.
//
// One round at a time; rounds are started by the background thread and by writers who have produced enough. A round is short: a
// sweep goes on in the next one where the work of this one ended.
#pragma once

#include <span>
#include <utility>

#include "btree/trees.hpp"
#include "memory/page_provider.hpp"
#include "version/chain.hpp"
#include "version/store.hpp"

namespace plimsoll::version {

class Collector final : public memory::Reclaimer {
 public:
  static constexpr std::size_t memo_bytes = 16u << 10;

  // `memo`: so many zeroed bytes.
  Collector(memory::Mapping memo, storage::Pool& pool, Store& store, registry::Registry& registry, log::Log& log,
            btree::Trees& trees, Chains& chains, Metrics& metrics, memory::PressureManager& pressure)
      : memo_(std::move(memo)),
        pool_(pool),
        store_(store),
        registry_(registry),
        log_(log),
        trees_(trees),
        chains_(chains),
        metrics_(metrics),
        registration_(pressure, memory::Rung::versions, memory::Account::frames, *this) {}

  // Held by each round; by whoever else merges or frees pages in the background; and by verify, which must see none of that.
  Mutex& mutex() PLIMSOLL_RETURN_CAPABILITY(mutex_) { return mutex_; }

  void stands_still() const PLIMSOLL_REQUIRES(mutex_) {}  // for the analysis

  // Urgent: somebody has no room left, so that a sweep that pays is not put off.
  enum class Urgency : bool { none, urgent };
  // True if something was freed, or a sweep is to go on. False at once if a round is already running.
  bool run(Urgency urgency = Urgency::none);
  bool round(Urgency urgency) PLIMSOLL_REQUIRES(mutex_);  // the same for whoever waits for the mutex
  // memory::Reclaimer: an urgent round, then what is left of old versions is spilled if it is cold; the pool gives back what that
  // has emptied.
  std::size_t reclaim(std::size_t bytes) override;
  std::string_view obstacle() const override { return "what versions there are is needed, or the pool is at its least"; }
  // Removes the record of `key` from its leaf if it is a deleted one that every admissible snapshot sees as deleted.
  Result<bool> purge(TreeId tree, Bytes key);
  // The leaf of `key`, with a neighbour. False: they do not fit into one, or nothing could be done about it just now.
  Result<bool> merge(TreeId tree, Bytes key);
  // The tree is about to be freed and no transaction runs: its entries are dead, and their keys are not looked up any more.
  Result<void> forget(TreeId tree);

 private:
  struct Position {
    SegmentIndex segment = no_segment;
    std::uint32_t page = 0, offset = storage::page_header_bytes;
  };
  enum class Tombstones : bool { old, all };  // which are tried: those that every snapshot sees as deleted, or younger ones, too

  bool worth_a_sweep(Urgency urgency) PLIMSOLL_REQUIRES(mutex_);
  void begin_sweep() PLIMSOLL_REQUIRES(mutex_);
  bool free_garbage() PLIMSOLL_REQUIRES(mutex_);
  bool free_if_garbage(SegmentIndex index, Tombstones which) PLIMSOLL_REQUIRES(mutex_);
  bool go_on_sweeping() PLIMSOLL_REQUIRES(mutex_);
  bool sweep_segment() PLIMSOLL_REQUIRES(mutex_);
  bool surely_needed(const Entry& entry, std::uint64_t oldest_end) const;
  void sweep_entry(std::uint64_t address, const Entry& entry, bool move) PLIMSOLL_REQUIRES(mutex_);
  // The keys whose chains it has swept, some of them: odd hashes.
  std::span<std::uint32_t> swept_keys() PLIMSOLL_REQUIRES(mutex_) {
    return {memo_.as<std::uint32_t>(), memo_bytes / sizeof(std::uint32_t)};
  }
  template <class Each>
  bool for_each_entry(Position& at, Each each) PLIMSOLL_REQUIRES(mutex_);
  bool purge_tombstones(SegmentIndex index) PLIMSOLL_REQUIRES(mutex_);
  void stamp(TreeId tree, Bytes key);
  void need(storage::PageKey page) PLIMSOLL_REQUIRES(mutex_);  // counts its read, if that will be one
  void spend(std::int64_t work) PLIMSOLL_REQUIRES(mutex_) { work_left_ -= work; }

  const memory::Mapping memo_;
  storage::Pool& pool_;
  Store& store_;
  registry::Registry& registry_;
  log::Log& log_;
  btree::Trees& trees_;
  Chains& chains_;
  Metrics& metrics_;
  Mutex mutex_{LatchRank::collector};
  std::int64_t work_left_ PLIMSOLL_GUARDED_BY(mutex_) = 0;           // of this round
  SegmentIndex free_at_ PLIMSOLL_GUARDED_BY(mutex_) = 0;             // the segment that was looked at last
  SegmentIndex young_left_ PLIMSOLL_GUARDED_BY(mutex_) = 0;          // segments whose young tombstones are still to be tried
  std::uint64_t pages_after_young_ PLIMSOLL_GUARDED_BY(mutex_) = 0;  // in use, the fewest since all were tried
  Position sweep_at_ PLIMSOLL_GUARDED_BY(mutex_);                    // no segment: no sweep is under way
  SegmentIndex sweep_end_ PLIMSOLL_GUARDED_BY(mutex_) = 0;           // behind its last segment
  std::uint64_t live_after_sweep_ PLIMSOLL_GUARDED_BY(mutex_) = 0;   // the fewest entries since the last sweep
  std::size_t points_since_sweep_ PLIMSOLL_GUARDED_BY(mutex_) = 0;   // the most snapshots since then
  unsigned rounds_since_sweep_ PLIMSOLL_GUARDED_BY(mutex_) = 0;
  memory::Registration registration_;
};

}  // namespace plimsoll::version
