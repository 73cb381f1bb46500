// All workloads on PlimsollEngine, compiled by themselves.
#include "bench/peers/engines.hpp"
#include "bench/peers/plimsoll_engine.hpp"
#include "bench/workloads/make_workload.hpp"

namespace plimsoll::bench {

static_assert(EngineLike<PlimsollEngine>);

std::unique_ptr<Workload> make_plimsoll(const Settings& settings) { return make_workload<PlimsollEngine>(settings); }

}  // namespace plimsoll::bench
