// Credits: who may append how much. What is promised never exceeds the room in the ring, nor the disk space of segments that are
// ready; so an append, and the flush after it, cannot run out of either.
#include <algorithm>

#include "base/check.hpp"
#include "base/fail.hpp"
#include "log/log.hpp"

namespace plimsoll::log {

namespace {

// An injected clock may stand still while the system's runs: waits are cut into pieces, and the deadline is judged by the clock.
constexpr std::chrono::milliseconds wait_piece{10};
// Flushes that a caller makes even without time left, if others take the room each time.
constexpr unsigned attempts_max = 8;

}  // namespace

Credit& Credit::operator=(Credit&& other) noexcept {
  if (this != &other) {
    release();
    log_ = std::exchange(other.log_, nullptr);
    bytes_ = std::exchange(other.bytes_, 0);
  }
  return *this;
}

void Credit::release() {
  if (log_ != nullptr && bytes_ != 0) log_->give_back(bytes_);
  log_ = nullptr;
  bytes_ = 0;
}

Log::Promise Log::promise(std::uint64_t bytes, Priority priority) {
  std::uint64_t promised = promised_.load(std::memory_order_seq_cst);
  do {
    const std::uint64_t wanted = promised + bytes;
    if (wanted > ring_.room_end(priority)) return Promise::ring_full;
    if (wanted > segments_.limit(priority)) return Promise::space_full;
    if (wanted > segments_.ready_end()) return Promise::segment_missing;
  } while (!promised_.compare_exchange_weak(promised, promised + bytes, std::memory_order_seq_cst));
  return Promise::given;
}

std::unexpected<Error> Log::failed_error() const {
  const auto cause = failure();
  PLIMSOLL_CHECK(cause.has_value());
  return fail(ErrorCode::read_only, "the log has failed: {}", cause->details());
}

Result<Credit> Log::reserve(std::uint64_t bytes, Priority priority, std::uint64_t deadline_ns) {
  bytes = (bytes + 7) & ~std::uint64_t{7};
  if (bytes > ring_.grant_max(priority)) {
    return fail(ErrorCode::invalid_argument, "{} bytes of log wanted at once, the ring grants at most {}", bytes,
                ring_.grant_max(priority));
  }
  bool waited_for_ring = false, waited_for_space = false;
  for (unsigned attempts = 0;; ++attempts) {
    if (failed()) return failed_error();
    switch (promise(bytes, priority)) {
      case Promise::given: {
        Credit credit;
        credit.log_ = this;
        credit.bytes_ = bytes;
        return credit;
      }
      case Promise::ring_full:
        if (!std::exchange(waited_for_ring, true)) metrics_.add(Counter::log_ring_waits);
        PLIMSOLL_TRY(make_ring_room(bytes, priority, deadline_ns, attempts));
        break;
      case Promise::segment_missing: PLIMSOLL_TRY(segments_.extend(segments_.ready_end() + 1)); break;
      case Promise::space_full:
        if (!std::exchange(waited_for_space, true)) metrics_.add(Counter::log_space_waits);
        PLIMSOLL_TRY(wait_for_cut(bytes, priority, deadline_ns));
        break;
    }
  }
}

// A flush frees what has been appended; what remains is held by credits.
Result<void> Log::make_ring_room(std::uint64_t bytes, Priority priority, std::uint64_t deadline_ns, unsigned attempts) {
  const Lsn all = end();
  const bool may_flush = attempts < attempts_max || (deadline_ns != 0 && time_.monotonic_ns() < deadline_ns);
  if (all > durable() && may_flush) {
    static_cast<void>(flush_to(all));  // a failure shows in failed()
    return {};
  }
  if (wait_for_room(bytes, priority, Promise::ring_full, deadline_ns, may_flush)) return {};
  return fail(ErrorCode::log_full, "{} bytes wanted, the log's ring of {} bytes is held by others", bytes, options_.ring_bytes);
}

Result<void> Log::wait_for_cut(std::uint64_t bytes, Priority priority, std::uint64_t deadline_ns) {
  if (wait_for_room(bytes, priority, Promise::space_full, deadline_ns, false)) return {};
  return fail(ErrorCode::log_full, "{} bytes wanted, the log keeps {} bytes from {} on, its limit is {}", bytes,
              end().value - start().value, start().value, options_.bytes_max);
}

// Sleeps until the obstacle may have gone; false when the deadline has passed. The counts are raised before the obstacle is looked
// at again, and those who remove obstacles look at the counts afterwards, both sequentially consistent: no wake-up is lost.
bool Log::wait_for_room(std::uint64_t bytes, Priority priority, Promise obstacle, std::uint64_t deadline_ns, bool may_flush) {
  const bool space = obstacle == Promise::space_full;
  const MutexLock lock(room_mutex_);
  room_waiters_.fetch_add(1, std::memory_order_seq_cst);
  if (space) space_waiters_.fetch_add(1, std::memory_order_seq_cst);
  bool in_time = true;
  while (!failed()) {
    const std::uint64_t wanted = promised_.load(std::memory_order_seq_cst) + bytes;
    if (wanted <= (space ? segments_.limit(priority) : ring_.room_end(priority))) break;
    if (may_flush && end() > durable()) break;  // a flush helps, and the caller makes it
    const std::uint64_t now = deadline_ns != 0 ? time_.monotonic_ns() : 0;
    in_time = now < deadline_ns;
    if (!in_time) break;
    room_.wait_for(room_mutex_, std::min<std::chrono::nanoseconds>(wait_piece, std::chrono::nanoseconds(deadline_ns - now)));
  }
  if (space) space_waiters_.fetch_sub(1, std::memory_order_seq_cst);
  room_waiters_.fetch_sub(1, std::memory_order_seq_cst);
  return in_time;
}

void Log::give_back(std::uint64_t bytes) {
  const std::uint64_t before = promised_.fetch_sub(bytes, std::memory_order_seq_cst);
  PLIMSOLL_CHECK(before >= bytes);
  wake_room_waiters();
}

void Log::wake_room_waiters() {
  if (room_waiters_.load(std::memory_order_seq_cst) == 0) return;
  const MutexLock lock(room_mutex_);
  room_.notify_all();
}

Result<bool> Log::prepare_segment() {
  if (failed()) return failed_error();
  const std::uint64_t ready = segments_.ready_end();
  if (ready >= promised_.load() + options_.segment_bytes || ready + options_.segment_bytes > segments_.limit(Priority::checkpoint))
    return false;
  return segments_.extend(ready + 1);
}

}  // namespace plimsoll::log
