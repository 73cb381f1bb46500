// A right that one thread at a time has, and keeps while it waits for devices and calls other layers. A ranked mutex would forbid
// that what is called takes a lower one; here the mutex is held only while the right changes hands. First come, first served:
// whoever takes it again and again (the page provider) does not starve who waits for it (a checkpoint).
#pragma once

#include <cstdint>
#include <utility>

#include "base/check.hpp"
#include "base/latch.hpp"

namespace plimsoll::storage {

class Turn {
 public:
  explicit Turn(LatchRank rank) : mutex_(rank) {}

  void take() {
    const MutexLock lock(mutex_);
    const std::uint64_t ticket = next_++;
    while (ticket != served_) given_.wait(mutex_);
  }
  bool try_take() {
    const MutexLock lock(mutex_);
    if (next_ != served_) return false;
    ++next_;
    return true;
  }
  void give() {
    {
      const MutexLock lock(mutex_);
      PLIMSOLL_CHECK(served_ != next_);
      ++served_;
    }
    given_.notify_all();
  }

 private:
  Mutex mutex_;
  CondVar given_;
  std::uint64_t next_ PLIMSOLL_GUARDED_BY(mutex_) = 0;    // the ticket of the next who comes
  std::uint64_t served_ PLIMSOLL_GUARDED_BY(mutex_) = 0;  // whose turn it is; next_: nobody's
};

// Has the turn until end(), or (adopted) gives back what try_take() took.
class TurnHolder {
 public:
  enum class Adopt : bool { adopted = true };
  explicit TurnHolder(Turn& turn) : turn_(&turn) { turn.take(); }
  TurnHolder(Turn& turn, Adopt) : turn_(&turn) {}
  ~TurnHolder() { end(); }
  void end() {
    if (Turn* const turn = std::exchange(turn_, nullptr)) turn->give();
  }
  TurnHolder(const TurnHolder&) = delete;
  TurnHolder& operator=(const TurnHolder&) = delete;

 private:
  Turn* turn_;
};

}  // namespace plimsoll::storage
