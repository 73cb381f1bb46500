// Checkpoints (D8): fuzzy. What was dirty long enough is written; then a record says where redo would begin and who is unfinished;
// then the superblock names the record, and the log before redo start is cut. Order matters (docs/invariants.md):
//   1. captured = Log::end() under the commit latch: a commit record below it has its state visible;
//   2. redo start = oldest change of a page that must survive, looked at before
//   3. the list of unfinished transactions, so that an entry on the list lies on a page that counted in 2.
#pragma once

#include <functional>

#include "log/log.hpp"
#include "memory/page_provider.hpp"
#include "storage/pool.hpp"
#include "storage/superblock.hpp"
#include "txn/manager.hpp"

namespace plimsoll::recovery {

class Checkpointer {
 public:
  // `write_super`: makes the superblock with this checkpoint position durable.
  Checkpointer(txn::Engine& engine, txn::TransactionManager& transactions, std::function<Result<void>(Lsn)> write_super)
      : engine_(engine), transactions_(transactions), write_super_(std::move(write_super)) {}

  // `everything`: all pages are written (close, explicit checkpoints); else only those that hold back the log by more than
  // `keep_bytes`.
  Result<void> take(bool everything, std::uint64_t keep_bytes);
  std::uint64_t log_end_at_last() const { return log_end_at_last_.load(std::memory_order_relaxed); }

 private:
  Lsn end_between_commits() const PLIMSOLL_REQUIRES(engine_.registry.commit_mutex()) { return engine_.log.end(); }
  Result<Lsn> append_record(Lsn captured, Lsn redo_start) PLIMSOLL_REQUIRES(mutex_);
  txn::Engine& engine_;
  txn::TransactionManager& transactions_;
  std::function<Result<void>(Lsn)> write_super_;
  Mutex mutex_{LatchRank::checkpoint};
  std::atomic<std::uint64_t> log_end_at_last_{0};
};

}  // namespace plimsoll::recovery
