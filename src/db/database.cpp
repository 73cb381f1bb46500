// The public Database: checks the handle, hands the call to the part that does it.
#include "plimsoll/database.hpp"

#include <algorithm>
#include <thread>
#include <vector>

#include "base/fail.hpp"
#include "db/backup.hpp"
#include "db/control.hpp"
#include "db/store.hpp"
#include "log/record.hpp"

namespace plimsoll {

Database::Database(std::unique_ptr<db::Store> store) : store_(std::move(store)) {}
Database::Database(Database&&) noexcept = default;
Database& Database::operator=(Database&& other) noexcept {
  std::swap(store_, other.store_);
  return *this;
}
// Handles of transactions, values and cursors may outlive their store; they must get errors then, so what they look at stays until
// the process ends.
namespace {
struct Kept {
  Mutex mutex{LatchRank::database};
  std::vector<db::Store*> stores PLIMSOLL_GUARDED_BY(mutex);
};
}  // namespace
// `in_use`: another thread may be inside it and write, so nobody else may open it.
static void let_go(std::unique_ptr<db::Store> store, bool in_use) {
  if (!in_use && store->registry().all_ended_or_prepared() && store->engine().stale_handles.load() == 0) return;
  if (!in_use) store->release_lock();
  static Kept& kept = *new Kept;  // not destroyed at exit either
  const MutexLock lock(kept.mutex);
  kept.stores.push_back(store.release());
}

Database::~Database() {
  if (!store_) return;
  if (!store_->usable()) {
    static_cast<void>(store_.release());  // a forked child: the parent's store is left alone
    return;
  }
  const auto closed = store_->close();
  if (!closed) store_->give_up();  // the next open recovers
  let_go(std::move(store_), !closed && closed.error().code() == ErrorCode::busy);
}

Result<Database> Database::open(std::string_view path, const Options& options) {
  PLIMSOLL_ASSIGN(auto store, db::Store::open(path, options));
  return Database(std::move(store));
}

Result<Database> Database::open_in_memory(const Options& options) {
  PLIMSOLL_ASSIGN(auto store, db::Store::open("memory", options, db::Store::Home::memory));
  return Database(std::move(store));
}

Result<void> Database::close() {
  if (!store_) return fail(ErrorCode::invalid_argument, "the store is closed already");
  PLIMSOLL_TRY(store_->usable());
  auto closed = store_->close();
  if (!closed && closed.error().code() == ErrorCode::busy) return closed;
  let_go(std::move(store_), false);
  return closed;
}

#define PLIMSOLL_OPEN()                                                         \
  if (!store_) return fail(ErrorCode::invalid_argument, "the store is closed"); \
  PLIMSOLL_TRY(store_->usable())

Result<Table> Database::open_table(std::string_view name, const TableOptions& options) {
  PLIMSOLL_OPEN();
  for (;;) {
    const std::uint32_t opened = store_->engine().drops.load(std::memory_order_seq_cst);
    auto found = store_->catalogue().find(name);
    if (!found && found.error().code() == ErrorCode::not_found && options.create_if_missing) {
      found = store_->catalogue().create(name);
      if (!found && found.error().code() == ErrorCode::already_exists)
        found = store_->catalogue().find(name);  // another thread was first
    }
    if (!found) return std::unexpected(found.error());
    // Again after a drop: of this name, perhaps, and made again with the same root.
    if (opened == store_->engine().drops.load(std::memory_order_seq_cst)) return Table(*found, store_->salt(), opened);
  }
}

Result<void> Database::drop_table(std::string_view name) {
  PLIMSOLL_OPEN();
  return store_->catalogue().drop(name);
}

Result<std::vector<TableInfo>> Database::tables() {
  PLIMSOLL_OPEN();
  return store_->catalogue().list(false);
}

Result<std::string> Database::table_name(Table table) {
  PLIMSOLL_OPEN();
  PLIMSOLL_ASSIGN(const auto all, store_->catalogue().list(false));
  for (const TableInfo& one : all)
    if (one.tree == table.tree() && table.store() == store_->salt() && !store_->catalogue().is_dropped(one.tree, table.opened()))
      return one.name;
  return fail(ErrorCode::not_found, "no such table in this store");
}

Result<Transaction> Database::begin(const TransactionOptions& options) {
  PLIMSOLL_OPEN();
  return store_->begin(options);
}

Result<void> Database::transact(const TransactionOptions& options, const std::function<Result<void>(Transaction&)>& body) {
  PLIMSOLL_OPEN();
  constexpr int tries_max = 100;
  constexpr std::uint64_t first_pause_us = 20, longest_pause_us = 20'000;
  Random random = store_->back_off_random();
  for (int tries = 1;; ++tries) {
    auto attempt = [&]() -> Result<void> {
      PLIMSOLL_ASSIGN(Transaction transaction, begin(options));
      PLIMSOLL_TRY(body(transaction));
      return transaction.commit();
    }();
    if (attempt || !is_retryable(attempt.error().code()) || tries == tries_max) return attempt;
    const std::uint64_t pause = std::min(first_pause_us << std::min(tries, 10), longest_pause_us);
    std::this_thread::sleep_for(std::chrono::microseconds(random.below(pause) + 1));
  }
}

Result<void> Database::checkpoint() {
  PLIMSOLL_OPEN();
  return store_->checkpoint();
}
Result<CompactReport> Database::compact(const CompactWatcher& watch) {
  PLIMSOLL_OPEN();
  return store_->compact(watch);
}
Result<BackupReport> Database::backup(std::string_view file, const BackupWatcher& watch) {
  PLIMSOLL_OPEN();
  return db::backup(*store_, file, watch);
}
Result<void> Database::set_memory_budget(std::size_t bytes) {
  PLIMSOLL_OPEN();
  return store_->budget().set_limit(bytes);
}
std::size_t Database::release_memory(std::size_t bytes) {
  return store_ && store_->usable() ? store_->budget().pressure().release(bytes) : 0;
}
void Database::set_pressure_level(PressureLevel level) {
  if (store_) store_->budget().pressure().set_level_by_hand(level);
}
PressureLevel Database::pressure_level() const { return store_ ? store_->budget().pressure().level() : PressureLevel::normal; }
Result<VerifyReport> Database::verify(const VerifyWatcher& watch) {
  PLIMSOLL_OPEN();
  return store_->verify(watch);
}
RecoveryReport Database::recovery_report() const { return store_ ? store_->recovery_report() : RecoveryReport{}; }
Statistics Database::statistics() const { return store_ ? store_->statistics() : Statistics{}; }
void Database::reset_statistics() {
  if (store_) store_->reset_statistics();
}
std::vector<TransactionInfo> Database::transactions() const {
  return store_ ? store_->transactions().list() : std::vector<TransactionInfo>{};
}
std::vector<ContextInfo> Database::memory_contexts() const {
  return store_ ? store_->engine().contexts.list() : std::vector<ContextInfo>{};
}
std::vector<WaitEdge> Database::wait_graph() const { return store_ ? store_->registry().wait_graph() : std::vector<WaitEdge>{}; }
Result<void> Database::kill(TxnId id) {
  PLIMSOLL_OPEN();
  return store_->kill(id);
}
std::string Database::answer(std::string_view request) {
  return store_ ? db::answer(*store_, request)
                : R"({"version":1,"error":{"code":"invalid_argument","message":"the database is closed"}})";
}

std::vector<TransactionInfo> Database::prepared() const {
  std::vector<TransactionInfo> all = transactions();
  std::erase_if(all, [](const TransactionInfo& info) { return info.state != TransactionState::prepared; });
  return all;
}
Result<Timestamp> Database::commit_prepared(Bytes global_id) {
  PLIMSOLL_OPEN();
  PLIMSOLL_ASSIGN(txn::TransactionImpl* const found, store_->transactions().take_prepared(global_id));
  return found->commit_prepared();
}
Result<void> Database::abort_prepared(Bytes global_id) {
  PLIMSOLL_OPEN();
  PLIMSOLL_ASSIGN(txn::TransactionImpl* const found, store_->transactions().take_prepared(global_id));
  return found->abort_prepared();
}

Result<void> Database::set_external_floor(Timestamp floor) {
  PLIMSOLL_OPEN();
  return store_->registry().set_external_floor(floor);
}
Timestamp Database::now() const { return store_ ? store_->clock().last() : Timestamp{}; }
Result<void> Database::receive(Timestamp remote) {
  PLIMSOLL_OPEN();
  return store_->clock().receive(remote);
}

Result<Lsn> Database::read_log(Lsn from, const std::function<bool(const LogEntry&)>& each) {
  PLIMSOLL_OPEN();
  return store_->log().read(from, [&](const log::Record& record) {
    LogEntry entry;
    entry.lsn = record.begin;
    log::Update update;
    log::Commit commit;
    log::Ending ending;
    switch (record.kind) {
      case log::Kind::update:
      case log::Kind::revert:
        if (!log::read_update(record.payload, update)) return true;
        entry.transaction = update.transaction;
        entry.tree = TreeId{update.tree};
        entry.key = update.key;
        if (update.after_stamp != registry::mark_of(update.transaction)) {  // reverted to what was there before the transaction
          entry.kind = LogEntry::Kind::revert;
          return update.tree <= db::garbage_root || each(entry);
        }
        entry.kind =
            (update.after_flags & (btree::flag_deleted | version::flag_absent)) != 0 ? LogEntry::Kind::erase : LogEntry::Kind::put;
        entry.out_of_line = (update.after_flags & btree::flag_large) != 0;
        if (!entry.out_of_line) entry.value = update.after;
        return update.tree <= db::garbage_root || each(entry);
      case log::Kind::commit:
        if (!log::read_commit(record.payload, commit)) return true;
        entry.kind = LogEntry::Kind::commit;
        entry.transaction = commit.transaction;
        entry.commit_timestamp = commit.timestamp;
        return each(entry);
      case log::Kind::abort:
      case log::Kind::prepare:
        if (!log::read_ending(record.payload, ending)) return true;
        entry.kind = record.kind == log::Kind::abort ? LogEntry::Kind::abort : LogEntry::Kind::prepare;
        entry.transaction = ending.transaction;
        return each(entry);
      default: return true;
    }
  });
}

Lsn Database::durable_lsn() const { return store_ ? store_->log().durable() : Lsn{}; }
Lsn Database::log_start() const { return store_ ? store_->log().start() : Lsn{}; }
void Database::on_durable(std::function<void(Lsn)> callback) {
  if (store_) store_->set_durable_callback(std::move(callback));
}
bool Database::run_background() { return usable() && store_->run_background(); }
Result<void> Database::usable() const {
  if (!store_) return fail(ErrorCode::invalid_argument, "the store is closed already");
  return store_->usable();
}
std::size_t Database::key_bytes_max() const { return store_ ? btree::key_bytes_max(store_->page_bytes()) : 0; }
std::uint32_t Database::page_size() const { return store_ ? store_->page_bytes() : 0; }

}  // namespace plimsoll
