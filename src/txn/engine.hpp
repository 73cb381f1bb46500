// What transactions stand on: references to the parts that a store is wired from, and the limits that they share. No logic.
#pragma once

#include <atomic>
#include <functional>

#include "base/fork_guard.hpp"
#include "base/hybrid_clock.hpp"
#include "base/metrics.hpp"
#include "btree/trees.hpp"
#include "log/log.hpp"
#include "memory/context_set.hpp"
#include "plimsoll/options.hpp"
#include "registry/registry.hpp"
#include "storage/pool.hpp"
#include "storage/space.hpp"
#include "version/chain.hpp"
#include "version/collector.hpp"
#include "version/store.hpp"

namespace plimsoll::txn {

class AsyncCommits;
class TransactionManager;

struct Engine {
  memory::PageProvider& provider;
  memory::ContextSet& contexts;
  storage::Pool& pool;
  storage::Space& space;
  io::File& data;
  log::Log& log;
  btree::Trees& trees;
  registry::Registry& registry;
  version::Store& versions;
  version::Chains& chains;
  version::Collector& collector;
  Metrics& metrics;
  HybridClock& clock;
  TimeSource& time;
  TreeId garbage_tree;                    // extents of superseded large values (txn/large_value.hpp)
  std::uint64_t salt;                     // names the store in Table handles
  std::uint64_t transaction_deadline_ns;  // defaults from Options
  std::uint64_t lock_deadline_ns;
  TransactionManager* transactions = nullptr;
  AsyncCommits* async_commits = nullptr;            // set by the transaction manager
  std::function<std::string(TreeId)> table_name{};  // for messages; empty: not an open table
  ForkGuard fork_guard{};
  std::atomic<std::uint32_t> drops{0};  // of tables, begun since the store was opened
  // Whether the tree was dropped since a handle of it was made, after `opened` drops; asked only if there were others since.
  std::function<bool(TreeId, std::uint32_t opened)> is_dropped{};
  std::atomic<std::uint64_t> stale_handles{0};  // of ended transactions: what they look at must stay while there are any
  // Garbage records taken back: a table's record has the extents again, a little later.
  std::atomic<std::uint64_t> garbage_reverts{0};
  std::atomic<bool> data_unsynced{false};  // large values were written since the last sync of the data file
};

}  // namespace plimsoll::txn
