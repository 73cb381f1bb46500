// The ends of a transaction's life that are not commit: begin, abort, prepare and what recovery brings back.
#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "base/duration.hpp"
#include "base/fail.hpp"
#include "txn/transaction.hpp"

namespace plimsoll::txn {

using registry::Status;

// The slot has been acquired for this transaction.
Result<void> TransactionImpl::begin(const TransactionOptions& options) {
  id_ = TxnId{slot().id.load(std::memory_order_relaxed)};
  isolation_ = options.isolation;
  read_only_ = options.read_only || options.as_of.has_value();
  durable_ = options.durability == Durability::durable;
  written_bytes_max_ = options.written_bytes_max;
  lock_wait_ns_ = options.lock_deadline ? saturated_ns(*options.lock_deadline) : engine_.lock_deadline_ns;
  view_ = {&engine_.registry, 0, 0, false};
  handed_over_.store(false, std::memory_order_release);
  PLIMSOLL_DCHECK(last_entry_.load() == 0 && entries_ == 0 && write_set_ == nullptr && !needs_revert_ && !lingering_);
  slot().read_only.store(read_only_, std::memory_order_seq_cst);
  PLIMSOLL_TRY(take_snapshot(options));
  context_.begin_use(id_.value, slot().begun_ns.load(std::memory_order_relaxed));
  context_.set_cap(options.memory_bytes_max);
  return {};
}

Result<void> TransactionImpl::take_snapshot(const TransactionOptions& options) {
  read_position_ = follow_from_ = Lsn{};
  if (options.as_of) {
    PLIMSOLL_TRY(engine_.registry.take_snapshot_at(slot_, *options.as_of));
    view_.snapshot = options.as_of->value;
    if (*options.as_of > engine_.registry.read_only_horizon()) {  // it may see commits that are not durable: it waits for them
      if (engine_.log.failed())
        return fail(ErrorCode::read_only, "the log has failed: what was committed at that time may be lost");
      read_position_ = engine_.log.end();
    }
  } else if (options.with_position) {
    if (engine_.log.failed()) return fail(ErrorCode::read_only, "the log has failed: no snapshot has a position in it");
    // A commit draws its timestamp and the place of its record under this mutex: what lies below the log's end is in the snapshot.
    follow_from_ = engine_.registry.first_lsn_of_open(engine_.log.end());
    const MutexLock lock(engine_.registry.commit_mutex());
    view_.snapshot = engine_.registry.take_snapshot(slot_, false).value;
    read_position_ = engine_.log.end();
  } else {
    // After a log error nothing may be read that could be lost.
    view_.read_only = read_only_ || engine_.log.failed();
    view_.snapshot = engine_.registry.take_snapshot(slot_, view_.read_only).value;
    if (!read_only_) read_position_ = engine_.log.end();
  }
  return {};
}

// READ COMMITTED sees what was committed when the statement began.
void TransactionImpl::statement_snapshot() {
  if (isolation_ != Isolation::read_committed || read_only_) return;
  view_.read_only = engine_.log.failed();
  view_.snapshot = engine_.registry.take_snapshot(slot_, view_.read_only).value;
  read_position_ = engine_.log.end();
}

// The engine's from here on: whoever lets one go only counts it.
void TransactionImpl::disown_handles() {
  if (const std::uint64_t handles = std::exchange(handles_, 0); handles != 0) engine_.stale_handles.fetch_add(handles);
}

void TransactionImpl::hand_over() {
  disown_handles();
  handed_over_.store(true, std::memory_order_release);
}

// Forgets everything but the slot. The slot is released by the caller.
void TransactionImpl::end(bool committed) {
  engine_.metrics.add(committed ? Counter::transactions_committed : Counter::transactions_aborted);
  last_entry_.store(0, std::memory_order_release);
  entries_ = write_count_ = written_bytes_ = 0;
  disown_handles();
  global_id_bytes_ = 0;
  needs_revert_ = recovered_ = false;
  view_.own_mark = 0;
  slot().first_lsn.store(0, std::memory_order_release);
  write_set_ = nullptr;
  savepoints_ = nullptr;
  key_memory_ = nullptr;  // of a statement whose undo has failed
  savepoint_count_ = savepoint_number_ = 0;
  context_.rest();
}

// The owner's abort. After an error the transaction is parked and the background goes on; readers step over its marks meanwhile.
Result<void> TransactionImpl::abort() {
  slot().state.store(TransactionState::aborted, std::memory_order_seq_cst);
  PLIMSOLL_TRY(revert_all(Pace::wait));
  end_aborted();
  return {};
}

Result<bool> TransactionImpl::revert_loser() {
  PLIMSOLL_ASSIGN(const bool reverted, revert_all(Pace::leave_off));
  if (reverted) end_aborted();
  return reverted;
}

void TransactionImpl::end_aborted() {
  id_ = TxnId{};
  end(false);
  engine_.registry.release(slot_);
}

// On the owner's behalf: this thread has taken the control word to `reverting`. The memory stays until the owner lets go: what was
// handed out of it may be looked at meanwhile.
void TransactionImpl::revert_and_park() {
  slot().state.store(TransactionState::aborted, std::memory_order_seq_cst);
  const auto reverted = revert_all(Pace::leave_off);
  engine_.registry.drop_snapshot(slot_);
  std::uint64_t control = slot().control.load(std::memory_order_acquire);
  PLIMSOLL_CHECK(registry::status_of(control) == Status::reverting);
  while (!slot().control.compare_exchange_weak(control, registry::with_status(control, Status::parked))) {}
  if (reverted && *reverted) release_if_done();
}

// Restores every record that the aborted transaction changed, and tells the log when that is done.
Result<bool> TransactionImpl::revert_all(Pace pace) {
  const memory::ReserveScope aborting;
  needs_revert_ = true;
  // One that recovery found, or that is prepared, must be known to have ended, even if nothing is left to restore.
  if (last_entry() != 0 || global_id_bytes_ != 0 || recovered_) {
    char payload[64];
    log::Writer writer(payload);
    log::write_ending(writer, {id_, last_entry(), {}});
    PLIMSOLL_ASSIGN(log::Credit credit, engine_.log.reserve(2 * log::record_bytes(writer.size()), log::Log::Priority::reserve,
                                                            pace == Pace::wait ? wait_deadline() : 0));
    engine_.log.append(credit, log::Kind::abort, writer.view());
    const Result<bool> reverted = revert_to(0, pace);
    if (!reverted || !*reverted) {
      engine_.registry.wake_waiters(slot_);  // what is restored so far is free
      return reverted;
    }
    log::Writer ending(payload);
    log::write_ending(ending, {id_, 0, {}});
    engine_.log.append(credit, log::Kind::end, ending.view());
    slot().first_lsn.store(0, std::memory_order_release);  // it may stay until its owner lets go, but commits nothing
  }
  // Entries count as unfinished until END is in the log (protocols.md rule 12).
  finish_reverted(0);
  engine_.versions.close_lane(lane_);
  engine_.versions.finish_lane(lane_, 0, true);
  needs_revert_ = false;
  engine_.registry.wake_waiters(slot_);
  return true;
}

Error TransactionImpl::why_ended(std::uint64_t id) const {
  if (sacrificed_.load(std::memory_order_acquire) == id)
    return fail(ErrorCode::memory_budget_exceeded, "transaction {} was aborted: memory was short, and it held most", id).error();
  return fail(ErrorCode::transaction_timeout,
              "transaction {} was ended by its deadline, a kill or an abort; what it wrote is undone", id)
      .error();
}

// A transaction that was ended on its owner's behalf keeps its slot until the owner lets go and everything is reverted.
void TransactionImpl::finish_handle(std::uint64_t id) {
  std::uint64_t control = slot().control.load(std::memory_order_acquire);
  do {
    const Status status = registry::status_of(control);
    if (slot().id.load() != id || (status != Status::reverting && status != Status::parked)) return;
    hand_over();  // before it may end
  } while (!slot().control.compare_exchange_weak(control, control | registry::handle_gone_bit));
  release_if_done();
}

bool TransactionImpl::release_if_done() {
  std::uint64_t control = slot().control.load(std::memory_order_acquire);
  if (registry::status_of(control) != Status::parked || (control & registry::handle_gone_bit) == 0 || needs_revert_.load())
    return false;
  if (!slot().control.compare_exchange_strong(control, registry::with_status(control, Status::committing))) return false;
  end_aborted();
  return true;
}

bool TransactionImpl::retry_revert() {
  std::uint64_t control = slot().control.load(std::memory_order_acquire);
  if (registry::status_of(control) != Status::parked || !needs_revert_.load()) return false;
  if (!slot().control.compare_exchange_strong(control, registry::with_status(control, Status::reverting))) return false;
  const std::uint64_t before = last_entry();
  revert_and_park();
  return !needs_revert_.load() || last_entry() != before;
}

// The transaction is `preparing` from here on; nobody else may take the same id.
Result<void> TransactionImpl::take_global_id(Bytes global_id) {
  if (global_id.empty() || global_id.size() > global_id_.size())
    return fail(ErrorCode::invalid_argument, "global id of {} bytes: 1 to {} are allowed", global_id.size(), global_id_.size());
  global_id.copy(global_id_.data(), global_id.size());
  global_id_bytes_ = global_id.size();
  slot().state.store(TransactionState::preparing, std::memory_order_seq_cst);
  return {};
}

Result<void> TransactionImpl::prepare() {
  PLIMSOLL_CHECK(id_ && slot().state.load() == TransactionState::preparing);
  char payload[160];
  log::Writer writer(payload);
  log::write_ending(writer, {id_, last_entry(), global_id()});
  auto credit = take_credit(log::record_bytes(writer.size()));
  const bool killed = (slot().control.load() & registry::killed_bit) != 0;
  if (!credit || killed) {
    global_id_bytes_ = 0;
    slot().state.store(TransactionState::active, std::memory_order_seq_cst);
    if (!credit) return std::unexpected(credit.error());
    return std::unexpected(why_ended(id_.value));
  }
  slot().deadline_ns.store(0, std::memory_order_relaxed);  // only its coordinator ends it now
  hand_over();
  log::Log::Span span;
  {
    MutexLock lock(engine_.registry.commit_mutex());  // a checkpoint sees the state together with the record
    span = engine_.log.claim(*credit, writer.size());
    engine_.registry.set_prepared(slot_);
  }
  const std::string_view piece = writer.view();
  engine_.log.fill(span, log::Kind::prepare, std::span(&piece, 1));
  engine_.registry.drop_snapshot(slot_);
  return engine_.log.flush_to(span.end);
}

void TransactionImpl::adopt(std::uint64_t last_entry, Bytes global_id) {
  id_ = TxnId{slot().id.load()};
  last_entry_.store(last_entry, std::memory_order_release);
  view_ = {&engine_.registry, 0, registry::mark_of(id_), false};
  lock_wait_ns_ = engine_.lock_deadline_ns;
  global_id.copy(global_id_.data(), global_id.size());
  global_id_bytes_ = global_id.size();
  durable_ = true;
  entries_ = 0;
  needs_revert_ = slot().state.load() == TransactionState::aborted;
  recovered_ = true;
  slot().first_lsn.store(1, std::memory_order_seq_cst);  // nobody knows any more: below everything
  context_.begin_use(id_.value, engine_.time.coarse_ns());
}

Result<void> TransactionImpl::abort_prepared() {
  if (auto aborted = abort(); !aborted) {  // decided all the same: the background goes on
    std::uint64_t control = slot().control.load();
    while (!slot().control.compare_exchange_weak(control,
                                                 registry::with_status(control, Status::parked) | registry::handle_gone_bit)) {}
    return aborted;
  }
  return engine_.log.flush_to(engine_.log.end());
}

bool TransactionImpl::release_if_lingering(std::uint64_t oldest) {
  if (!lingering_.exchange(false)) return false;  // first: else the slot may be another's by the time that it is released
  if (slot().timestamp.load() > oldest) {
    lingering_ = true;
    return false;
  }
  engine_.registry.release(slot_);
  return true;
}

}  // namespace plimsoll::txn
