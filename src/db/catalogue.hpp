// The catalogue: table name -> root page, in a tree of its own whose root is page 1. Entries are not versioned: creating and
// dropping a table is one structure change, atomic by its log record, visible at once and durable when the call returns. Names that
// begin with a NUL byte are the store's own: "\0drop<root>" is a table whose pages are being freed.
//
// Page 1: catalogue root; page 2: root of the garbage tree (txn/large_value.hpp). Entry value: u32 root page.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "db/dropped_tables.hpp"
#include "plimsoll/stats.hpp"
#include "txn/engine.hpp"

namespace plimsoll::db {

inline constexpr std::uint32_t catalogue_root = 1, garbage_root = 2, pages_at_creation = 3;

inline bool is_internal(Bytes name) { return !name.empty() && name[0] == 0; }

// The tables, and after how many drops.
struct Standing {
  std::vector<TableInfo> tables;
  std::uint32_t drops = 0;
  friend bool operator==(const Standing&, const Standing&) = default;
};

class Catalogue {
 public:
  // `cut_log` is called between the steps of long work; true: it was cut.
  Catalogue(txn::Engine& engine, std::function<Result<bool>()> cut_log)
      : engine_(engine), cut_log_(std::move(cut_log)), dropped_(engine.registry, engine.drops) {}
  Result<void> open() { return dropped_.open(engine_.provider); }  // before all else

  static Result<void> format(storage::Pool& pool, storage::Space& space, log::Log& log);  // creating a store: pages 0 to 2

  Result<TreeId> find(Bytes name);    // not_found
  Result<TreeId> create(Bytes name);  // already_exists
  Result<void> drop(Bytes name);      // busy: a transaction runs
  bool is_dropped(TreeId tree, std::uint32_t opened) const { return dropped_.stale(tree, opened); }
  Result<Standing> standing();  // while none is being made or dropped
  // Frees what an interrupted drop left; tells `failed` of what it cannot.
  Result<void> finish_drops(const std::function<void(TreeId, const Error&)>& failed);
  Result<std::vector<TableInfo>> list(bool internal);
  static bool is_named(const std::vector<TableInfo>& all, TreeId tree);  // else it has a marker only

 private:
  Result<TreeId> find_to_change(Bytes name) PLIMSOLL_REQUIRES(mutex_) { return find(name); }
  Result<void> free_dropped(Bytes marker, TreeId tree, char* buffer);
  Result<char*> page_buffer(memory::Context& context) const;
  Result<Lsn> change_entry(Bytes name, std::optional<TreeId> tree);
  Result<bool> free_root(Bytes marker, TreeId tree);
  Result<void> free_large_values(TreeId tree, char* buffer);
  Result<bool> free_large_value(TreeId tree, Bytes key);
  std::uint64_t deadline() const;
  txn::Engine& engine_;
  const std::function<Result<bool>()> cut_log_;
  Mutex mutex_{LatchRank::catalogue};
  DroppedTables dropped_;
};

}  // namespace plimsoll::db
