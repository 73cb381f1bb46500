// A tiny store on the simulated file system, and the time that it sees: a seed replays a run.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>

#include "base/random.hpp"
#include "base/time.hpp"
#include "db/environment.hpp"
#include "io/file.hpp"
#include "plimsoll/plimsoll.hpp"
#include "scale.hpp"

namespace plimsoll::test {

// Goes on whenever somebody looks at it, by more than the lock deadline below: no wait lasts.
class SteppingTime final : public TimeSource {
 public:
  std::uint64_t wall_ms() override { return start_ms + monotonic_ns() / 1'000'000; }
  std::uint64_t monotonic_ns() override { return now_.fetch_add(step_ns, std::memory_order_relaxed); }

 private:
  static constexpr std::uint64_t start_ms = 1'700'000'000'000, step_ns = 2'000'000;
  std::atomic<std::uint64_t> now_{1};
};

inline constexpr const char* store_path = "/store";

// A large log ring leaves less of the budget for pages; a longer log goes with it, so that pages are written when they must leave
// the pool rather than by checkpoints.
inline Options tiny_store(Environment& environment, std::size_t log_ring_bytes = 0) {
  Options options;
  options.memory_budget = 16_MiB;
  options.page_size = 4_KiB;
  options.max_transactions = 16;
  options.log_segment_bytes = 64_KiB;
  options.log_bytes_max = log_ring_bytes == 0 ? 256_KiB : 2_MiB;
  options.log_ring_bytes = log_ring_bytes;
  options.lock_deadline = std::chrono::milliseconds(1);
  options.transaction_deadline = std::chrono::milliseconds(0);
  options.background_threads = false;
  options.environment = &environment;
  return options;
}

// PLIMSOLL_TEST_SEED: run this seed only.
inline std::uint64_t only_seed() {
  const char* text = std::getenv("PLIMSOLL_TEST_SEED");
  return text == nullptr ? 0 : std::strtoull(text, nullptr, 10);
}

}  // namespace plimsoll::test
