#include "recovery/checkpoint.hpp"

#include "base/check.hpp"
#include "base/fail.hpp"

namespace plimsoll::recovery {

namespace {

bool unfinished(TransactionState state) {
  return state == TransactionState::active || state == TransactionState::pending || state == TransactionState::preparing ||
         state == TransactionState::prepared || state == TransactionState::aborted;
}
constexpr std::size_t fixed_bytes = 64, transaction_bytes_max = 8 + 1 + 8 + 1 + 64;

}  // namespace

Result<void> Checkpointer::take(bool everything, std::uint64_t keep_bytes) {
  MutexLock lock(mutex_);
  const Lsn begun = engine_.log.end();
  PLIMSOLL_TRY(engine_.pool.write_back(everything ? begun : Lsn{begun.value > keep_bytes ? begun.value - keep_bytes : 0}));
  Lsn captured;
  {
    MutexLock commits(engine_.registry.commit_mutex());
    captured = end_between_commits();
  }
  const Lsn redo_start = engine_.pool.oldest_change(captured);
  PLIMSOLL_CHECK(redo_start <= captured);
  PLIMSOLL_ASSIGN(const Lsn record, append_record(captured, redo_start));
  PLIMSOLL_TRY(write_super_(record));
  engine_.log.cut(std::min(redo_start, record));
  log_end_at_last_.store(begun.value, std::memory_order_relaxed);
  engine_.metrics.add(Counter::checkpoints);
  return {};
}

Result<Lsn> Checkpointer::append_record(Lsn captured, Lsn redo_start) {
  registry::Registry& registry = engine_.registry;
  // Counted generously: transactions may begin meanwhile, those have nothing below `captured`.
  const std::size_t payload_max =
      std::min(fixed_bytes + registry.slots_high() * transaction_bytes_max, log::record_bytes_max - log::header_bytes);
  PLIMSOLL_ASSIGN(memory::Mapping buffer, engine_.provider.map(memory::Account::io_buffers, payload_max));
  PLIMSOLL_ASSIGN(log::Credit credit, engine_.log.reserve(log::record_bytes(payload_max), log::Log::Priority::checkpoint, 0));
  log::Checkpoint checkpoint;
  checkpoint.redo_start = redo_start;
  checkpoint.captured = captured;
  checkpoint.clock_ceiling = engine_.clock.last().value;
  checkpoint.next_sequence = registry.next_sequence();
  checkpoint.incarnation = engine_.versions.incarnation();
  log::Writer list(std::span(buffer.data() + fixed_bytes, payload_max - fixed_bytes));
  for (std::uint32_t i = 0; i < registry.slots_high(); ++i) {
    const registry::Slot& slot = registry.slot(i);
    const txn::TransactionImpl& transaction = transactions_.transaction(i);
    log::CheckpointTransaction one;
    one.transaction = TxnId{slot.id.load(std::memory_order_seq_cst)};
    TransactionState state = slot.state.load(std::memory_order_seq_cst);
    one.last_entry = transaction.last_entry();
    if (state == TransactionState::prepared || state == TransactionState::pending || state == TransactionState::aborted)
      one.global_id = transaction.global_id();
    // One that is about to commit is still prepared, unless its record follows.
    if (state == TransactionState::pending && !one.global_id.empty()) state = TransactionState::prepared;
    one.state = static_cast<std::uint8_t>(state);
    if (!one.transaction || !unfinished(state) || (one.last_entry == 0 && state != TransactionState::prepared) ||
        slot.id.load(std::memory_order_seq_cst) != one.transaction.value)
      continue;
    if (list.size() + transaction_bytes_max > payload_max - fixed_bytes)
      return fail(ErrorCode::log_full, "{} unfinished transactions do not fit into a checkpoint record", checkpoint.transactions);
    log::write_checkpoint_transaction(list, one);
    ++checkpoint.transactions;
  }
  log::Writer head(std::span(buffer.data(), fixed_bytes));
  log::write_checkpoint(head, checkpoint);
  const std::string_view pieces[] = {head.view(), list.view()};
  const auto span = engine_.log.append(credit, log::Kind::checkpoint, pieces);
  PLIMSOLL_TRY(engine_.log.flush_to(span.end));
  return span.begin;
}

}  // namespace plimsoll::recovery
