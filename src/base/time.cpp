#include "base/time.hpp"

#include <ctime>

namespace plimsoll {
namespace {

std::uint64_t read(clockid_t clock, std::uint64_t unit_ns) {
  timespec now{};
  clock_gettime(clock, &now);
  return (static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec)) / unit_ns;
}

class SystemTime final : public TimeSource {
 public:
  std::uint64_t wall_ms() override {
    return read(CLOCK_REALTIME_COARSE, 1'000'000);
  }  // 5 ns; the logical part orders within a tick
  std::uint64_t monotonic_ns() override { return read(CLOCK_MONOTONIC, 1); }
  std::uint64_t coarse_ns() override { return read(CLOCK_MONOTONIC_COARSE, 1); }
};

}  // namespace

TimeSource& system_time() {
  static SystemTime time;
  return time;
}

}  // namespace plimsoll
