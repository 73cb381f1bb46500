// Notices that this process is a forked child of the one that made an object: handles to files, threads and locks then belong to
// the parent.
#pragma once

#include <atomic>
#include <cstdint>

namespace plimsoll {

class ForkGuard {
 public:
  ForkGuard();
  // One relaxed load.
  bool forked() const { return forks.load(std::memory_order_relaxed) != at_birth_; }

 private:
  static std::atomic<std::uint64_t> forks;  // between this process and the first one that used the library
  std::uint64_t at_birth_;
};

}  // namespace plimsoll
