#include "txn/async_commits.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "base/fail.hpp"

namespace plimsoll::txn {

Result<std::unique_ptr<AsyncCommits>> AsyncCommits::make(memory::PageProvider& provider, TimeSource& time) {
  std::unique_ptr<AsyncCommits> made(new AsyncCommits(time));
  PLIMSOLL_ASSIGN(made->memory_, provider.map(memory::Account::registry, capacity * sizeof(Waiting)));
  return made;
}

bool AsyncCommits::try_reserve() {
  const MutexLock lock(mutex_);
  if (used_.load() + reserved_ == capacity) return false;
  ++reserved_;
  return true;
}

Result<void> AsyncCommits::reserve(std::uint64_t deadline_ns) {
  MutexLock lock(mutex_);
  while (used_.load() + reserved_ == capacity) {
    const std::uint64_t now = time_.monotonic_ns();
    if (now >= deadline_ns) return fail(ErrorCode::log_full, "{} asynchronous commits wait for the log already", capacity);
    constexpr std::uint64_t look_again_ns = 100'000'000;
    room_.wait_for(mutex_, std::chrono::nanoseconds(std::min(deadline_ns - now, look_again_ns)));
  }
  ++reserved_;
  return {};
}

void AsyncCommits::cancel() {
  MutexLock lock(mutex_);
  PLIMSOLL_CHECK(reserved_-- != 0);
  room_.notify_one();
}

void AsyncCommits::add(Lsn lsn, Done done, void* context) {
  MutexLock lock(mutex_);
  PLIMSOLL_CHECK(reserved_-- != 0);
  memory_.as<Waiting>()[tail_++ % capacity] = {lsn, done, context};
  used_.fetch_add(1);
}

// One thread calls, so that calls come in the order of the commits; it also does what others find to do meanwhile.
void AsyncCommits::call_back(Lsn durable, bool failed) {
  bool calling = false;
  for (;;) {
    Waiting next{};
    bool is_durable = false;
    {
      MutexLock lock(mutex_);
      if (!calling) {
        durable_ = std::max(durable_, durable);
        failed_ = failed_ || failed;
        if (calling_) return;
        calling = calling_ = true;
      }
      if (head_ != tail_) next = memory_.as<Waiting>()[head_ % capacity];
      is_durable = next.lsn <= durable_;
      if (head_ == tail_ || !(is_durable || failed_)) {
        calling_ = false;
        return;
      }
      ++head_;
      used_.fetch_sub(1);
      room_.notify_one();
    }
    if (is_durable) {
      next.done(next.context, {});
    } else {
      next.done(next.context, fail(ErrorCode::commit_outcome_unknown,
                                   "the log failed while the commit at position {} was in flight", next.lsn.value));
    }
  }
}

void AsyncCommits::complete(Lsn durable) {
  if (pending()) call_back(durable, false);
}

void AsyncCommits::fail_all() { call_back(Lsn{}, true); }

}  // namespace plimsoll::txn
