// Options of the C interface in those of C++: zero means the default, PLIMSOLL_NO_DEADLINE none at all. Ranges that the C++
// interface checks are not checked here. Stateless.
#pragma once

#include <chrono>

#include "base/fail.hpp"
#include "plimsoll/c.h"
#include "plimsoll/options.hpp"

namespace plimsoll::capi {

Result<Options> to_options(const plimsoll_options* given);
Result<TransactionOptions> to_options(const plimsoll_txn_options* given);

// The other way round, without what a program alone can set: sinks, deadlines of one transaction, labels.
plimsoll_options from_options(const Options& options);
plimsoll_txn_options from_options(const TransactionOptions& options);

// A duration in milliseconds or PLIMSOLL_NO_DEADLINE; 0 becomes `otherwise`.
Result<std::chrono::milliseconds> to_duration(std::int64_t ms, std::chrono::milliseconds otherwise, const char* what);

}  // namespace plimsoll::capi
