#include "registry/registry.hpp"

#include <algorithm>
#include <atomic>
#include <new>

#include "base/check.hpp"
#include "base/fail.hpp"
#include "base/perturb.hpp"

namespace plimsoll::registry {

Result<std::unique_ptr<Registry>> Registry::make(memory::PageProvider& provider, Metrics& metrics, HybridClock& clock,
                                                 TimeSource& time, std::uint32_t slots, std::size_t commits_kept,
                                                 std::uint64_t next_sequence) {
  std::unique_ptr<Registry> registry(new Registry(metrics, clock, time));
  PLIMSOLL_ASSIGN(registry->memory_, provider.map(memory::Account::registry, slots * sizeof(Slot)));
  PLIMSOLL_ASSIGN(registry->in_flight_memory_, provider.map(memory::Account::registry, in_flight_max * sizeof(InFlight)));
  if (commits_kept == 0) commits_kept = std::max<std::size_t>(std::size_t{slots} * 4, commit_table_least);
  PLIMSOLL_ASSIGN(registry->commit_table_, CommitTable::make(provider, commits_kept));
  PLIMSOLL_ASSIGN(registry->snapshots_, SnapshotSet::make(provider, std::size_t{slots} + 1));
  registry->count_ = slots;
  registry->first_sequence_ = std::max<std::uint64_t>(next_sequence, 1);
  for (std::uint32_t i = 0; i < slots; ++i) {
    Slot* slot = new (registry->slots() + i) Slot();
    slot->sequence = registry->first_sequence_;
  }
  {
    const MutexLock lock(registry->commit_mutex_);  // nobody else knows it yet; for the analysis
    registry->newest_commit_ = clock.last().value;
  }
  registry->read_only_horizon_.store(clock.last().value);
  registry->refresh_snapshots();
  return registry;
}

Registry::~Registry() {
  for (std::uint32_t i = 0; i < count_; ++i) slots()[i].~Slot();
}

// Low slots are preferred, so that scans stay short; each thread tries the one it had last first.
Result<SlotIndex> Registry::acquire(std::uint64_t deadline_ns, Bytes label) {
  thread_local SlotIndex preferred = 0;
  for (std::uint32_t tried = 0; tried <= count_; ++tried) {
    const SlotIndex index = tried == 0 ? (preferred < count_ ? preferred : 0) : tried - 1;
    Slot& slot = slots()[index];
    std::uint64_t control = slot.control.load(std::memory_order_relaxed);
    if (status_of(control) != Status::free) continue;
    if (!slot.control.compare_exchange_strong(control, with_status(control, Status::in_operation), std::memory_order_acq_rel))
      continue;
    preferred = index;
    std::uint32_t high = high_.load(std::memory_order_relaxed);
    while (high <= index && !high_.compare_exchange_weak(high, index + 1, std::memory_order_seq_cst)) {}
    slot.state.store(TransactionState::active, std::memory_order_relaxed);
    slot.timestamp.store(0, std::memory_order_relaxed);
    slot.deadline_ns.store(deadline_ns, std::memory_order_relaxed);
    slot.written_bytes.store(0, std::memory_order_relaxed);
    const std::uint64_t sequence = slot.sequence.load(std::memory_order_relaxed);
    slot.sequence.store(sequence + 1, std::memory_order_release);
    const auto label_bytes = static_cast<std::uint32_t>(std::min(label.size(), sizeof slot.label - 1));
    // Others read these meanwhile. Released, so that who sees a byte of the new label also sees that all else of the old is gone.
    for (std::uint32_t i = 0; i < label_bytes; ++i) std::atomic_ref(slot.label[i]).store(label[i], std::memory_order_release);
    slot.label_bytes.store(label_bytes, std::memory_order_release);
    slot.id.store(make_id(sequence, index).value, std::memory_order_release);
    active_.fetch_add(1, std::memory_order_seq_cst);
    return index;
  }
  return fail(ErrorCode::too_many_transactions, "all {} transaction slots are taken (max_transactions)", count_);
}

void Registry::adopt(TxnId id, TransactionState state) {
  const SlotIndex index = slot_of(id);
  PLIMSOLL_CHECK(index < count_ && slots()[index].id.load() == 0);
  Slot& slot = slots()[index];
  const bool prepared = state == TransactionState::prepared;  // it waits for its coordinator; a loser is its reverter's
  slot.control.store(with_status(slot.control.load(), prepared ? Status::idle : Status::in_operation));
  slot.state.store(state);
  slot.sequence = std::max(slot.sequence.load(), sequence_of(id) + 1);
  slot.id.store(id.value);
  high_.store(std::max(high_.load(), index + 1));
  active_.fetch_add(1, std::memory_order_relaxed);
}

void Registry::release(SlotIndex index) {
  Slot& slot = slots()[index];
  PLIMSOLL_CHECK(status_of(slot.control.load(std::memory_order_relaxed)) != Status::free);
  slot.id.store(0, std::memory_order_seq_cst);
  wake_waiters(index);  // who enqueued after the owner's last wake-up and has not looked again yet
  slot.snapshot.store(snapshot_none, std::memory_order_release);
  active_.fetch_sub(1, std::memory_order_relaxed);
  std::uint64_t control = slot.control.load(std::memory_order_relaxed), next;
  do next = (control & ~(generation_step - 1)) + generation_step;
  while (!slot.control.compare_exchange_weak(control, next, std::memory_order_acq_rel));
}

std::uint64_t Registry::next_sequence() const {
  std::uint64_t next = first_sequence_;
  for (std::uint32_t i = 0; i < slots_high(); ++i) {
    const std::uint64_t id = slots()[i].id.load(std::memory_order_acquire);
    next = std::max(next, id != 0 ? sequence_of(TxnId{id}) + 1 : slots()[i].sequence.load(std::memory_order_relaxed));
  }
  return next;
}

Timestamp Registry::take_snapshot(SlotIndex index, bool read_only) {
  Slot& slot = slots()[index];
  slot.snapshot.store(snapshot_acquiring, std::memory_order_seq_cst);
  const Timestamp now = read_only ? read_only_horizon() : clock_.last();
  slot.snapshot.store(now.value, std::memory_order_release);
  return now;
}

bool Registry::admits(SlotIndex index, Timestamp at) const {
  bool admissible = at.value >= snapshots_.horizon();
  for (std::uint32_t i = 0; i < slots_high() && !admissible; ++i)
    admissible = i != index && slots()[i].snapshot.load(std::memory_order_seq_cst) == at.value;
  return admissible;
}

Result<void> Registry::take_snapshot_at(SlotIndex index, Timestamp at) {
  Slot& slot = slots()[index];
  if (at.value > clock_.last().value)
    return fail(ErrorCode::invalid_argument, "timestamp {} lies in the future (now {})", at.value, clock_.last().value);
  MutexLock lock(snapshot_mutex_);  // against the collector's scan (rule 7)
  if (!admits(index, at))
    return fail(ErrorCode::snapshot_too_old, "versions at timestamp {} may be gone: the window begins at {}", at.value,
                snapshots_.horizon());
  slot.snapshot.store(at.value, std::memory_order_seq_cst);
  return {};
}

Result<void> Registry::set_external_floor(Timestamp floor) {
  MutexLock lock(snapshot_mutex_);
  if (floor && floor.value < snapshots_.horizon())
    return fail(ErrorCode::snapshot_too_old, "versions at {} may be gone already: the window begins at {}", floor.value,
                snapshots_.horizon());
  floor_ = floor.value;
  return {};
}

bool Registry::refresh_snapshots() {
  if (!snapshot_mutex_.try_lock()) return false;
  // Rule 6: the horizon first, then the scan.
  std::uint64_t horizon = read_only_horizon().value;
  if (const auto window = window_.load(std::memory_order_seq_cst); window != 0) horizon = std::min(horizon, window);
  if (floor_ != 0) horizon = std::min(horizon, floor_);
  horizon = std::max(horizon, snapshots_.horizon());  // what was once collectable stays so
  std::uint64_t* points = snapshots_.points();
  std::size_t count = 0;
  std::uint64_t oldest_writer = ~std::uint64_t{0};
  for (std::uint32_t i = 0; i < slots_high(); ++i) {
    Backoff backoff;
    std::uint64_t point;
    while ((point = slots()[i].snapshot.load(std::memory_order_seq_cst)) == snapshot_acquiring) backoff.pause();
    if (point == snapshot_none) continue;
    points[count++] = point;
    if (!slots()[i].read_only.load(std::memory_order_seq_cst)) oldest_writer = std::min(oldest_writer, point);
  }
  std::sort(points, points + count);
  snapshots_.publish(static_cast<std::size_t>(std::unique(points, points + count) - points), Timestamp{horizon}, oldest_writer);
  snapshot_mutex_.unlock();
  return true;
}

// Whoever stores its own after it was looked at here claims its first record later still, above `now`.
Lsn Registry::first_lsn_of_open(Lsn now) const {
  std::uint64_t first = now.value;
  for (std::uint32_t i = 0; i < slots_high(); ++i)
    if (const std::uint64_t its = slots()[i].first_lsn.load(std::memory_order_seq_cst); its != 0) first = std::min(first, its);
  return Lsn{first};
}

bool Registry::all_ended_or_prepared() const {
  std::uint32_t prepared = 0;
  for (std::uint32_t i = 0; i < slots_high(); ++i) {
    const Slot& slot = slots()[i];  // one that is being decided has another status
    if (slot.state.load() == TransactionState::prepared && status_of(slot.control.load()) == Status::idle) ++prepared;
  }
  return active() == prepared;
}

void Registry::note_commit(Timestamp timestamp, Lsn lsn, bool relaxed) {
  PLIMSOLL_CHECK(timestamp.value > newest_commit_);
  newest_commit_ = timestamp.value;
  if (relaxed) {
    if (in_flight_head_ == in_flight_tail_) read_only_horizon_.store(timestamp.value, std::memory_order_seq_cst);
    return;
  }
  InFlight* ring = in_flight_memory_.as<InFlight>();
  if (in_flight_tail_ - in_flight_head_ ==
      in_flight_max) {  // full: the newest one stands for this one too, which only holds the horizon back
    ring[(in_flight_tail_ - 1) % in_flight_max].lsn = lsn.value;
    return;
  }
  ring[in_flight_tail_++ % in_flight_max] = {timestamp.value, lsn.value};
  if (in_flight_tail_ - in_flight_head_ == 1) oldest_in_flight_lsn_.store(lsn.value, std::memory_order_seq_cst);
}

void Registry::note_durable(Lsn lsn) {
  if (oldest_in_flight_lsn_.load(std::memory_order_seq_cst) > lsn.value) return;
  MutexLock lock(commit_mutex_);
  const auto* ring = in_flight_memory_.as<InFlight>();
  while (in_flight_head_ != in_flight_tail_ && ring[in_flight_head_ % in_flight_max].lsn <= lsn.value) ++in_flight_head_;
  const bool none = in_flight_head_ == in_flight_tail_;
  const InFlight oldest = none ? InFlight{newest_commit_ + 1, ~std::uint64_t{0}} : ring[in_flight_head_ % in_flight_max];
  oldest_in_flight_lsn_.store(oldest.lsn, std::memory_order_seq_cst);
  read_only_horizon_.store(std::max(read_only_horizon_.load(), oldest.timestamp - 1), std::memory_order_seq_cst);
}

Outcome Registry::find(TxnId id) const {
  const SlotIndex index = slot_of(id);
  if (index < count_) {
    const Slot& slot = slots()[index];
    if (slot.id.load(std::memory_order_acquire) == id.value) {
      perturb(Window::resampled);
      const TransactionState state = slot.state.load(std::memory_order_seq_cst);
      const Timestamp timestamp{slot.timestamp.load(std::memory_order_acquire)};
      if (slot.id.load(std::memory_order_seq_cst) == id.value) {
        switch (state) {
          case TransactionState::active: return {Outcome::Kind::active};
          case TransactionState::preparing: return {Outcome::Kind::active};
          case TransactionState::pending: return {Outcome::Kind::pending};
          case TransactionState::prepared: return {Outcome::Kind::prepared};
          case TransactionState::committing:
          case TransactionState::committed: return {Outcome::Kind::committed, timestamp};
          case TransactionState::aborted: return {Outcome::Kind::aborted};
        }
      }
    }
  }
  if (const auto timestamp = commit_table_.find(id)) return {Outcome::Kind::committed, *timestamp};
  return {Outcome::Kind::long_committed};
}

}  // namespace plimsoll::registry
