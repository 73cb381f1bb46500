// Latches with ranks. A thread takes latches in ascending rank only; debug builds check it (docs/locking.md lists the ranks).
// Annotated for clang's thread-safety analysis. Never held across a wait for a lock, for log space, for budget or for user code.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <shared_mutex>

#include "base/check.hpp"

#if defined(__clang__)
#define PLIMSOLL_CAPABILITY(x) __attribute__((capability(x)))
#define PLIMSOLL_SCOPED __attribute__((scoped_lockable))
#define PLIMSOLL_GUARDED_BY(x) __attribute__((guarded_by(x)))
#define PLIMSOLL_REQUIRES(...) __attribute__((requires_capability(__VA_ARGS__)))
#define PLIMSOLL_ACQUIRE(...) __attribute__((acquire_capability(__VA_ARGS__)))
#define PLIMSOLL_RELEASE(...) __attribute__((release_capability(__VA_ARGS__)))
#define PLIMSOLL_TRY_ACQUIRE(...) __attribute__((try_acquire_capability(__VA_ARGS__)))
#define PLIMSOLL_RETURN_CAPABILITY(x) __attribute__((lock_returned(x)))
#define PLIMSOLL_NO_ANALYSIS __attribute__((no_thread_safety_analysis))
#else
#define PLIMSOLL_CAPABILITY(x)
#define PLIMSOLL_SCOPED
#define PLIMSOLL_GUARDED_BY(x)
#define PLIMSOLL_REQUIRES(...)
#define PLIMSOLL_ACQUIRE(...)
#define PLIMSOLL_RELEASE(...)
#define PLIMSOLL_TRY_ACQUIRE(...)
#define PLIMSOLL_RETURN_CAPABILITY(x)
#define PLIMSOLL_NO_ANALYSIS
#endif

namespace plimsoll {

// Ascending: a latch may be taken only while all latches held have a smaller rank. `leaf` ones are taken last.
enum class LatchRank : std::uint8_t {
  database = 10,
  catalogue = 20,
  checkpoint = 30,
  collector = 40,
  snapshot_set = 50,
  page = 60,  // page latches are the optimistic words of frames; among themselves ordered by storage/README rules
  space = 65,
  commit = 70,
  pool = 80,
  writer = 85,  // page write-out, doublewrite
  slot = 90,
  log_flush = 100,
  log_file = 110,
  file_names = 115,
  file = 120,
  memory = 130,  // of allocators, which charge the budget for what they take
  budget = 140,
  events = 150,
};

namespace detail {
#ifdef NDEBUG
inline void rank_acquire(LatchRank) {}
inline void rank_release(LatchRank) {}
inline void rank_check(LatchRank) {}
#else
void rank_acquire(LatchRank rank);  // aborts on an order violation
void rank_release(LatchRank rank);
void rank_check(LatchRank rank);  // aborts if acquiring it now would be one
#endif
}  // namespace detail

class PLIMSOLL_CAPABILITY("mutex") Mutex {
 public:
  explicit Mutex(LatchRank rank) : rank_(rank) {}
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void lock() PLIMSOLL_ACQUIRE() {
    detail::rank_acquire(rank_);
    mutex_.lock();
  }
  bool try_lock() PLIMSOLL_TRY_ACQUIRE(true) {
    if (!mutex_.try_lock()) return false;
    detail::rank_acquire(rank_);
    return true;
  }
  void unlock() PLIMSOLL_RELEASE() {
    mutex_.unlock();
    detail::rank_release(rank_);
  }

 private:
  friend class CondVar;
  std::mutex mutex_;
  [[maybe_unused]] LatchRank rank_;
};

class PLIMSOLL_SCOPED MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) PLIMSOLL_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() PLIMSOLL_RELEASE() { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// Waits with the mutex held by the caller; may wake without cause.
class CondVar {
 public:
  void wait(Mutex& mutex) PLIMSOLL_REQUIRES(mutex) {
    std::unique_lock lock(mutex.mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }
  // false: the time is over
  bool wait_for(Mutex& mutex, std::chrono::nanoseconds time) PLIMSOLL_REQUIRES(mutex) {
    std::unique_lock lock(mutex.mutex_, std::adopt_lock);
    const bool woken = condition_.wait_for(lock, time) == std::cv_status::no_timeout;
    lock.release();
    return woken;
  }
  void notify_one() { condition_.notify_one(); }
  void notify_all() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

// A few pauses, then sleep: for waits that last nanoseconds unless the holder was descheduled.
class Backoff {
 public:
  void pause();

 private:
  unsigned rounds_ = 0;
};

}  // namespace plimsoll
