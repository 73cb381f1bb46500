// The statistics table: every counter and gauge of the engine is declared once, here, with its unit and meaning. Counters are
// sharded per thread and summed on read. `stat --json`, Database::statistics() and docs/metrics.md are all made from this table.
// add() is wait-free, a few cycles, and safe from any thread, also under a latch.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace plimsoll {

// name, unit, meaning
#define PLIMSOLL_COUNTERS(X)                                                                                   \
  X(transactions_begun, "transactions", "transactions begun")                                                  \
  X(transactions_committed, "transactions", "transactions committed, read-only ones included")                 \
  X(transactions_aborted, "transactions", "transactions aborted, for whatever reason")                         \
  X(transactions_reaped, "transactions", "transactions ended because of a deadline or a kill")                 \
  X(transactions_sacrificed, "transactions", "transactions ended because memory was short and they held most") \
  X(write_conflicts, "errors", "writes refused because another transaction was first")                         \
  X(deadlocks, "errors", "waits refused because they would have closed a cycle")                               \
  X(lock_waits, "waits", "writers that waited for another transaction")                                        \
  X(lock_timeouts, "errors", "waits that reached their deadline")                                              \
  X(point_reads, "reads", "get, exists, get_for_update and each key of multi_get")                             \
  X(records_scanned, "records", "records handed out by cursors")                                               \
  X(records_written, "records", "put, insert, update and erase that changed a record")                         \
  X(version_hops, "hops", "older versions looked at by readers")                                               \
  X(read_restarts, "restarts", "optimistic reads that had to start again")                                     \
  X(versions_created, "versions", "version entries appended")                                                  \
  X(versions_pruned, "versions", "version entries found garbage, one by one")                                  \
  X(versions_swept, "versions", "version entries that sweeps of chains looked at")                             \
  X(version_bytes_moved, "bytes", "version entries moved out of sparse pages")                                 \
  X(version_pages_allocated, "pages", "version pages taken into use")                                          \
  X(version_pages_freed, "pages", "version pages given back")                                                  \
  X(records_stamped, "records", "marks replaced by their commit timestamp")                                    \
  X(records_reverted, "records", "records restored from their version entry")                                  \
  X(records_purged, "records", "deleted records removed from their leaf")                                      \
  X(tree_splits, "splits", "nodes split")                                                                      \
  X(tree_merges, "merges", "nodes merged")                                                                     \
  X(tree_restarts, "restarts", "descents that had to start again")                                             \
  X(pages_allocated, "pages", "pages taken for trees")                                                         \
  X(pages_freed, "pages", "pages given back by trees")                                                         \
  X(pool_hits_by_table, "lookups", "pages found through the translation table")                                \
  X(pool_misses, "pages", "pages read because they were not in the pool")                                      \
  X(pages_read, "pages", "pages read from files")                                                              \
  X(pages_read_ahead, "pages", "pages read before anybody asked for them")                                     \
  X(pages_written, "pages", "pages written to files")                                                          \
  X(evictions, "pages", "pages evicted from the pool")                                                         \
  X(eviction_steps, "frames", "frames looked at for pages to evict")                                           \
  X(version_pages_spilled, "pages", "version pages written out to make room")                                  \
  X(doublewrite_batches, "batches", "batches written to the doublewrite area")                                 \
  X(torn_pages_repaired, "pages", "torn pages restored from the doublewrite area")                             \
  X(checksum_failures, "pages", "pages whose checksum, number or age was wrong")                               \
  X(log_records, "records", "log records appended")                                                            \
  X(log_bytes, "bytes", "log bytes appended")                                                                  \
  X(log_flushes, "flushes", "writes of the log to stable storage")                                             \
  X(log_ring_waits, "waits", "appends that waited for room in the log ring")                                   \
  X(log_space_waits, "waits", "appends that waited for the log to be cut")                                     \
  X(checkpoints, "checkpoints", "checkpoints taken")                                                           \
  X(recoveries, "recoveries", "opens that found an unclean store")                                             \
  X(records_redone, "records", "log records applied again by recovery")                                        \
  X(losers_reverted, "transactions", "unfinished transactions reverted after a crash")                         \
  X(large_values_written, "values", "values written out of line")                                              \
  X(large_value_bytes, "bytes", "bytes of values written out of line")

#define PLIMSOLL_GAUGES(X)                                                                  \
  X(active_transactions, "transactions", "transaction slots in use")                        \
  X(oldest_snapshot, "timestamp", "the oldest live snapshot, 0 if none")                    \
  X(commit_table_entries, "entries", "commits whose records may still carry their mark")    \
  X(version_pages, "pages", "version pages in use")                                         \
  X(version_bytes, "bytes", "bytes of version entries in pages in use, dead ones included") \
  X(version_entries_live, "versions", "version entries not yet found garbage")              \
  X(frames, "frames", "frames of the buffer pool that have memory")                         \
  X(dirty_pages, "pages", "pages that differ from their file")                              \
  X(version_frames, "pages", "frames that hold pages of old versions")                      \
  X(data_file_pages, "pages", "pages of the data file, free ones included")                 \
  X(log_bytes_on_disk, "bytes", "log kept for recovery")                                    \
  X(durable_lsn, "position", "everything below is on stable storage")                       \
  X(end_lsn, "position", "where the next log record begins")                                \
  X(log_cut_lsn, "position", "recovery would begin here")

enum class Counter : std::uint8_t {
#define PLIMSOLL_X(name, unit, help) name,
  PLIMSOLL_COUNTERS(PLIMSOLL_X)
#undef PLIMSOLL_X
      count_
};

struct MetricFacts {
  std::string_view name, unit, help;
};
inline constexpr MetricFacts counter_facts[] = {
#define PLIMSOLL_X(name, unit, help) {#name, unit, help},
    PLIMSOLL_COUNTERS(PLIMSOLL_X)
#undef PLIMSOLL_X
};
inline constexpr MetricFacts gauge_facts[] = {
#define PLIMSOLL_X(name, unit, help) {#name, unit, help},
    PLIMSOLL_GAUGES(PLIMSOLL_X)
#undef PLIMSOLL_X
};

// Gauges are read from their owners by db, which fills this in.
struct Gauges {
#define PLIMSOLL_X(name, unit, help) std::uint64_t name = 0;
  PLIMSOLL_GAUGES(PLIMSOLL_X)
#undef PLIMSOLL_X
};

class Metrics {
 public:
  static constexpr std::size_t counters = static_cast<std::size_t>(Counter::count_);
  static constexpr std::size_t shards = 16;

  void add(Counter counter, std::uint64_t n = 1) {
    auto& cell = shard_[shard_of_thread()].value[static_cast<std::size_t>(counter)];
    cell.fetch_add(n, std::memory_order_relaxed);
  }
  std::uint64_t sum(Counter counter) const;  // since open or reset
  void reset();

 private:
  struct alignas(64) Shard {
    std::array<std::atomic<std::uint64_t>, counters> value{};
  };
  static std::size_t shard_of_thread();
  std::array<Shard, shards> shard_{};
  std::array<std::atomic<std::uint64_t>, counters> base_{};  // sums at the last reset
};

inline std::size_t Metrics::shard_of_thread() {
  static std::atomic<std::size_t> next{0};
  thread_local const std::size_t mine = next.fetch_add(1, std::memory_order_relaxed) % shards;
  return mine;
}

}  // namespace plimsoll
