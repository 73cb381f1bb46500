#include "db/dropped_tables.hpp"

#include <cstring>

#include "base/check.hpp"
#include "base/fail.hpp"

namespace plimsoll::db {

DroppedTables::Entry& DroppedTables::entry_of(TreeId tree) const {
  Entry* const all = memory_.as<Entry>();
  std::size_t at = tree.value * 0x9E3779B1u % entries;
  while (all[at].tree != 0 && all[at].tree != tree.value) at = (at + 1) % entries;
  return all[at];
}

Result<void> DroppedTables::open(memory::PageProvider& provider) {
  PLIMSOLL_ASSIGN(memory::Mapping made, provider.map(memory::Account::registry, entries * sizeof(Entry)));
  const MutexLock lock(mutex_);  // which ranks above the budget's
  memory_ = std::move(made);
  return {};
}

// First the count, then whether anybody is there: a transaction that comes later sees the count, waits for the mutex, and finds the
// entry.
bool DroppedTables::note(TreeId tree) {
  PLIMSOLL_CHECK(tree.value != 0);
  if (registry_.active() != 0) return false;  // and no handle needs to be looked at for it
  const MutexLock lock(mutex_);
  const std::uint32_t drop = count_.fetch_add(1, std::memory_order_seq_cst) + 1;
  if (registry_.active() != 0) return false;
  constexpr std::size_t used_max = entries / 4 * 3;  // probing stays short
  if (used_ == used_max) {
    std::memset(memory_.data(), 0, memory_.bytes());
    used_ = 0;
    forgotten_ = drop - 1;
  }
  Entry& entry = entry_of(tree);
  used_ += entry.tree == 0 ? 1 : 0;
  before_ = entry.drop;
  entry = {tree.value, drop};
  return true;
}

void DroppedTables::take_back(TreeId tree) {
  const MutexLock lock(mutex_);
  entry_of(tree).drop = before_;  // of a table that had its root there before
}

bool DroppedTables::stale(TreeId tree, std::uint32_t opened) const {
  const MutexLock lock(mutex_);
  if (opened < forgotten_) return true;
  const Entry& entry = entry_of(tree);
  return entry.tree == tree.value && entry.drop > opened;
}

}  // namespace plimsoll::db
