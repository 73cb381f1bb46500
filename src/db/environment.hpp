// What a store takes from its surroundings, injected by tests: files, time and randomness. Must outlive the store.
#pragma once

#include "base/random.hpp"
#include "base/time.hpp"
#include "io/file.hpp"

namespace plimsoll {

struct Environment {
  io::FileSystem* files = nullptr;
  TimeSource* time = nullptr;
  std::uint64_t seed = 0;             // of salts and back-off
  std::uint32_t redo_frames = 0;      // redo goes about its work as if the pool had so many frames; 0: as many as it has
  std::uint32_t commits_kept = 0;     // places in the commit table; 0: as many as the number of transactions asks for
  unsigned rungs_off = 0;             // bit r: the ladder's rung r is not taken (memory/pressure.hpp)
  const char* memory_root = nullptr;  // where /proc and /sys are looked for; null: with an environment, nowhere
};

}  // namespace plimsoll
