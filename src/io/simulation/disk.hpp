// The state that a simulated file system shares with its open files and locks.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <string>

#include "base/latch.hpp"
#include "io/file.hpp"
#include "io/simulation/fault_plan.hpp"
#include "io/simulation/name_table.hpp"

namespace plimsoll::io::simulation {

struct Disk {
  mutable Mutex mutex{LatchRank::file};
  NameTable names PLIMSOLL_GUARDED_BY(mutex);
  FaultPlan faults PLIMSOLL_GUARDED_BY(mutex);
  std::map<std::string, std::uint64_t> locks PLIMSOLL_GUARDED_BY(mutex);  // lock file, pid
  std::uint64_t generation PLIMSOLL_GUARDED_BY(mutex) = 0;                // crashes; a handle of an earlier one is dead
  std::uint64_t limit_bytes PLIMSOLL_GUARDED_BY(mutex) = std::numeric_limits<std::uint64_t>::max();
  CrashCounts last_crash PLIMSOLL_GUARDED_BY(mutex);

  std::uint64_t used_bytes() const PLIMSOLL_REQUIRES(mutex);
  // How many of the bytes, from the first one on, there is room for.
  std::uint64_t bytes_that_fit(const Inode& file, std::uint64_t offset, std::uint64_t bytes) const PLIMSOLL_REQUIRES(mutex);
  NameTable survive(Random& random, CrashCounts& counts) const PLIMSOLL_REQUIRES(mutex);
};

std::unique_ptr<File> make_simulated_file(std::shared_ptr<Disk> disk, std::shared_ptr<Inode> inode, std::string path, bool writable,
                                          bool aligned, std::uint64_t generation);

}  // namespace plimsoll::io::simulation
