// Version, names of status codes, and the numbers that must never change.
#include <cstdlib>

#include "capi/call.hpp"

namespace plimsoll::capi {

static_assert(to_status(ErrorCode::conflict) == PLIMSOLL_CONFLICT);
static_assert(to_status(ErrorCode::serialization_failure) == PLIMSOLL_SERIALIZATION_FAILURE);
static_assert(to_status(ErrorCode::deadlock) == PLIMSOLL_DEADLOCK);
static_assert(to_status(ErrorCode::lock_timeout) == PLIMSOLL_LOCK_TIMEOUT);
static_assert(to_status(ErrorCode::transaction_timeout) == PLIMSOLL_TRANSACTION_TIMEOUT);
static_assert(to_status(ErrorCode::transaction_aborted) == PLIMSOLL_TRANSACTION_ABORTED);
static_assert(to_status(ErrorCode::snapshot_too_old) == PLIMSOLL_SNAPSHOT_TOO_OLD);
static_assert(to_status(ErrorCode::memory_budget_exceeded) == PLIMSOLL_MEMORY_BUDGET_EXCEEDED);
static_assert(to_status(ErrorCode::too_many_transactions) == PLIMSOLL_TOO_MANY_TRANSACTIONS);
static_assert(to_status(ErrorCode::log_full) == PLIMSOLL_LOG_FULL);
static_assert(to_status(ErrorCode::commit_outcome_unknown) == PLIMSOLL_COMMIT_OUTCOME_UNKNOWN);
static_assert(to_status(ErrorCode::read_only) == PLIMSOLL_READ_ONLY);
static_assert(to_status(ErrorCode::io_error) == PLIMSOLL_IO_ERROR);
static_assert(to_status(ErrorCode::no_space) == PLIMSOLL_NO_SPACE);
static_assert(to_status(ErrorCode::corruption) == PLIMSOLL_CORRUPTION);
static_assert(to_status(ErrorCode::not_found) == PLIMSOLL_NOT_FOUND);
static_assert(to_status(ErrorCode::already_exists) == PLIMSOLL_ALREADY_EXISTS);
static_assert(to_status(ErrorCode::invalid_argument) == PLIMSOLL_INVALID_ARGUMENT);
static_assert(to_status(ErrorCode::version_mismatch) == PLIMSOLL_VERSION_MISMATCH);
static_assert(to_status(ErrorCode::busy) == PLIMSOLL_BUSY);

extern "C" {

const char* plimsoll_version(void) { return PLIMSOLL_VERSION; }

// The engine's names and meanings are string literals, so that they end with a NUL.
const char* plimsoll_status_name(plimsoll_status status) {
  if (is_store_status(status)) return plimsoll::name(to_code(status)).data();
  switch (status) {
    case PLIMSOLL_OK: return "ok";
    case PLIMSOLL_OUT_OF_MEMORY: return "out_of_memory";
    case PLIMSOLL_INTERNAL: return "internal";
    default: return "unknown";
  }
}

const char* plimsoll_status_meaning(plimsoll_status status) {
  if (is_store_status(status)) return plimsoll::meaning(to_code(status)).data();
  switch (status) {
    case PLIMSOLL_OK: return "success";
    case PLIMSOLL_OUT_OF_MEMORY: return "the process has no memory for this";
    case PLIMSOLL_INTERNAL: return "an unexpected exception";
    default: return "not a status of this library";
  }
}

int plimsoll_is_retryable(plimsoll_status status) {
  return is_store_status(status) && plimsoll::is_retryable(to_code(status)) ? 1 : 0;
}

void plimsoll_free(void* text) { std::free(text); }

}  // extern "C"
}  // namespace plimsoll::capi
