// async_commit: one put a transaction, committed asynchronously. A commit counts when its callback says that it is durable; each
// worker keeps at most `in_flight_max` commits open. Engines without asynchronous commits do not offer the workload.
#pragma once

#include <atomic>
#include <chrono>
#include <thread>

#include "bench/workloads/worker_base.hpp"

namespace plimsoll::bench {

template <class S>
concept CommitsAsynchronously =
    requires(S session, void (*done)(void*, Result<void>), void* context) { session.commit_async(done, context); };

template <EngineLike E>
class AsyncCommitWorker : public WorkerBase<E> {
 public:
  using WorkerBase<E>::WorkerBase;
  static constexpr unsigned sample_every = 16;
  static constexpr std::uint64_t in_flight_max = 8192;

  ~AsyncCommitWorker() { wait_for_all(); }

  Result<std::uint64_t> step() {
    while (started_ - finished_.load(std::memory_order_acquire) >= in_flight_max)
      std::this_thread::sleep_for(std::chrono::microseconds(20));
    const std::uint64_t row = this->rows_.next();
    PLIMSOLL_TRY(this->session_->begin(Access::single_write));
    PLIMSOLL_TRY(this->session_->put(Key(row).bytes(), this->new_value(row)));
    ++started_;
    if (auto decided = this->session_->commit_async(&AsyncCommitWorker::done, this); !decided) {
      --started_;  // refused: the callback will not come
      return std::unexpected(decided.error());
    }
    return news_so_far();
  }

  Result<std::uint64_t> drain() {
    wait_for_all();
    return news_so_far();
  }

 private:
  void wait_for_all() const {
    while (started_ != finished_.load(std::memory_order_acquire)) std::this_thread::sleep_for(std::chrono::microseconds(20));
  }
  Result<std::uint64_t> news_so_far() {
    const std::uint64_t finished = finished_.load(std::memory_order_acquire);
    if (failed_.load(std::memory_order_acquire)) return fail(ErrorCode::io_error, "an asynchronous commit failed");
    const std::uint64_t news = finished - reported_;
    reported_ = finished;
    return news;
  }
  static void done(void* context, Result<void> outcome) {
    auto* self = static_cast<AsyncCommitWorker*>(context);
    if (!outcome) self->failed_.store(true, std::memory_order_release);
    self->finished_.fetch_add(1, std::memory_order_release);
  }

  std::uint64_t started_ = 0;
  std::uint64_t reported_ = 0;
  std::atomic<std::uint64_t> finished_{0};
  std::atomic<bool> failed_{false};
};

}  // namespace plimsoll::bench
