// All workloads on BerkeleydbEngine, compiled by themselves.
#include "bench/peers/berkeleydb_engine.hpp"
#include "bench/peers/engines.hpp"
#include "bench/workloads/make_workload.hpp"

namespace plimsoll::bench {

static_assert(EngineLike<BerkeleydbEngine>);

std::unique_ptr<Workload> make_berkeleydb(const Settings& settings) { return make_workload<BerkeleydbEngine>(settings); }
std::unique_ptr<Workload> make_berkeleydb_buffered(const Settings& settings) {
  if (settings.durability == Durability::durable) return nullptr;  // its commits are lost in a crash
  return make_workload<BerkeleydbBufferedEngine>(settings);
}

}  // namespace plimsoll::bench
