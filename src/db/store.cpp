#include "db/store.hpp"

#include "base/check.hpp"
#include "base/fail.hpp"
#include "version/stamping.hpp"

namespace plimsoll::db {

Store::~Store() { stop_threads(); }

Result<void> Store::write_super(Lsn checkpoint, bool clean) {
  MutexLock lock(super_mutex_);
  super_to_write().clean = clean;
  super_.checkpoint_lsn = checkpoint.value;
  super_.log_end = clean ? log_->end().value : 0;
  super_.clock_ceiling = clock_->last().value;
  super_.next_sequence = registry_->next_sequence();
  if (super_doubtful_) PLIMSOLL_TRY(storage::confirm_superblock(*files_, path_));
  super_doubtful_ = true;
  PLIMSOLL_TRY(storage::write_superblock(*files_, path_, super_));
  super_doubtful_ = false;
  return {};
}

Result<Transaction> Store::begin(const TransactionOptions& options) {
  PLIMSOLL_ASSIGN(txn::TransactionImpl* const transaction, transactions_->begin(options));
  return Transaction(transaction, transaction->id().value);
}

Result<void> Store::kill(TxnId id) {
  PLIMSOLL_TRY(transactions_->kill(id));
  events_->add(EventKind::killed, "transaction {}", id.value);
  return {};
}

Result<void> Store::checkpoint() { return checkpointer_->take(true, 0); }

// Ends what runs, writes everything, and says so in the superblock. With prepared transactions the store stays unclean: recovery
// brings them back.
Result<void> Store::close() {
  PLIMSOLL_TRY(usable());
  if (closed_) return {};
  const auto quiet = [this] {
    backup_job_.call_off();  // others may be asked for meanwhile
    check_job_.call_off();
    compact_job_.call_off();
    return transactions_->abort_all();
  };
  for (int tries = 0; !quiet(); ++tries) {
    constexpr int tries_max = 10'000;
    if (tries == tries_max) return fail(ErrorCode::busy, "transactions are still inside operations of other threads");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  stop_threads();
  closed_ = true;
  PLIMSOLL_TRY(log_->flush_to(log_->end()));
  transactions_->run_background([](TxnId, const char*) {});
  registry_->refresh_snapshots();
  collector_->run();
  bool unfinished = false;
  for (const TransactionInfo& info : transactions_->list())
    unfinished |= info.state == TransactionState::prepared || transactions_->transaction(registry::slot_of(info.id)).needs_revert();
  PLIMSOLL_TRY(checkpointer_->take(true, 0));
  if (unfinished) return {};
  PLIMSOLL_TRY(pool_->write_back(log_->end()));
  return write_super(Lsn{super_.checkpoint_lsn}, true);
}

// A page that is written is stamped first, so that it comes back without marks that somebody would have to look up.
void Store::before_write(char* page, storage::FrameIndex frame) {
  // A version page may be scratch because of a commit that is not durable yet: after a crash its entries would be needed again.
  if (storage::kind_of(page) == storage::PageKind::version) return pool_->raise_flush_limit(frame, log_->end());
  const std::size_t stamped = version::stamp_leaf(page, *registry_);
  if (stamped == 0) return;
  pool_->raise_flush_limit(frame, log_->end());  // rule 10
  metrics_.add(Counter::records_stamped, stamped);
}

void Store::on_durable(Lsn lsn) {
  registry_->note_durable(lsn);
  transactions_->async_commits().complete(lsn);
  std::function<void(Lsn)> callback;
  {
    MutexLock lock(callback_mutex_);
    callback = durable_callback_;
  }
  if (callback) callback(lsn);
}

void Store::set_durable_callback(std::function<void(Lsn)> callback) {
  MutexLock lock(callback_mutex_);
  durable_callback_ = std::move(callback);
}

void Store::log_failed(const Error& error) {
  events_->add(EventKind::log_failed, "the log has failed, the store is read-only: {}", error.details());
  transactions_->async_commits().fail_all();
}

std::string Store::table_name(TreeId tree) {
  auto tables = catalogue_->list(false);
  if (tables)
    for (const TableInfo& table : *tables)
      if (table.tree == tree) return table.name.empty() ? "(default)" : table.name;
  return std::to_string(tree.value);
}

Random Store::back_off_random() {
  static std::atomic<std::uint64_t> calls{0};
  return Random(seed_ + calls.fetch_add(0x9E3779B97F4A7C15ull));
}

}  // namespace plimsoll::db
