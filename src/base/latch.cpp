#include "base/latch.hpp"

#include <sched.h>

#include <array>

namespace plimsoll {

void Backoff::pause() {
  if (++rounds_ < 64) {
    __builtin_ia32_pause();
  } else {
    sched_yield();
  }
}

#ifndef NDEBUG
namespace detail {
namespace {
thread_local std::array<std::uint8_t, 256> held{};
}

void rank_acquire(LatchRank rank) {
  for (unsigned higher = static_cast<unsigned>(rank) + 1; higher < held.size(); ++higher) PLIMSOLL_CHECK(held[higher] == 0);
  ++held[static_cast<unsigned>(rank)];
}

void rank_release(LatchRank rank) {
  PLIMSOLL_CHECK(held[static_cast<unsigned>(rank)] != 0);
  --held[static_cast<unsigned>(rank)];
}
}  // namespace detail
#endif

}  // namespace plimsoll
