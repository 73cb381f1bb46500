// One simulated file: what a reader sees now, what is on stable storage for certain, and the changes between the two in order.
// A power failure keeps any subset of the uncertain changes, in their order, a write by any subset of its sectors.
// Used under the mutex of its file system.
//
// States of a change:
//   unsynced  --sync()---------> certain
//   unsynced  --sync_failed()--> forgotten: the kernel dropped it from its list of what is to be written; no later sync makes it
//   certain certain   leaves the list for durable_ as soon as no earlier change that is still listed could overwrite it
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/random.hpp"
#include "io/simulation/content.hpp"
#include "io/simulation/crash_counts.hpp"

namespace plimsoll::io::simulation {

class Inode {
 public:
  static constexpr std::size_t sector_bytes = 512;

  Inode() = default;
  explicit Inode(const Content& image) : current_(image), durable_(image) {}

  const Content& current() const { return current_; }

  void write(std::uint64_t offset, std::span<const char> from);
  // Makes the last change, a write, certain, with the growth that came with it; not what other writes left unsynced.
  void settle_last_write();
  void resize(std::uint64_t bytes);
  void allocate(std::uint64_t offset, std::uint64_t bytes);
  void deallocate(std::uint64_t offset, std::uint64_t bytes);
  void sync();
  void sync_failed();

  // What a power failure at this moment leaves.
  Content survive(Random& random, CrashCounts& counts) const;

 private:
  enum class Kind : std::uint8_t { write, grow, cut, allocate, release };
  enum class State : std::uint8_t { unsynced, forgotten, certain };
  struct Change {
    Kind kind;
    State state;
    std::uint64_t offset;  // grow and cut: the new size
    std::uint64_t bytes;
    std::vector<char> data;  // of a write

    std::uint64_t end() const { return offset + bytes; }
  };

  static bool commute(const Change& a, const Change& b);
  static void apply(const Change& change, Content& content);
  static bool apply_torn(const Change& write, Content& content, Random& random);
  void add(Change change);
  void settle();
  void settle_all();

  Content current_;
  Content durable_;
  std::vector<Change> pending_;
};

}  // namespace plimsoll::io::simulation
