// Where time comes from. Injected, so that a simulation's seed replays a run. Wall time dates commits; monotonic time is for
// deadlines and never jumps. Implementations are thread-safe.
#pragma once

#include <cstdint>

namespace plimsoll {

class TimeSource {
 public:
  virtual ~TimeSource() = default;
  virtual std::uint64_t wall_ms() = 0;                          // milliseconds since 1970; may jump either way
  virtual std::uint64_t monotonic_ns() = 0;                     // never goes back
  virtual std::uint64_t coarse_ns() { return monotonic_ns(); }  // the same clock to a few milliseconds, cheaper
};

TimeSource& system_time();

}  // namespace plimsoll
