// The one log of a store (D7): a bounded ring in memory in front of segment files. Owns the ring, the segments, group commit and
// the durable position. Knows nothing of pages and keys.
//
// Positions (Lsn) are byte offsets in an endless stream; segment k holds [k, k+1) * segment_bytes, in a file named log/<16 hex
// digits of k>. Protocol of a writer:  reserve() before its first latch (waits, may fail) -> append() any number of times within
// the credit (never blocks, never fails; parallel: one fetch_add, then copies) -> the credit's destructor gives back what is left.
// Commit records: claim() draws the position inside the commit latch, fill() copies afterwards.
// A record is published by storing the length word of its header last; the flusher walks published headers, so a hole stops it.
//
// Group commit is greedy: flush_to() makes the first waiter the leader, who writes all that is published, in one write and one
// sync; others sleep on nodes of their own; the leader wakes those that are durable and hands over to one that is not. A lone
// committer waits for nobody. After a failed write or sync the log is failed for good: nothing is retried, durable() stands still.
// Log space on disk is taken by reserve() (a segment exists, with its blocks allocated, before a record may go there), so that
// a flush cannot meet a full disk.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/latch.hpp"
#include "base/metrics.hpp"
#include "base/time.hpp"
#include "io/file.hpp"
#include "log/priority.hpp"
#include "log/record.hpp"
#include "log/ring.hpp"
#include "log/segments.hpp"
#include "log/wait_queue.hpp"
#include "memory/page_provider.hpp"
#include "plimsoll/error.hpp"

namespace plimsoll::log {

struct LogOptions {
  std::string directory;  // exists
  std::uint64_t salt = 0;
  std::size_t segment_bytes = 16u << 20;
  std::size_t ring_bytes = 1u << 20;     // a power of two
  std::uint64_t bytes_max = 128u << 20;  // kept on disk between log_start() and end()
};

class Log;

// The right to append up to `bytes` without waiting. Move-only.
class Credit {
 public:
  Credit() = default;
  Credit(Credit&& other) noexcept : log_(std::exchange(other.log_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  Credit& operator=(Credit&& other) noexcept;
  ~Credit() { release(); }
  std::uint64_t bytes() const { return bytes_; }
  void release();

 private:
  friend class Log;
  Log* log_ = nullptr;
  std::uint64_t bytes_ = 0;
};

// The size of a record with this much payload.
constexpr std::uint64_t record_bytes(std::size_t payload) { return (header_bytes + payload + 7) & ~std::uint64_t{7}; }

class Log {
 public:
  struct Span {
    Lsn begin{}, end{};
  };
  using Priority = log::Priority;

  // A new log that begins at position `begin` (a multiple of segment_bytes, not 0), or an existing one whose valid records end at
  // `end` (found by scan()); the partial block there is loaded, stale segments beyond are kept for reuse, all before log_start are
  // removed.
  static Result<std::unique_ptr<Log>> create(io::FileSystem& files, memory::PageProvider& provider, Metrics& metrics,
                                             TimeSource& time, const LogOptions& options, Lsn begin);
  static Result<std::unique_ptr<Log>> open(io::FileSystem& files, memory::PageProvider& provider, Metrics& metrics,
                                           TimeSource& time, const LogOptions& options, Lsn start, Lsn end);
  ~Log();  // does not flush

  // Waits for room in the ring (flushing itself if nobody does) and on disk (until cut() gives some), up to `deadline_ns`
  // (monotonic; 0: does not wait for others, but a flush or a new segment that it needs is still made, or awaited where it is under
  // way). log_full, no_space, or read_only once the log has failed. Never call it under a latch.
  Result<Credit> reserve(std::uint64_t bytes, Priority priority, std::uint64_t deadline_ns);

  Span append(Credit& credit, Kind kind, std::span<const std::string_view> payload);
  Span append(Credit& credit, Kind kind, std::string_view payload) { return append(credit, kind, std::span(&payload, 1)); }
  Span claim(Credit& credit, std::size_t payload_bytes);  // fetch_add only
  void fill(Span at, Kind kind,
            std::span<const std::string_view> payload);  // copies and publishes; sizes must agree with the claim

  Lsn end() const { return Lsn{end_.load(std::memory_order_seq_cst)}; }          // where the next record begins
  Lsn durable() const { return Lsn{durable_.load(std::memory_order_acquire)}; }  // everything below is on stable storage
  Lsn start() const { return Lsn{start_.load(std::memory_order_acquire)}; }      // the oldest position kept
  bool failed() const { return failed_.load(std::memory_order_acquire); }

  // Returns when durable() >= lsn. commit_outcome_unknown when the log has failed before that.
  Result<void> flush_to(Lsn lsn);
  // Runs before each flush, by the leader: what the records refer to (large values) is made durable first. An error fails the log.
  void set_before_flush(std::function<Result<void>()> hook) { before_flush_ = std::move(hook); }
  // Runs after durable() advanced, by whoever flushed, without latches held.
  void set_on_durable(std::function<void(Lsn)> hook) { on_durable_ = std::move(hook); }
  // Runs once when the log fails, by whoever saw it.
  void set_on_failure(std::function<void(const Error&)> hook) { on_failure_ = std::move(hook); }
  std::optional<Error> failure() const;

  // Records below `lsn` are no longer needed: their segments become spare ones or are removed. Wakes who waits for space.
  void cut(Lsn lsn);
  // True if a waiter needs space, or more than `share` (0..1) of bytes_max is in use: a checkpoint is due.
  bool wants_cut(double share) const;
  std::uint64_t bytes_on_disk() const;  // of all segments, spare ones included
  // Keeps a spare segment ready. Called by a background thread. True: one was made.
  Result<bool> prepare_segment();

  // Calls `each` for every record in [from, durable()), in order, until it returns false; answers where to go on. not_found: cut.
  Result<Lsn> read(Lsn from, const std::function<bool(const Record&)>& each);

 private:
  friend class Credit;
  enum class Promise : std::uint8_t { given, ring_full, segment_missing, space_full };

  Log(io::FileSystem& files, memory::PageProvider& provider, Metrics& metrics, TimeSource& time, LogOptions options,
      memory::Mapping ring, memory::Mapping staging);
  static Result<std::unique_ptr<Log>> make(io::FileSystem& files, memory::PageProvider& provider, Metrics& metrics,
                                           TimeSource& time, const LogOptions& options);
  Result<void> begin_at(Lsn end);
  Result<void> load_tail(Lsn end);

  // reserve.cpp
  Promise promise(std::uint64_t bytes, Priority priority);
  Result<void> make_ring_room(std::uint64_t bytes, Priority priority, std::uint64_t deadline_ns, unsigned attempts);
  Result<void> wait_for_cut(std::uint64_t bytes, Priority priority, std::uint64_t deadline_ns);
  bool wait_for_room(std::uint64_t bytes, Priority priority, Promise obstacle, std::uint64_t deadline_ns, bool may_flush);
  void give_back(std::uint64_t bytes);
  void wake_room_waiters();
  std::unexpected<Error> failed_error() const;

  // flush.cpp; the leader's
  void lead(Lsn until);
  bool flush_published();
  Result<void> write_range(std::uint64_t from, std::uint64_t to);
  Result<void> write_staged(std::uint64_t from, std::uint64_t to);
  Result<void> write_from_ring(std::uint64_t from, std::uint64_t to);
  void fail_for_good(const Error& error);

  io::FileSystem& files_;
  memory::PageProvider& provider_;
  Metrics& metrics_;
  TimeSource& time_;
  const LogOptions options_;
  Segments segments_;
  memory::Mapping staging_;  // the flusher's: what is not written straight from the ring
  Ring ring_;

  alignas(64) std::atomic<std::uint64_t> end_{0};
  alignas(64) std::atomic<std::uint64_t> promised_{0};  // end_ and all outstanding credits
  alignas(64) std::atomic<std::uint64_t> durable_{0};
  std::atomic<std::uint64_t> start_{0};
  std::atomic<bool> failed_{false};
  std::function<Result<void>()> before_flush_;
  std::function<void(Lsn)> on_durable_;
  std::function<void(const Error&)> on_failure_;

  std::atomic<std::uint64_t> announced_{0};  // durable, and on_durable_ has run: what flush_to waits for
  WaitQueue queue_{announced_};
  mutable Mutex room_mutex_{LatchRank::log_flush};
  CondVar room_ PLIMSOLL_GUARDED_BY(room_mutex_);  // credits, ring blocks or disk space have come back, or the log has failed
  std::atomic<unsigned> room_waiters_{0};
  std::atomic<unsigned> space_waiters_{0};  // of them: those that need a cut
  std::optional<Error> failure_ PLIMSOLL_GUARDED_BY(room_mutex_);
};

// Reads the records of a closed (or damaged) log straight from its segment files, from `from` up to the first invalid record;
// buffers 1 MiB, charged to Account::io_buffers. Answers the position after the last valid record and why it ends there.
struct ScanEnd {
  Lsn end{};
  Validity why{};
  bool segment_missing = false;
};
Result<ScanEnd> scan(io::FileSystem& files, memory::PageProvider& provider, const LogOptions& options, Lsn from,
                     const std::function<Result<bool>(const Record&)>& each);
// The lowest position for which a segment file exists; not_found if there is none.
Result<Lsn> first_position(io::FileSystem& files, const LogOptions& options);

}  // namespace plimsoll::log
