// What one simulated power failure did, so that a test can show that it has met every kind of damage.
#pragma once

#include <cstdint>

namespace plimsoll::io::simulation {

struct CrashCounts {
  std::uint64_t writes_lost = 0;
  std::uint64_t writes_torn = 0;       // some of its sectors survived
  std::uint64_t writes_reordered = 0;  // survived, although an earlier write to the same file was lost
  std::uint64_t resizes_lost = 0;      // growing, cutting, allocating
  std::uint64_t names_lost = 0;        // creations, renames, removals
};

}  // namespace plimsoll::io::simulation
