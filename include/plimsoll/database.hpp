// A store: one folder on disk, opened by one process at a time. Thread-safe.
//
//   auto db = plimsoll::Database::open("shop.plim", {.memory_budget = 256_MiB});
//   auto accounts = db->open_table("accounts", {.create_if_missing = true});
//   auto done = db->transact({}, [&](Transaction& tx) -> Result<void> { return tx.put(*accounts, "alice", "17"); });
//
// A handle that is used in a process forked after open answers invalid_argument, and closes nothing.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "plimsoll/backup.hpp"
#include "plimsoll/error.hpp"
#include "plimsoll/options.hpp"
#include "plimsoll/stats.hpp"
#include "plimsoll/transaction.hpp"

namespace plimsoll {

namespace db {
class Store;
}

// One record of the log as a consumer sees it. Views are valid during the call that hands it out. A consumer keeps, for every open
// transaction, the last change of each key, applies them at `commit` and forgets them at `abort`. A rollback to a savepoint comes
// as a put or an erase where the transaction had changed the key before the savepoint, too, and else as `revert`: it has not
// changed this key after all (another may change it and commit before this one does). What an aborted transaction did is taken back
// in the same way, behind its abort; so one whose last key a revert has taken is to be forgotten, too.
struct LogEntry {
  enum class Kind : std::uint8_t { put, erase, commit, abort, prepare, revert } kind{};
  Lsn lsn{};
  TxnId transaction{};
  TreeId tree{};
  Timestamp commit_timestamp{};
  Bytes key{};
  Bytes value{};  // empty when out_of_line
  bool out_of_line = false;
};

class Database {
 public:
  // Opens or creates the store in folder `path`. Errors: busy (with the holder's pid), version_mismatch, corruption,
  // memory_budget_exceeded (states the least that works), invalid_argument (names option, value and range), io_error, no_space.
  static Result<Database> open(std::string_view path, const Options& options = {});

  // A store that lives in memory, empty, and ends with its handle: the same engine over files that are charged to the budget, half
  // of which is for the data. A write that finds no room there answers no_space, what was committed stays readable, and erasing
  // makes room again. log_segment_bytes and log_bytes_max are chosen from the budget.
  static Result<Database> open_in_memory(const Options& options = {});

  Database(Database&&) noexcept;
  Database& operator=(Database&&) noexcept;
  ~Database();  // closes

  // Ends open transactions (abort), writes everything, marks the store clean. The handle is empty afterwards. Transactions that
  // outlive the store get errors; their memory stays until the process ends.
  Result<void> close();

  Result<Table> open_table(std::string_view name, const TableOptions& options = {});
  Result<void> drop_table(std::string_view name);  // not_found; busy while any transaction runs
  Result<std::vector<TableInfo>> tables();
  Result<std::string> table_name(Table table);

  Result<Transaction> begin(const TransactionOptions& options = {});
  // Runs `body` in a transaction and commits; retries retryable errors with jittered back-off, at most 100 times.
  Result<void> transact(const TransactionOptions& options, const std::function<Result<void>(Transaction&)>& body);

  Result<void> checkpoint();

  // Gives the blocks of free pages of the data file back to the file system, while transactions go on: first everything is
  // collected that can be, and a checkpoint taken. The file keeps its length, with holes; what it needs later it takes again, or
  // answers no_space as when it grows. The watcher is called for every run of free pages; false ends it with transaction_aborted,
  // and what was given back stays so. Others: io_error (also of a file system without holes), no_space.
  Result<CompactReport> compact(const CompactWatcher& watch = {});

  // Writes all tables, as one snapshot shows them, into a new file, while transactions go on; plimsoll/backup.hpp says more. The
  // file is `file`.partial until it is complete and on stable storage; after an error neither is there. It takes less than 1 MiB of
  // the budget, and holds old versions back as every long reader does. Errors: already_exists, no_space, io_error,
  // memory_budget_exceeded, corruption (of the store), transaction_timeout (it was killed), transaction_aborted (called off).
  Result<BackupReport> backup(std::string_view file, const BackupWatcher& watch = {});

  // Moves the hard limit: 16 MiB .. Options::memory_budget, bytes. Lower: memory is given back to the system until the new limit
  // holds, pages of the pool first, the largest transactions last; memory_budget_exceeded: what users hold does not fit below it,
  // and the limit is where it was.
  Result<void> set_memory_budget(std::size_t bytes);
  // Gives back what can be spared at once, up to `bytes`; answers how much it was. The pool may fill it again later.
  std::size_t release_memory(std::size_t bytes);
  // The host knows of pressure that the store cannot see: its level is at least this one until it is set to normal.
  void set_pressure_level(PressureLevel level);
  PressureLevel pressure_level() const;

  // Reads the whole store: structure, order, checksums, large values, older versions, free space. Damage is no error, but a problem
  // of the report. Transactions go on meanwhile; their older versions are collected when it is over, and tables cannot be dropped.
  // The watcher is called for every page with what was met so far; false ends it with transaction_aborted. memory_budget_exceeded:
  // it needs two bits a page and a few buffers.
  Result<VerifyReport> verify(const VerifyWatcher& watch = {});
  RecoveryReport recovery_report() const;
  Statistics statistics() const;
  void reset_statistics();
  std::vector<TransactionInfo> transactions() const;
  // The memory contexts that are in use or hold memory. Each figure is right by itself; transactions go on meanwhile.
  std::vector<ContextInfo> memory_contexts() const;
  std::vector<WaitEdge> wait_graph() const;
  Result<void> kill(TxnId id);
  // One line of JSON for another: the requests of docs/control-socket.md, as the control socket answers them. A request that is
  // wrong or fails is answered with its error. Allocates from the heap, some hundred kilobytes at most.
  std::string answer(std::string_view request);

  // Two-phase commit: the prepared transactions, and their ends.
  std::vector<TransactionInfo> prepared() const;
  Result<Timestamp> commit_prepared(Bytes global_id);
  Result<void> abort_prepared(Bytes global_id);

  // Nothing at or above this timestamp is collected until the floor is raised or removed (Timestamp{0} removes it).
  Result<void> set_external_floor(Timestamp floor);
  // The newest timestamp, and taking one from another node into the hybrid clock (refused beyond the skew limit of 5 s).
  Timestamp now() const;
  Result<void> receive(Timestamp remote);

  // Calls `each` for every complete record in [from, durable_lsn()), in order, until it returns false; the answer is the position
  // to go on from. not_found: the log was cut past `from`; the consumer must re-base: from a backup, or a transaction begun
  // with_position, it goes on at follow_from and ignores the transactions whose commit has an lsn below `position`.
  Result<Lsn> read_log(Lsn from, const std::function<bool(const LogEntry&)>& each);
  Lsn durable_lsn() const;
  Lsn log_start() const;  // the oldest position still there
  // Called whenever durable_lsn() has advanced, by whichever thread has synced the log, a committer's, too: it must be short, must
  // not throw, and must not call the store, which could wait for that very thread. One callback; an empty function removes it, but
  // a call of the old one may still be under way then.
  void on_durable(std::function<void(Lsn)> callback);

  // With Options::background_threads = false: does one round of what the background threads would do. True if work was done. Does
  // nothing in a forked child.
  bool run_background();
  // invalid_argument: the handle is empty, or another process's (after fork); such handles do nothing.
  Result<void> usable() const;

  std::size_t key_bytes_max() const;
  std::uint32_t page_size() const;

 private:
  explicit Database(std::unique_ptr<db::Store> store);
  std::unique_ptr<db::Store> store_;
};

}  // namespace plimsoll
