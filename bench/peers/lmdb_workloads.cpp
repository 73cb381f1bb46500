// All workloads on LmdbEngine, compiled by themselves.
#include "bench/peers/engines.hpp"
#include "bench/peers/lmdb_engine.hpp"
#include "bench/workloads/make_workload.hpp"

namespace plimsoll::bench {

static_assert(EngineLike<LmdbEngine>);

std::unique_ptr<Workload> make_lmdb(const Settings& settings) { return make_workload<LmdbEngine>(settings); }
std::unique_ptr<Workload> make_lmdb_wm(const Settings& settings) {
  if (settings.durability == Durability::durable) return nullptr;  // it has no durable commit
  return make_workload<LmdbWritableMapEngine>(settings);
}

}  // namespace plimsoll::bench
