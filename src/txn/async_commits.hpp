// Commits that were decided and whose owners asked to be told later. A ring of fixed size: reserve() before the commit is decided,
// add() afterwards, complete() whenever the log became durable further. Callbacks run on the thread that completes, without
// latches, one at a time and in the order of add().
#pragma once

#include <atomic>
#include <memory>

#include "base/latch.hpp"
#include "log/log.hpp"
#include "memory/page_provider.hpp"

namespace plimsoll::txn {

class AsyncCommits {
 public:
  using Done = void (*)(void* context, Result<void> outcome);
  static constexpr std::size_t capacity = 10'000;

  static Result<std::unique_ptr<AsyncCommits>> make(memory::PageProvider& provider, TimeSource& time);

  bool try_reserve();                               // a place, if there is one
  Result<void> reserve(std::uint64_t deadline_ns);  // waits for a place; log_full at the deadline
  void cancel();                                    // a reserved place is not needed after all
  void add(Lsn lsn, Done done, void* context);      // uses the reserved place
  void complete(Lsn durable);
  void fail_all();  // the log has failed: commit_outcome_unknown for everyone
  bool pending() const { return used_.load(std::memory_order_seq_cst) != 0; }

 private:
  struct Waiting {
    Lsn lsn;
    Done done;
    void* context;
  };
  explicit AsyncCommits(TimeSource& time) : time_(time) {}
  void call_back(Lsn durable, bool failed);

  TimeSource& time_;
  memory::Mapping memory_;
  Mutex mutex_{LatchRank::slot};
  CondVar room_;
  std::size_t head_ PLIMSOLL_GUARDED_BY(mutex_) = 0, tail_ PLIMSOLL_GUARDED_BY(mutex_) = 0,
                    reserved_ PLIMSOLL_GUARDED_BY(mutex_) = 0;
  Lsn durable_ PLIMSOLL_GUARDED_BY(mutex_){};
  bool failed_ PLIMSOLL_GUARDED_BY(mutex_) = false, calling_ PLIMSOLL_GUARDED_BY(mutex_) = false;
  std::atomic<std::size_t> used_{0};
};

}  // namespace plimsoll::txn
