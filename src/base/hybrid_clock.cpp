#include "base/hybrid_clock.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "base/fail.hpp"

namespace plimsoll {

Timestamp HybridClock::local() {
  std::uint64_t last = last_.load(std::memory_order_relaxed);
  for (;;) {
    const std::uint64_t next = std::max(last + 1, time_.wall_ms() << logical_bits);
    PLIMSOLL_CHECK(next > last && next >> 63 == 0);
    if (last_.compare_exchange_weak(last, next, std::memory_order_seq_cst)) return Timestamp{next};
  }
}

Result<void> HybridClock::receive(Timestamp remote) {
  const std::uint64_t ahead_ms = remote.value >> logical_bits, wall_ms = time_.wall_ms();
  if (remote.value >> 63 != 0 || ahead_ms > wall_ms + skew_ms_max)
    return fail(ErrorCode::invalid_argument, "timestamp {} is {} ms ahead of this clock, more than the {} ms allowed", remote.value,
                ahead_ms - wall_ms, skew_ms_max);
  raise(remote);
  return {};
}

void HybridClock::raise(Timestamp floor) {
  std::uint64_t last = last_.load(std::memory_order_relaxed);
  while (last < floor.value && !last_.compare_exchange_weak(last, floor.value, std::memory_order_seq_cst)) {}
}

}  // namespace plimsoll
