// The chain of older versions of one key: record -> entry -> entry -> null, newest first. The leaf's exclusive latch protects the
// whole chain for pruning and moving; every change of a pointer in it bumps the leaf's word, so that optimistic readers of the
// chain start again.
//
// Walking rules: an address is followed only while the stamp above it is newer than the oldest admissible snapshot (older ones may
// point to freed pages), and only into this incarnation. The version page is read under its own latch, taken after the leaf's and
// given up before the next one is taken.
#pragma once

#include <cstdint>

#include "btree/trees.hpp"
#include "version/store.hpp"
#include "version/visibility.hpp"

namespace plimsoll::version {

class Chains {
 public:
  Chains(storage::Pool& pool, Store& store, registry::Registry& registry, log::Log& log)
      : pool_(pool), store_(store), registry_(registry), log_(log) {}

  // A writer is about to supersede a record with this resolved stamp and this previous version: unlinks garbage right below it (a
  // few steps, resident pages only) and answers where the chain now begins. The leaf is latched; the caller stores the answer.
  std::uint64_t prune_below(std::uint64_t stamp, std::uint64_t previous);

  // Sweeps the whole chain of the latched leaf's record: unlinks garbage, and moves the entry at `move` (0: none) into `room`.
  // False: the page at `missing` must be made resident first (nothing is lost by trying again).
  struct Swept {
    bool complete = true;
    storage::PageKey missing{};
    bool moved = false;
    std::uint32_t looked_at = 0;  // entries
  };
  Swept sweep(btree::LatchedLeaf& leaf, std::uint64_t move, const Reserved& room);

 private:
  struct Step {
    bool resident = false, ended = false, garbage = false, intermediate = false;
    std::uint64_t stamp = 0, previous = 0;
  };
  Step look(std::uint64_t address, std::uint64_t until);
  void set_pointer(btree::LatchedLeaf& leaf, std::uint64_t holder, std::uint64_t to);
  void move_entry(std::uint64_t from, const Reserved& to, std::uint64_t until);

  storage::Pool& pool_;
  Store& store_;
  registry::Registry& registry_;
  log::Log& log_;
};

}  // namespace plimsoll::version
