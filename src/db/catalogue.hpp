// The catalogue: table name -> root page, in a tree of its own whose root is page 1. Entries are not versioned: creating and
// dropping a table is one structure change, atomic by its log record, visible at once and durable when the call returns. Names that
// begin with a NUL byte are the store's own: "\0drop<root>" is a table whose pages are being freed.
//
// Page 1: catalogue root; page 2: root of the garbage tree (txn/large_value.hpp). Entry value: u32 root page.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "plimsoll/stats.hpp"
#include "txn/engine.hpp"

namespace plimsoll::db {

inline constexpr std::uint32_t catalogue_root = 1, garbage_root = 2, pages_at_creation = 3;

class Catalogue {
 public:
  explicit Catalogue(txn::Engine& engine) : engine_(engine) {}

  static Result<void> format(storage::Pool& pool, storage::Space& space, log::Log& log);  // creating a store: pages 0 to 2

  Result<TreeId> find(Bytes name);    // not_found
  Result<TreeId> create(Bytes name);  // already_exists
  // The root page stays taken (an empty leaf under the marker's name) until the next open, so that a stale handle cannot mean
  // another table.
  Result<void> drop(Bytes name);
  bool is_dropped(TreeId tree);
  Result<void> finish_drops();  // frees what an interrupted drop left
  Result<std::vector<TableInfo>> list(bool internal);

 private:
  Result<TreeId> find_to_change(Bytes name) PLIMSOLL_REQUIRES(mutex_) { return find(name); }
  Result<void> free_dropped(Bytes marker, TreeId tree);
  Result<char*> page_buffer(memory::Context& context) const;
  Result<void> empty_dropped(TreeId tree, char* buffer);
  Result<void> free_large_values(TreeId tree, char* buffer);
  Result<bool> free_large_value(TreeId tree, Bytes key);
  txn::Engine& engine_;
  Mutex mutex_{LatchRank::catalogue};
  Mutex dropped_mutex_{LatchRank::events};
  std::set<std::uint32_t> dropped_ PLIMSOLL_GUARDED_BY(dropped_mutex_);  // since the store was opened
};

}  // namespace plimsoll::db
