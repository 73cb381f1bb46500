// Calls that hand the caller's function to the engine: transact, commit_async. What the function is called with is converted here.
#include <memory>

#include "capi/call.hpp"
#include "capi/handles.hpp"
#include "capi/options.hpp"
#include "capi/sized.hpp"

namespace plimsoll::capi {
namespace {

// One plimsoll_transact: the caller's body, and what it answered last.
struct BodyCall {
  plimsoll_body body;
  void* context;
  plimsoll_status status = PLIMSOLL_OK;
  plimsoll_error error{};

  Result<void> run(Transaction& transaction) {
    plimsoll_txn handle;
    handle.transaction = &transaction;
    error = plimsoll_error{};
    error.size = sizeof error;
    status = body(context, &handle, &error);
    if (status == PLIMSOLL_OK) return {};
    if (!is_store_status(status)) return fail(ErrorCode::transaction_aborted, "the body answered {}", status);
    if (error.code != status) {
      const std::string_view left = error.details[0] != '\0' ? error.details : error.message;
      return std::unexpected(Error(to_code(status), left.empty() ? "answered by the body" : left, error.os_error));
    }
    return std::unexpected(Error(to_code(status), error.details, error.os_error));
  }
  bool answered_its_own() const { return status != PLIMSOLL_OK && !is_store_status(status); }
};

struct CommitCall {
  plimsoll_commit_done done;
  void* context;
};

void hand_on_outcome(void* context, Result<void> outcome) {
  const std::unique_ptr<CommitCall> call(static_cast<CommitCall*>(context));
  plimsoll_error error{};
  error.size = sizeof error;
  const plimsoll_status status = outcome ? PLIMSOLL_OK : failed(&error, outcome.error());
  try {
    call->done(call->context, status, outcome ? nullptr : &error);
  } catch (...) {}  // NOLINT(bugprone-empty-catch): the engine, which called, cannot do anything about it
}

}  // namespace

extern "C" {

plimsoll_status plimsoll_transact(plimsoll_db* db, const plimsoll_txn_options* options, plimsoll_body body, void* context,
                                  plimsoll_error* error) {
  BodyCall call{body, context};
  const plimsoll_status status = guarded(error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(db, "db"));
    PLIMSOLL_TRY(check_pointer(body, "body"));
    PLIMSOLL_ASSIGN(const TransactionOptions all, to_options(options));
    return db->database->transact(all, [&](Transaction& transaction) { return call.run(transaction); });
  });
  if (status != PLIMSOLL_TRANSACTION_ABORTED || !call.answered_its_own()) return status;
  const std::string_view left = call.error.details[0] != '\0' ? call.error.details : call.error.message;
  const bool has_meaning = call.status == PLIMSOLL_OUT_OF_MEMORY || call.status == PLIMSOLL_INTERNAL;
  return failed(error, call.status, left.empty() && !has_meaning ? "the body answered a status of its own" : left);
}

plimsoll_status plimsoll_commit_async(plimsoll_txn* txn, plimsoll_commit_done done, void* context, plimsoll_error* error) {
  return guarded(error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(txn, "txn"));
    PLIMSOLL_TRY(check_pointer(done, "done"));
    auto call = std::make_unique<CommitCall>(CommitCall{done, context});
    auto decided = txn->transaction->commit_async(hand_on_outcome, call.get());
    if (decided) static_cast<void>(call.release());  // the outcome's, and maybe gone already
    return decided;
  });
}

}  // extern "C"
}  // namespace plimsoll::capi
