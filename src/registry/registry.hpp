// The registry (D5): the only place that knows transactions by id. Owns the slots, the commit table, the snapshot set, the newest
// committing timestamp and the read-only horizon, and the wait-for graph (each transaction waits for at most one other, so a cycle
// is found by following edges).
//
// Thread-safe. Lookups are lock-free and are called by readers for every mark they meet.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/hybrid_clock.hpp"
#include "base/metrics.hpp"
#include "memory/page_provider.hpp"
#include "registry/commit_table.hpp"
#include "registry/slot.hpp"
#include "registry/snapshot_set.hpp"

namespace plimsoll::registry {

// What a mark's transaction came to, as a reader or writer needs it.
struct Outcome {
  enum class Kind : std::uint8_t { active, pending, prepared, committed, aborted, long_committed } kind;
  Timestamp timestamp{};  // of `committed`
};

// What a message calls a transaction. Of fixed size.
class TransactionName {
 public:
  TransactionName(TxnId id, std::string_view label);
  std::string_view text() const { return {text_.data(), bytes_}; }

 private:
  std::array<char, 64> text_;
  std::size_t bytes_;
};

class Registry {
 public:
  // `commits_kept`: places in the commit table; 0: as many as suit the slots.
  static Result<std::unique_ptr<Registry>> make(memory::PageProvider& provider, Metrics& metrics, HybridClock& clock,
                                                TimeSource& time, std::uint32_t slots, std::size_t commits_kept,
                                                std::uint64_t next_sequence);
  ~Registry();

  // --- life of a slot ---
  // A free slot, taken, with a new id and state active; no snapshot yet. Beginning it is the first operation, which the caller
  // leaves. too_many_transactions.
  Result<SlotIndex> acquire(std::uint64_t deadline_ns, Bytes label);
  // Recovery: takes the slot that belongs to `id`.
  void adopt(TxnId id, TransactionState state);
  // The transaction has ended: id = 0 first, then the snapshot, then the control word.
  void release(SlotIndex slot);
  Slot& slot(SlotIndex index) { return slots()[index]; }
  const Slot& slot(SlotIndex index) const { return slots()[index]; }
  std::uint32_t slot_count() const { return count_; }
  std::uint32_t slots_high() const { return high_.load(std::memory_order_seq_cst); }  // slots at or above were never used
  std::uint64_t next_sequence() const;

  // --- snapshots (protocols.md rules 5-7, 16) ---
  Timestamp take_snapshot(SlotIndex slot, bool read_only);  // publishes and answers it
  void drop_snapshot(SlotIndex slot) { slots()[slot].snapshot.store(snapshot_none, std::memory_order_release); }
  // A snapshot at a timestamp that the caller gives: one of the published points, or inside the window [window, now].
  Result<void> take_snapshot_at(SlotIndex slot, Timestamp at);
  void set_window(Timestamp from) { window_.store(from.value, std::memory_order_seq_cst); }  // 0: no retention
  // Nothing at or above `floor` is collected (0: none). snapshot_too_old: some of it may be gone already.
  Result<void> set_external_floor(Timestamp floor);
  // Scans the slots and publishes the admissible snapshots. False: somebody else is at it.
  bool refresh_snapshots();
  // The same, unless there are so many slots that a writer should leave it to the background.
  void refresh_if_cheap() {
    if (slots_high() <= slots_cheap) refresh_snapshots();
  }
  const SnapshotSet& snapshots() const { return snapshots_; }

  // --- commit order ---
  // Largest timestamp below which every commit is durable, or relaxed and acknowledged.
  Timestamp read_only_horizon() const { return Timestamp{read_only_horizon_.load(std::memory_order_seq_cst)}; }
  // Called inside the commit latch, in timestamp order: a strict commit will be durable with the log up to `lsn`; a relaxed one
  // counts at once.
  void note_commit(Timestamp timestamp, Lsn lsn, bool relaxed) PLIMSOLL_REQUIRES(commit_mutex_);
  // Together with the claim of the record that says so.
  void set_prepared(SlotIndex index) PLIMSOLL_REQUIRES(commit_mutex_) {
    slots()[index].state.store(TransactionState::prepared, std::memory_order_seq_cst);
  }
  // With the log's end `now`: no record of a transaction that is open, or begins later, lies below the answer.
  Lsn first_lsn_of_open(Lsn now) const;
  // The log is durable up to `lsn`.
  void note_durable(Lsn lsn);
  Mutex& commit_mutex() PLIMSOLL_RETURN_CAPABILITY(commit_mutex_) { return commit_mutex_; }

  // --- looking up ---
  Outcome find(TxnId id) const;
  CommitTable& commit_table() { return commit_table_; }

  // --- waiting ---
  // Hangs `self` on `holder`, calls still_in_the_way() and sleeps until woken, killed or the deadline. `deadlock` without waiting
  // if that would close a cycle; lock_timeout; transaction_timeout when killed. Returns at once if the holder no longer is in the
  // way.
  Result<void> wait_for(SlotIndex self, TxnId holder, std::uint64_t deadline_ns, const std::function<bool()>& still_in_the_way);
  // After the holder's marks have been cleared (rule 20): wakes all who hang on it.
  void wake_waiters(SlotIndex holder);
  // Sets the kill flag, wakes the victim and answers its control word. Nothing: no such transaction, or nobody may kill it any
  // more.
  std::optional<std::uint64_t> kill(TxnId id);
  std::vector<WaitEdge> wait_graph() const;
  std::vector<TransactionInfo> list() const;

  // --- for messages (names.cpp) ---
  // The id, and the label as long as the slot has not been taken again: "131073 'nightly report'".
  TransactionName name(TxnId id) const;
  // Who committed at this timestamp; 0: not known any more, or too many slots to look through.
  TxnId committer(Timestamp at) const;

  // A transaction that is not counted yet comes to look at anything only after this call.
  std::uint64_t active() const { return active_.load(std::memory_order_seq_cst); }
  bool all_ended_or_prepared() const;  // when nothing begins any more

 private:
  Registry(Metrics& metrics, HybridClock& clock, TimeSource& time) : metrics_(metrics), clock_(clock), time_(time) {}
  Slot* slots() const { return memory_.as<Slot>(); }
  Slot& waiting(SlotIndex index) const PLIMSOLL_REQUIRES(wait_mutex_) { return slots()[index]; }  // for its wait edges
  bool closes_cycle(SlotIndex self, TxnId holder) const PLIMSOLL_REQUIRES(wait_mutex_);
  bool enqueue(SlotIndex self, TxnId holder);
  void unlink_waiter(SlotIndex self, TxnId holder) PLIMSOLL_REQUIRES(wait_mutex_);
  bool admits(SlotIndex index, Timestamp at) const PLIMSOLL_REQUIRES(snapshot_mutex_);

  static constexpr std::size_t in_flight_max = 4096, commit_table_least = 16'384;
  static constexpr std::uint32_t slots_cheap = 64;  // to look through on a transaction's own way
  struct InFlight {
    std::uint64_t timestamp, lsn;
  };

  Metrics& metrics_;
  HybridClock& clock_;
  TimeSource& time_;
  memory::Mapping memory_, in_flight_memory_;
  std::uint32_t count_ = 0;
  std::uint64_t first_sequence_ = 1;
  std::atomic<std::uint32_t> high_{0};
  std::atomic<std::uint64_t> active_{0}, window_{0}, read_only_horizon_{0};
  CommitTable commit_table_;
  SnapshotSet snapshots_;
  Mutex commit_mutex_{LatchRank::commit};
  // Strict commits not yet durable, a ring in timestamp order.
  std::uint64_t in_flight_head_ PLIMSOLL_GUARDED_BY(commit_mutex_) = 0, in_flight_tail_ PLIMSOLL_GUARDED_BY(commit_mutex_) = 0,
                                newest_commit_ PLIMSOLL_GUARDED_BY(commit_mutex_) = 0;
  std::atomic<std::uint64_t> oldest_in_flight_lsn_{~std::uint64_t{0}};
  Mutex snapshot_mutex_{LatchRank::snapshot_set};
  std::uint64_t floor_ PLIMSOLL_GUARDED_BY(snapshot_mutex_) = 0;
  mutable Mutex wait_mutex_{LatchRank::slot};
  std::uint64_t wait_number_ PLIMSOLL_GUARDED_BY(wait_mutex_) = 0;
};

}  // namespace plimsoll::registry
