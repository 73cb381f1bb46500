// All workloads on WiredtigerEngine, compiled by themselves.
#include "bench/peers/engines.hpp"
#include "bench/peers/wiredtiger_engine.hpp"
#include "bench/workloads/make_workload.hpp"

namespace plimsoll::bench {

static_assert(EngineLike<WiredtigerEngine>);

std::unique_ptr<Workload> make_wiredtiger(const Settings& settings) { return make_workload<WiredtigerEngine>(settings); }
std::unique_ptr<Workload> make_wiredtiger_buffered(const Settings& settings) {
  if (settings.durability == Durability::durable) return nullptr;  // its commits are lost in a crash
  return make_workload<WiredtigerBufferedEngine>(settings);
}

}  // namespace plimsoll::bench
