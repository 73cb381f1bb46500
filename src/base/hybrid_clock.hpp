// The one hybrid logical clock of a store (Kulkarni et al., "Logical Physical Clocks", 2014). local() values are strictly
// ascending, also when the wall clock jumps back; receive() moves the clock to a remote value unless that lies too far ahead.
// Thread-safe; local() is called under the commit latch, so that timestamp order is log order.
#pragma once

#include <atomic>

#include "base/time.hpp"
#include "plimsoll/error.hpp"
#include "plimsoll/types.hpp"

namespace plimsoll {

class HybridClock {
 public:
  static constexpr unsigned logical_bits = 16;
  static constexpr std::uint64_t skew_ms_max = 5'000;

  explicit HybridClock(TimeSource& time) : time_(time) {}

  Timestamp local();                                                                   // a new timestamp, larger than all before
  Timestamp last() const { return Timestamp{last_.load(std::memory_order_seq_cst)}; }  // the newest that was issued or received
  Result<void> receive(Timestamp remote);  // invalid_argument beyond skew_ms_max ahead of the wall clock
  void raise(Timestamp floor);             // recovery: never issue anything at or below `floor`

 private:
  TimeSource& time_;
  std::atomic<std::uint64_t> last_{1};
};

}  // namespace plimsoll
