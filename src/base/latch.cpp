#include "base/latch.hpp"

#include <sched.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>

namespace plimsoll {

// A holder that was descheduled is away for milliseconds. Who yields meanwhile loses his turn as if he had used it (Linux: the
// whole slice), and after a few of them runs late when the holder is done; who sleeps does not.
void Backoff::pause() {
  constexpr unsigned pauses = 64, yields = 2, doublings_max = 4;
  constexpr std::chrono::microseconds shortest{20};
  if (rounds_ < pauses) {
    __builtin_ia32_pause();
  } else if (rounds_ < pauses + yields) {
    sched_yield();
  } else {
    std::this_thread::sleep_for(shortest * (1u << std::min(rounds_ - pauses - yields, doublings_max)));
  }
  ++rounds_;
}

#ifndef NDEBUG
namespace detail {
namespace {
thread_local std::array<std::uint8_t, 256> held{};
}

void rank_check(LatchRank rank) {
  for (unsigned higher = static_cast<unsigned>(rank) + 1; higher < held.size(); ++higher) PLIMSOLL_CHECK(held[higher] == 0);
}

void rank_acquire(LatchRank rank) {
  rank_check(rank);
  ++held[static_cast<unsigned>(rank)];
}

void rank_release(LatchRank rank) {
  PLIMSOLL_CHECK(held[static_cast<unsigned>(rank)] != 0);
  --held[static_cast<unsigned>(rank)];
}
}  // namespace detail
#endif

}  // namespace plimsoll
