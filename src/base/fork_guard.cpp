#include "base/fork_guard.hpp"

#include <pthread.h>

#include <mutex>

namespace plimsoll {

std::atomic<std::uint64_t> ForkGuard::forks{0};

ForkGuard::ForkGuard() {
  static std::once_flag once;
  std::call_once(once, [] { pthread_atfork(nullptr, nullptr, [] { forks.fetch_add(1, std::memory_order_relaxed); }); });
  at_birth_ = forks.load(std::memory_order_relaxed);
}

}  // namespace plimsoll
