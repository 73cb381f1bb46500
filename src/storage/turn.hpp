// A right that one thread at a time has, and keeps while it waits for devices and calls other layers. A ranked mutex would forbid
// that what is called takes a lower one; here the mutex is held only while the right changes hands.
#pragma once

#include <utility>

#include "base/check.hpp"
#include "base/latch.hpp"

namespace plimsoll::storage {

class Turn {
 public:
  explicit Turn(LatchRank rank) : mutex_(rank) {}

  void take() {
    const MutexLock lock(mutex_);
    while (taken_) given_.wait(mutex_);
    taken_ = true;
  }
  bool try_take() {
    const MutexLock lock(mutex_);
    return !std::exchange(taken_, true);
  }
  void give() {
    {
      const MutexLock lock(mutex_);
      PLIMSOLL_DCHECK(taken_);
      taken_ = false;
    }
    given_.notify_one();
  }

 private:
  Mutex mutex_;
  CondVar given_;
  bool taken_ PLIMSOLL_GUARDED_BY(mutex_) = false;
};

// Has the turn, or (adopted) gives back what try_take() took.
class TurnHolder {
 public:
  enum class Adopt : bool { adopted = true };
  explicit TurnHolder(Turn& turn) : turn_(turn) { turn_.take(); }
  TurnHolder(Turn& turn, Adopt) : turn_(turn) {}
  ~TurnHolder() { turn_.give(); }
  TurnHolder(const TurnHolder&) = delete;
  TurnHolder& operator=(const TurnHolder&) = delete;

 private:
  Turn& turn_;
};

}  // namespace plimsoll::storage
