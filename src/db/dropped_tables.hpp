// Which tables were dropped since the store was opened. A table is known by its root page, which may belong to another table later,
// so a handle also says how many drops there had been when it was made: it is stale if its tree was dropped after that.
//
// Of fixed size, charged when the store is opened. When it is full it forgets all, and every handle made before that is stale.
// Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/latch.hpp"
#include "memory/page_provider.hpp"
#include "plimsoll/types.hpp"
#include "registry/registry.hpp"

namespace plimsoll::db {

class DroppedTables {
 public:
  static constexpr std::size_t entries = 4096;  // distinct root pages, before all is forgotten

  // `count`: drops begun so far, which a new handle remembers.
  DroppedTables(registry::Registry& registry, std::atomic<std::uint32_t>& count) : registry_(registry), count_(count) {}
  Result<void> open(memory::PageProvider& provider);  // before all else; memory_budget_exceeded

  // Handles of `tree` made so far are stale. By one thread at a time. False: a transaction runs, which might have passed the
  // check; then they are not.
  bool note(TreeId tree);
  void take_back(TreeId tree);  // the one noted last was not dropped after all
  bool stale(TreeId tree, std::uint32_t opened) const;

 private:
  struct Entry {
    std::uint32_t tree, drop;  // tree 0: empty
  };
  Entry& entry_of(TreeId tree) const PLIMSOLL_REQUIRES(mutex_);  // or the empty one where it belongs

  registry::Registry& registry_;
  std::atomic<std::uint32_t>& count_;
  mutable Mutex mutex_{LatchRank::events};
  memory::Mapping memory_ PLIMSOLL_GUARDED_BY(mutex_);
  std::size_t used_ PLIMSOLL_GUARDED_BY(mutex_) = 0;
  std::uint32_t before_ PLIMSOLL_GUARDED_BY(mutex_) = 0;     // the drop that the entry of the one noted last was for
  std::uint32_t forgotten_ PLIMSOLL_GUARDED_BY(mutex_) = 0;  // handles with less are stale
};

}  // namespace plimsoll::db
