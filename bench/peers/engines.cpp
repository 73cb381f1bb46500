// The table of engines that `compare` knows.
#include "bench/peers/engines.hpp"

#include "bench/workloads/workload.hpp"

namespace plimsoll::bench {

std::span<const EngineFacts> engine_table() {
  static constexpr EngineFacts table[] = {
      {"plimsoll", make_plimsoll},
      {"lmdb", make_lmdb},
      {"lmdb_wm", make_lmdb_wm},
      {"rocksdb", make_rocksdb},
      {"rocksdb_buffered", make_rocksdb_buffered},
      {"berkeleydb", make_berkeleydb},
      {"berkeleydb_buffered", make_berkeleydb_buffered},
      {"wiredtiger", make_wiredtiger},
      {"wiredtiger_buffered", make_wiredtiger_buffered},
  };
  return table;
}

const EngineFacts* find_engine(std::string_view wanted) {
  for (const EngineFacts& engine : engine_table())
    if (engine.name == wanted) return &engine;
  return nullptr;
}

}  // namespace plimsoll::bench
