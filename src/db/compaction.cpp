// Database::compact. Deleted records that no snapshot needs are purged from their leaves, those of former openings of the store,
// too, which the collector does not know, and sparse leaves are merged, those that an abort has emptied, too; that frees pages.
// Then the blocks of all free pages go back to the file system; nothing moves, and the file keeps its length. The free pages are
// reserved meanwhile, so that nobody is given one whose blocks are on their way out; whoever is given one later gets blocks first
// (Space::reserve).
//
// A crash is met as with large values, which are written into free pages too: the log is durable up to what made them free, redo
// steps over pages that were freed since the checkpoint, and the doublewrite area holds none of them.
#include <array>
#include <functional>

#include "base/fail.hpp"
#include "btree/leaf.hpp"
#include "db/store.hpp"

namespace plimsoll::db {

namespace {
constexpr std::uint64_t run_bytes_max = 8_MiB;  // at once: others find free pages beside it
constexpr int housekeeping_rounds_max = 1000;
constexpr std::size_t key_bytes_limit = btree::key_bytes_max(storage::page_bytes_max);

// The deleted records of one table, and its sparse leaves, leaf by leaf.
class Purge {
 public:
  Purge(txn::Engine& engine, TreeId tree) : engine_(engine), tree_(tree), session_(engine.contexts, "compact") {}

  // Calls go_on() and make_room(), of the log, for each leaf; false ends it.
  Result<void> run(const std::function<bool()>& go_on, const std::function<Result<bool>()>& make_room) {
    leaf_ = session_.allocate(engine_.pool.page_bytes());
    if (leaf_ == nullptr)
      return fail(ErrorCode::memory_budget_exceeded, "compacting needs {} bytes of memory", engine_.pool.page_bytes());
    while (go_on()) {
      PLIMSOLL_TRY(make_room());
      PLIMSOLL_ASSIGN(const bool more, one_leaf());
      if (!more) break;
    }
    return {};
  }

 private:
  // That of next_: what can be purged is, and one that is sparse takes its neighbours in, or goes. False: it was the last.
  Result<bool> one_leaf() {
    const memory::ReserveScope alone;  // it waits for nobody while it keeps the collector out
    const MutexLock housekeeping(engine_.collector.mutex());
    PLIMSOLL_ASSIGN(const btree::LeafCopy leaf,
                    engine_.trees.copy_leaf(tree_, Bytes(next_.data(), next_bytes_), false, leaf_, storage::Access::scan));
    char key[key_bytes_limit];
    for (std::uint16_t i = 0; i < leaf.count(); ++i) {
      if ((leaf.record(i).flags & btree::flag_deleted) == 0) continue;
      const auto purged = engine_.collector.purge(tree_, leaf.key(i, key));
      // Those that are needed stay, and those for which others have left no room in the log.
      if (!purged && purged.error().code() != ErrorCode::busy && purged.error().code() != ErrorCode::log_full)
        return std::unexpected(purged.error());
    }
    if (leaf.sparse()) {
      PLIMSOLL_ASSIGN(const bool merged, engine_.collector.merge(tree_, Bytes(next_.data(), next_bytes_)));
      if (merged) return true;  // the same again, with what it has taken in
    }
    const auto end = leaf.upper_fence();
    if (end) next_bytes_ = end->copy(next_.data(), next_.size());
    return end.has_value();
  }

  txn::Engine& engine_;
  const TreeId tree_;
  memory::Context session_;
  char* leaf_ = nullptr;
  std::array<char, key_bytes_limit> next_{};  // where it goes on
  std::size_t next_bytes_ = 0;
};
}  // namespace

Result<CompactReport> Store::compact(const CompactWatcher& watch) {
  PLIMSOLL_TRY(usable());
  CompactReport report;
  const auto go_on = [&] { return !watch || watch(report); };
  const auto called_off = [] { return fail(ErrorCode::transaction_aborted, "the compaction was called off"); };
  const auto collect = [this] {  // after a round that is under way, which may have looked at everything too early
    const MutexLock alone(collector_->mutex());
    return collector_->round(version::Collector::Urgency::urgent);
  };
  bool going = true;
  for (int round = 0; round < housekeeping_rounds_max; ++round) {  // what can be freed is freed
    const bool collected = collect();
    const bool worked = transactions_->run_background([this](TxnId id, const char* why) { reaped(id, why); });
    going = go_on();
    if (!going || (!collected && !worked)) break;
  }
  {
    // While it runs, no table is dropped.
    PLIMSOLL_ASSIGN(const Transaction keeps_tables,
                    begin({.read_only = true, .deadline = std::chrono::milliseconds(0), .label = "compact"}));
    PLIMSOLL_ASSIGN(const Standing standing, catalogue_->standing());  // a drop that was under way has come to its end
    const auto make_room = [&] { return cut_log(); };
    for (std::size_t i = 0; i < standing.tables.size() && going; ++i)
      PLIMSOLL_TRY(Purge(*engine_, standing.tables[i].tree).run([&] { return going = go_on(); }, make_room));
  }
  if (!going) return called_off();
  PLIMSOLL_TRY(checkpoint());
  PLIMSOLL_ASSIGN(report.before_bytes, data_->allocated());
  for (std::uint32_t from = 0;;) {
    PLIMSOLL_ASSIGN(const storage::Reservation run,
                    space_->reserve_free(from, static_cast<std::uint32_t>(run_bytes_max / page_bytes())));
    if (run.count() == 0) break;
    PLIMSOLL_TRY(log_->flush_to(space_->newest_free()));
    PLIMSOLL_TRY(pool_->settle_writes(run.first(), run.count()));
    PLIMSOLL_TRY(space_->give_back_blocks(run));
    report.free_pages += run.count();
    from = run.first() + run.count();
    if (!go_on()) return called_off();
  }
  PLIMSOLL_ASSIGN(report.after_bytes, data_->allocated());
  return report;
}

}  // namespace plimsoll::db
