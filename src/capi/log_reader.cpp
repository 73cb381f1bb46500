// The log for consumers of changes, and timestamps of other nodes.
#include "capi/call.hpp"
#include "capi/handles.hpp"

namespace plimsoll::capi {
namespace {

plimsoll_log_entry from_entry(const LogEntry& entry) {
  plimsoll_log_entry to{};
  to.size = sizeof to;
  to.kind = static_cast<std::int64_t>(entry.kind);
  to.lsn = entry.lsn.value;
  to.transaction = entry.transaction.value;
  to.tree = entry.tree.value;
  to.commit_timestamp = entry.commit_timestamp.value;
  to.key = from_bytes(entry.key);
  to.value = from_bytes(entry.value);
  to.out_of_line = entry.out_of_line ? 1 : 0;
  return to;
}

}  // namespace

extern "C" {

plimsoll_status plimsoll_read_log(plimsoll_db* db, uint64_t from, plimsoll_each_log_entry each, void* context, uint64_t* next,
                                  plimsoll_error* error) {
  return guarded(error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(db, "db"));
    PLIMSOLL_TRY(check_pointer(each, "each"));
    PLIMSOLL_ASSIGN(const Lsn end, db->database->read_log(Lsn{from}, [&](const LogEntry& entry) {
      const plimsoll_log_entry handed = from_entry(entry);
      return each(context, &handed) == 0;
    }));
    set_if(next, end.value);
    return {};
  });
}

plimsoll_status plimsoll_on_durable(plimsoll_db* db, plimsoll_durable callback, void* context, plimsoll_error* error) {
  return guarded(error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(db, "db"));
    if (callback == nullptr) {
      db->database->on_durable({});
    } else {
      db->database->on_durable([callback, context](Lsn lsn) { callback(context, lsn.value); });
    }
    return {};
  });
}

plimsoll_status plimsoll_set_external_floor(plimsoll_db* db, uint64_t timestamp, plimsoll_error* error) {
  return guarded(error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(db, "db"));
    return db->database->set_external_floor(Timestamp{timestamp});
  });
}

plimsoll_status plimsoll_receive(plimsoll_db* db, uint64_t timestamp, plimsoll_error* error) {
  return guarded(error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(db, "db"));
    return db->database->receive(Timestamp{timestamp});
  });
}

}  // extern "C"
}  // namespace plimsoll::capi
