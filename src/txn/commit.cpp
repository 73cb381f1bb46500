// Commit (D7): pending -> [commit latch: timestamp and log position together] -> committing -> record copied -> stamps, waiters ->
// durable.
#include <algorithm>

#include "base/check.hpp"
#include "base/fail.hpp"
#include "base/perturb.hpp"
#include "txn/async_commits.hpp"
#include "txn/transaction.hpp"

namespace plimsoll::txn {

Result<void> TransactionImpl::commit(void (*done)(void*, Result<void>), void* done_context) {
  Timestamp timestamp{};
  Lsn position = read_position_;  // rule 15: without writes, what was read must be durable
  if (done != nullptr) PLIMSOLL_TRY(reserve_outcome());
  if (write_count_ != 0) {
    if (auto decided = commit_writes(timestamp, position); !decided) {
      if (done != nullptr) engine_.async_commits->cancel();
      return decided;
    }
  }
  if (!durable_) position = Lsn{};
  release_committed();
  if (done != nullptr) {
    engine_.async_commits->add(position, done, done_context);
    // It may have become durable, or the log may have failed, before it was added.
    const Lsn durable = engine_.log.durable();
    if (position > durable && !engine_.log.failed()) return {};
    engine_.registry.note_durable(durable);  // who is told can begin to read
    engine_.async_commits->complete(durable);
    return {};
  }
  return engine_.log.flush_to(position);
}

// A place for what will be told later. If all are taken, the log is flushed here: there may be no thread that does it.
Result<void> TransactionImpl::reserve_outcome() {
  if (engine_.async_commits->try_reserve()) return {};
  static_cast<void>(engine_.log.flush_to(engine_.log.end()));  // a failure is met again
  return engine_.async_commits->reserve(wait_deadline());
}

void TransactionImpl::release_committed() {
  const bool linger = std::exchange(keeps_marks_, false);
  end(true);
  id_ = TxnId{};
  if (!linger) {
    engine_.registry.release(slot_);
    return;
  }
  engine_.registry.drop_snapshot(slot_);
  lingering_ = true;  // from here on the collector may release the slot
}

// Decides the outcome. After an error nothing has been decided and the transaction may still be aborted.
Result<void> TransactionImpl::commit_writes(Timestamp& timestamp, Lsn& end) {
  registry::Slot& mine = slot();
  char payload[32];
  constexpr std::size_t payload_bytes = 16;
  PLIMSOLL_ASSIGN(log::Credit credit, take_credit(log::record_bytes(payload_bytes)));
  PLIMSOLL_CHECK(mine.state.load() == TransactionState::active || mine.state.load() == TransactionState::prepared);
  for (std::uint64_t control = mine.control.load();;) {  // from here on nobody kills it
    if ((control & registry::killed_bit) != 0 && mine.state.load() == TransactionState::active)
      return std::unexpected(why_ended(id_.value));
    if (mine.control.compare_exchange_weak(control, registry::with_status(control, registry::Status::committing))) break;
  }
  log::Log::Span span;
  mine.state.store(TransactionState::pending, std::memory_order_seq_cst);  // rule 5: before the draw
  perturb(Window::changing);
  {
    MutexLock lock(engine_.registry.commit_mutex());
    span = engine_.log.claim(credit, payload_bytes);  // before the clock: who has seen the timestamp sees this end, too (rule 15)
    perturb(Window::deciding);
    timestamp = engine_.clock.local();
    mine.timestamp.store(timestamp.value, std::memory_order_seq_cst);
    mine.state.store(TransactionState::committing, std::memory_order_seq_cst);  // rule 4: before the bytes
    engine_.registry.note_commit(timestamp, span.end, !durable_);
  }
  log::Writer writer(payload);
  log::write_commit(writer, {id_, timestamp});
  PLIMSOLL_CHECK(writer.size() == payload_bytes);
  const std::string_view piece = writer.view();
  engine_.log.fill(span, log::Kind::commit, std::span(&piece, 1));
  end = span.end;
  finish_writes(timestamp, span.end);
  return {};
}

// Stamps what is within reach, hands the entries to the collector and wakes the waiters. Whatever keeps its mark can be looked up
// for as long as a snapshot may ask: in the commit table. If that is full, everything is stamped, and only if that cannot be done,
// this slot lingers.
void TransactionImpl::finish_writes(Timestamp timestamp, Lsn commit_end) {
  const auto tracked = static_cast<std::size_t>(std::min<std::uint64_t>(entries_, write_set_max));
  const bool crowded = engine_.registry.commit_table().size() * 2 > engine_.registry.commit_table().capacity();
  bool all = entries_ <= write_set_max && last_entry() != 0 && write_set_ != nullptr;
  for (std::size_t i = 0; entries_ <= write_set_max && write_set_ != nullptr && i < tracked; ++i)
    all &= stamp(write_set_[i], timestamp, commit_end, crowded);
  if (!all) keeps_marks_ = !engine_.registry.commit_table().insert(id_, timestamp) && !stamp_all(timestamp, commit_end);
  for (std::size_t i = 0; write_set_ != nullptr && i < tracked; ++i)
    engine_.versions.finish(write_set_[i].entry, timestamp.value, write_set_[i].tombstone);
  engine_.versions.close_lane(lane_);
  engine_.versions.finish_lane(lane_, timestamp.value, false);
  slot().state.store(TransactionState::committed, std::memory_order_seq_cst);
  engine_.registry.wake_waiters(slot_);
}

// Replaces the mark by the timestamp and drops the version below it if nobody can see it. A hint: false if the leaf was out of
// reach.
bool TransactionImpl::stamp(const Written& written, Timestamp timestamp, Lsn commit_end, bool force) {
  const Bytes key{written.key, written.key_bytes};
  btree::LatchedLeaf leaf = engine_.trees.try_latch_at(storage::data_page(written.leaf), written.frame, key);
  // Not if the page may have gone to another tree meanwhile, or be a late reader's copy of a page that is gone.
  if (leaf && (btree::tree_of(leaf.page().bytes()) != written.tree || engine_.pool.data_discards() != discards_)) leaf = {};
  for (int tries = 0; !leaf && tries < 3; ++tries) leaf = engine_.trees.try_latch_resident(TreeId{written.tree}, key);
  if (!leaf && force)
    if (auto loaded = engine_.trees.latch(TreeId{written.tree}, key)) leaf = std::move(*loaded);
  if (!leaf) return false;
  stamp_record(leaf, timestamp, commit_end);
  return true;
}

void TransactionImpl::stamp_record(btree::LatchedLeaf& leaf, Timestamp timestamp, Lsn commit_end) {
  if (!leaf.found() || leaf.record().stamp() != registry::mark_of(id_)) return;  // stamped by a later writer, or by eviction
  leaf.page().will_change(engine_.log.end());
  leaf.page().raise_flush_limit(commit_end);  // rule 10
  leaf.set_header(timestamp.value, engine_.chains.prune_below(timestamp.value, leaf.record().previous()));
  engine_.metrics.add(Counter::records_stamped);
}

// Whatever it has changed, entry by entry; pages are read for it. Its entries are not yet the collector's.
bool TransactionImpl::stamp_all(Timestamp timestamp, Lsn commit_end) {
  std::array<char, btree::key_bytes_max(storage::page_bytes_max)> key_buffer;
  for (std::uint64_t address = last_entry(); address != 0;) {
    TreeId tree{};
    Bytes key;
    {
      auto page = engine_.pool.latch(version::page_of(address));
      if (!page) return false;
      const version::Entry entry = version::read_entry(page->bytes(), engine_.pool.page_bytes(), version::offset_of(address));
      PLIMSOLL_CHECK(entry.bytes != 0 && entry.writer == id_ && entry.key.size() <= key_buffer.size());
      page_read(key_buffer.data(), entry.key.data(), entry.key.size());
      key = Bytes(key_buffer.data(), entry.key.size());
      tree = TreeId{entry.tree};
      address = entry.previous_entry;
    }
    auto leaf = engine_.trees.latch(tree, key);
    if (!leaf) return false;
    stamp_record(*leaf, timestamp, commit_end);
  }
  return true;
}

// The control word is this thread's (TransactionManager::take_prepared).
Result<Timestamp> TransactionImpl::commit_prepared() {
  Timestamp timestamp{};
  Lsn position{};
  if (auto decided = commit_writes(timestamp, position); !decided) {
    std::uint64_t control = slot().control.load();
    while (!slot().control.compare_exchange_weak(control, registry::with_status(control, registry::Status::idle))) {}
    return std::unexpected(decided.error());
  }
  release_committed();
  PLIMSOLL_TRY(engine_.log.flush_to(position));
  return timestamp;
}

}  // namespace plimsoll::txn
