// All workloads on RocksdbEngine, compiled by themselves.
#include "bench/peers/engines.hpp"
#include "bench/peers/rocksdb_engine.hpp"
#include "bench/workloads/make_workload.hpp"

namespace plimsoll::bench {

static_assert(EngineLike<RocksdbEngine>);

std::unique_ptr<Workload> make_rocksdb(const Settings& settings) { return make_workload<RocksdbEngine>(settings); }
std::unique_ptr<Workload> make_rocksdb_buffered(const Settings& settings) {
  if (settings.durability == Durability::durable) return nullptr;  // its commits are lost in a crash
  return make_workload<RocksdbBufferedEngine>(settings);
}

}  // namespace plimsoll::bench
