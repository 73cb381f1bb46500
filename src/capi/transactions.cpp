// Transactions from begin to end, savepoints, and the view of all that run.
#include <memory>

#include "capi/call.hpp"
#include "capi/handles.hpp"
#include "capi/options.hpp"
#include "capi/sized.hpp"

namespace plimsoll::capi {
namespace {

// A call on an open handle.
template <class Body>
plimsoll_status on_transaction(plimsoll_txn* txn, plimsoll_error* error, Body body) {
  return guarded(error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(txn, "txn"));
    return body(*txn->transaction);
  });
}

// 0 is no deadline in C++, and a mistake here.
Result<std::chrono::milliseconds> given_duration(std::int64_t ms, const char* what) {
  if (ms == 0) return fail(ErrorCode::invalid_argument, "{} is 0: -1 and positive numbers are allowed", what);
  return to_duration(ms, {}, what);
}

}  // namespace

extern "C" {

plimsoll_status plimsoll_begin(plimsoll_db* db, const plimsoll_txn_options* options, plimsoll_txn** txn, plimsoll_error* error) {
  return guarded_making(txn, "txn", error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(db, "db"));
    PLIMSOLL_ASSIGN(const TransactionOptions all, to_options(options));
    auto handle = std::make_unique<plimsoll_txn>();
    PLIMSOLL_ASSIGN(handle->own, db->database->begin(all));
    handle->transaction = &handle->own;
    *txn = handle.release();
    return {};
  });
}

void plimsoll_txn_close(plimsoll_txn* txn) {
  if (txn == nullptr || txn->transaction != &txn->own) return;
  static_cast<void>(guarded(nullptr, [&]() -> Result<void> {
    delete txn;
    return {};
  }));
}

plimsoll_status plimsoll_commit(plimsoll_txn* txn, plimsoll_error* error) {
  return on_transaction(txn, error, [](Transaction& transaction) { return transaction.commit(); });
}

plimsoll_status plimsoll_abort(plimsoll_txn* txn, plimsoll_error* error) {
  return on_transaction(txn, error, [](Transaction& transaction) { return transaction.abort(); });
}

plimsoll_status plimsoll_prepare(plimsoll_txn* txn, const void* id, size_t id_bytes, plimsoll_error* error) {
  return on_transaction(txn, error, [&](Transaction& transaction) -> Result<void> {
    PLIMSOLL_ASSIGN(const Bytes global_id, to_bytes(id, id_bytes, "id"));
    return transaction.prepare(global_id);
  });
}

plimsoll_status plimsoll_commit_prepared(plimsoll_db* db, const void* id, size_t id_bytes, uint64_t* timestamp,
                                         plimsoll_error* error) {
  return guarded(error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(db, "db"));
    PLIMSOLL_ASSIGN(const Bytes global_id, to_bytes(id, id_bytes, "id"));
    PLIMSOLL_ASSIGN(const Timestamp committed, db->database->commit_prepared(global_id));
    set_if(timestamp, committed.value);
    return {};
  });
}

plimsoll_status plimsoll_abort_prepared(plimsoll_db* db, const void* id, size_t id_bytes, plimsoll_error* error) {
  return guarded(error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(db, "db"));
    PLIMSOLL_ASSIGN(const Bytes global_id, to_bytes(id, id_bytes, "id"));
    return db->database->abort_prepared(global_id);
  });
}

plimsoll_status plimsoll_savepoint(plimsoll_txn* txn, uint32_t* savepoint, plimsoll_error* error) {
  return on_transaction(txn, error, [&](Transaction& transaction) -> Result<void> {
    PLIMSOLL_TRY(check_pointer(savepoint, "savepoint"));
    PLIMSOLL_ASSIGN(const Savepoint made, transaction.savepoint());
    *savepoint = made.number;
    return {};
  });
}

plimsoll_status plimsoll_rollback_to(plimsoll_txn* txn, uint32_t savepoint, plimsoll_error* error) {
  return on_transaction(txn, error, [&](Transaction& transaction) { return transaction.rollback_to(Savepoint{savepoint}); });
}

plimsoll_status plimsoll_release(plimsoll_txn* txn, uint32_t savepoint, plimsoll_error* error) {
  return on_transaction(txn, error, [&](Transaction& transaction) { return transaction.release(Savepoint{savepoint}); });
}

uint64_t plimsoll_txn_id(const plimsoll_txn* txn) { return txn == nullptr ? 0 : txn->transaction->id().value; }
uint64_t plimsoll_txn_snapshot(const plimsoll_txn* txn) { return txn == nullptr ? 0 : txn->transaction->snapshot().value; }
uint64_t plimsoll_txn_position(const plimsoll_txn* txn) { return txn == nullptr ? 0 : txn->transaction->position().value; }
uint64_t plimsoll_txn_follow_from(const plimsoll_txn* txn) { return txn == nullptr ? 0 : txn->transaction->follow_from().value; }

plimsoll_status plimsoll_set_deadline(plimsoll_txn* txn, int64_t from_now_ms, plimsoll_error* error) {
  return on_transaction(txn, error, [&](Transaction& transaction) -> Result<void> {
    PLIMSOLL_ASSIGN(const std::chrono::milliseconds from_now, given_duration(from_now_ms, "from_now_ms"));
    return transaction.set_deadline(from_now);
  });
}

plimsoll_status plimsoll_set_lock_deadline(plimsoll_txn* txn, int64_t wait_ms, plimsoll_error* error) {
  return on_transaction(txn, error, [&](Transaction& transaction) -> Result<void> {
    PLIMSOLL_ASSIGN(const std::chrono::milliseconds wait, given_duration(wait_ms, "wait_ms"));
    return transaction.set_lock_deadline(wait);
  });
}

plimsoll_status plimsoll_transactions(plimsoll_db* db, plimsoll_each_txn each, void* context, plimsoll_error* error) {
  return guarded(error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(db, "db"));
    PLIMSOLL_TRY(check_pointer(each, "each"));
    for (const TransactionInfo& info : db->database->transactions()) {
      plimsoll_txn_info handed{};
      handed.size = sizeof handed;
      handed.id = info.id.value;
      handed.state = static_cast<std::int64_t>(info.state);
      handed.snapshot = info.snapshot.value;
      handed.age_ms = info.age_ms;
      handed.written_bytes = info.written_bytes;
      handed.waits_for = info.waits_for.value;
      handed.label = info.label.c_str();
      handed.prepared = from_bytes(info.global_id);
      if (each(context, &handed) != 0) break;
    }
    return {};
  });
}

plimsoll_status plimsoll_waits(plimsoll_db* db, plimsoll_each_wait each, void* context, plimsoll_error* error) {
  return guarded(error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(db, "db"));
    PLIMSOLL_TRY(check_pointer(each, "each"));
    for (const WaitEdge& edge : db->database->wait_graph()) {
      if (each(context, edge.waiter.value, edge.holder.value, edge.number) != 0) break;
    }
    return {};
  });
}

plimsoll_status plimsoll_kill(plimsoll_db* db, uint64_t id, plimsoll_error* error) {
  return guarded(error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(db, "db"));
    return db->database->kill(TxnId{id});
  });
}

}  // extern "C"
}  // namespace plimsoll::capi
