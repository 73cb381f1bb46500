// Engines by name. make_plimsoll is in the library that the command line links; the peers are in `compare` alone.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "bench/workloads/settings.hpp"

namespace plimsoll::bench {

class Workload;

// Each answers null when the engine does not offer settings.workload.
std::unique_ptr<Workload> make_plimsoll(const Settings& settings);
std::unique_ptr<Workload> make_lmdb(const Settings& settings);
std::unique_ptr<Workload> make_lmdb_wm(const Settings& settings);
std::unique_ptr<Workload> make_rocksdb(const Settings& settings);
std::unique_ptr<Workload> make_rocksdb_buffered(const Settings& settings);
std::unique_ptr<Workload> make_berkeleydb(const Settings& settings);
std::unique_ptr<Workload> make_berkeleydb_buffered(const Settings& settings);
std::unique_ptr<Workload> make_wiredtiger(const Settings& settings);
std::unique_ptr<Workload> make_wiredtiger_buffered(const Settings& settings);

struct EngineFacts {
  std::string_view name;
  std::unique_ptr<Workload> (*make)(const Settings& settings);
};

std::span<const EngineFacts> engine_table();
const EngineFacts* find_engine(std::string_view name);  // null: no such engine

}  // namespace plimsoll::bench
