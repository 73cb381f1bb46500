// Time as a test has it: ahead of the system's by as much as the test says, or standing still until it says so.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/time.hpp"

namespace plimsoll {

class TestTime final : public TimeSource {
 public:
  enum class Runs : bool { when_told, by_itself };

  explicit TestTime(Runs runs) : runs_(runs) {}
  std::uint64_t wall_ms() override { return runs() ? system_time().wall_ms() + ahead_ns_ / 1'000'000 : 0; }
  std::uint64_t monotonic_ns() override { return (runs() ? system_time().monotonic_ns() : 0) + ahead_ns_; }
  void advance(std::uint64_t ns) { ahead_ns_ += ns; }

 private:
  bool runs() const { return runs_ == Runs::by_itself; }
  const Runs runs_;
  std::atomic<std::uint64_t> ahead_ns_{1'000'000'000};
};

}  // namespace plimsoll
