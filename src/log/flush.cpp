// The leader's work: everything published goes to the segments in as few writes as it takes, then the durable position moves.
#include <algorithm>
#include <array>

#include "base/check.hpp"
#include "base/fail.hpp"
#include "log/log.hpp"

namespace plimsoll::log {

Result<void> Log::flush_to(Lsn lsn) {
  const auto announced = [&] { return announced_.load(std::memory_order_acquire) >= lsn.value; };
  if (announced()) return {};
  PLIMSOLL_CHECK(lsn <= end());
  if (queue_.join(lsn.value)) lead(lsn);
  if (announced()) return {};
  const auto cause = failure();
  PLIMSOLL_CHECK(cause.has_value());
  return fail(ErrorCode::commit_outcome_unknown, "the log failed before position {} was durable: {}", lsn.value, cause->details());
}

// Until `until` is durable. Writers that have claimed a position are copying and cannot block: a hole is waited for by pausing.
void Log::lead(Lsn until) {
  Backoff backoff;
  while (durable() < until && !failed()) {
    if (!flush_published()) {
      backoff.pause();
    } else if (durable() < until) {
      queue_.advanced();
    }
  }
  queue_.leave();
}

// False: nothing was there to write.
bool Log::flush_published() {
  const std::uint64_t from = durable_.load(std::memory_order_relaxed);
  const std::uint64_t to = ring_.published(from);
  if (to == from) return false;
  PLIMSOLL_CHECK(to <= end_.load() && to <= segments_.ready_end());
  Result<void> done;
  if (before_flush_) done = before_flush_();
  if (done) done = write_range(from, to);
  if (!done) {
    fail_for_good(done.error());
    return true;
  }
  metrics_.add(Counter::log_flushes);
  durable_.store(to, std::memory_order_seq_cst);
  ring_.advance(from, to);
  if (from / options_.segment_bytes != to / options_.segment_bytes) segments_.close_below(to);
  wake_room_waiters();
  if (on_durable_) on_durable_(Lsn{to});
  announced_.store(to, std::memory_order_release);
  return true;
}

// The block with `from` is written again, the rest of the block with `to` as zeroes. All is durable when this returns.
Result<void> Log::write_range(std::uint64_t from, std::uint64_t to) {
  std::uint64_t at = block_begin(from);
  while (at < to) {
    const std::uint64_t segment_end = (at / options_.segment_bytes + 1) * options_.segment_bytes;
    const std::uint64_t piece_end = std::min(to, segment_end);
    const bool small = piece_end - at <= staging_.bytes();
    PLIMSOLL_TRY(small ? write_staged(at, piece_end) : write_from_ring(at, piece_end));
    at = piece_end;
  }
  return {};
}

// Copied first: one write, and nothing in it changes while the device reads it.
Result<void> Log::write_staged(std::uint64_t from, std::uint64_t to) {
  const std::size_t used = to - from;
  const std::size_t whole = block_end(to) - from;
  PLIMSOLL_DCHECK(from % io::block_bytes == 0 && whole <= staging_.bytes());
  ring_.read(from, {staging_.data(), used});
  std::memset(staging_.data() + used, 0, whole - used);
  return segments_.file_for_writing(from).write_durable(from % options_.segment_bytes, {staging_.data(), whole});
}

// Whole blocks straight from the ring, in two pieces where it wraps; the last block, if others still write into it, from a copy.
Result<void> Log::write_from_ring(std::uint64_t from, std::uint64_t to) {
  PLIMSOLL_DCHECK(from % io::block_bytes == 0 && to - from > io::block_bytes);
  std::array<io::Transfer, 3> transfers;
  std::size_t count = 0;
  for (std::uint64_t at = from; at < block_begin(to);) {
    const std::span<char> piece = ring_.run(at, block_begin(to) - at);
    transfers.at(count++) = {.offset = at % options_.segment_bytes, .data = piece.data(), .bytes = piece.size()};
    at += piece.size();
  }
  if (const std::size_t used = to - block_begin(to); used != 0) {
    ring_.read(block_begin(to), {staging_.data(), used});
    std::memset(staging_.data() + used, 0, io::block_bytes - used);
    transfers.at(count++) = {.offset = block_begin(to) % options_.segment_bytes, .data = staging_.data(), .bytes = io::block_bytes};
  }
  io::File& file = segments_.file_for_writing(from);
  if (count == 1) return file.write_durable(transfers[0].offset, {transfers[0].data, transfers[0].bytes});
  if (file.write_batch({transfers.data(), count})) return file.sync();
  const auto failed = std::ranges::find_if(transfers, [](const io::Transfer& transfer) { return transfer.error != 0; });
  PLIMSOLL_CHECK(failed != transfers.end());
  return fail_os(failed->error, "cannot write the log at position {}", from);
}

// Nothing is tried again: after a failed sync the system may have forgotten what was not written.
void Log::fail_for_good(const Error& error) {
  {
    const MutexLock lock(room_mutex_);
    if (failed()) return;
    failure_ = error;
    failed_.store(true, std::memory_order_release);
    room_.notify_all();
  }
  queue_.close();
  if (on_failure_) on_failure_(error);
}

}  // namespace plimsoll::log
