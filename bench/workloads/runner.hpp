// Runs one workload on one engine as it is to be reported: prepare, warm up, measure with its control interleaved, verify; the
// result is one object of the bench contract.
#pragma once

#include <string_view>

#include "bench/workloads/workload.hpp"

namespace plimsoll::bench {

// Special workloads (long_snapshot, old_version_read, recovery) are one indivisible run; the others can be cut into slices.
bool is_sliceable(std::string_view workload);

// The members that every run has. `store` is the folder whose files are counted.
Json run_facts(std::string_view engine, const Settings& settings, const SliceResult& result, const std::string& store);

// With `scaling`, slices of one thread and the arithmetic loop on as many threads alternate with the run's own slices, and
// share_of_arithmetic_scaling is added. load_only: only prepares.
Result<Json> run_workload(std::string_view engine, Workload& workload, const Settings& settings, bool scaling);

// Operations per second of the arithmetic loop on `threads` threads.
Result<double> arithmetic_rate(unsigned threads, double seconds);

}  // namespace plimsoll::bench
