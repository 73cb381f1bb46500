// The store itself: open, close, what it knows about itself, verification.
#include <memory>

#include "capi/call.hpp"
#include "capi/handles.hpp"
#include "capi/options.hpp"
#include "capi/sized.hpp"

namespace plimsoll::capi {
namespace {

void hand_on_event(void* context, const Event& event) {
  const auto* db = static_cast<const plimsoll_db*>(context);
  const plimsoll_event handed{sizeof handed, static_cast<std::int64_t>(event.kind), event.wall_ms, event.text};
  db->on_event(db->event_context, &handed);
}

// `open` opens the store with the options.
template <class Open>
Result<void> open_handle(const plimsoll_options* given, plimsoll_db** db, Open open) {
  PLIMSOLL_ASSIGN(const plimsoll_options from, read_sized(given, "options"));
  PLIMSOLL_ASSIGN(Options options, to_options(&from));
  auto handle = std::make_unique<plimsoll_db>();
  handle->on_event = from.on_event;
  handle->event_context = from.event_context;
  if (from.on_event != nullptr) options.events = {hand_on_event, handle.get()};
  PLIMSOLL_ASSIGN(handle->database, open(options));
  *db = handle.release();
  return {};
}

}  // namespace

extern "C" {

plimsoll_status plimsoll_open(const char* path, const plimsoll_options* options, plimsoll_db** db, plimsoll_error* error) {
  return guarded_making(db, "db", error, [&] {
    return open_handle(options, db, [&](const Options& all) -> Result<Database> {
      PLIMSOLL_TRY(check_pointer(path, "path"));
      return Database::open(path, all);
    });
  });
}

plimsoll_status plimsoll_open_in_memory(const plimsoll_options* options, plimsoll_db** db, plimsoll_error* error) {
  return guarded_making(db, "db", error,
                        [&] { return open_handle(options, db, [](const Options& all) { return Database::open_in_memory(all); }); });
}

plimsoll_status plimsoll_close(plimsoll_db* db, plimsoll_error* error) {
  return guarded(error, [&]() -> Result<void> {
    if (db == nullptr) return {};
    auto closed = db->database->close();
    if (!closed && closed.error().code() == ErrorCode::busy) return closed;
    delete db;
    return closed;
  });
}

plimsoll_status plimsoll_get_info(plimsoll_db* db, plimsoll_info* info, plimsoll_error* error) {
  return guarded(error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(db, "db"));
    PLIMSOLL_TRY(check_size(info, "info"));
    const Database& store = *db->database;
    plimsoll_info all{};
    all.page_bytes = store.page_size();
    all.key_bytes_max = store.key_bytes_max();
    all.now = store.now().value;
    all.durable_lsn = store.durable_lsn().value;
    all.log_start_lsn = store.log_start().value;
    write_sized(info, all);
    return {};
  });
}

plimsoll_status plimsoll_get_recovery(plimsoll_db* db, plimsoll_recovery* report, plimsoll_error* error) {
  return guarded(error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(db, "db"));
    PLIMSOLL_TRY(check_size(report, "report"));
    const RecoveryReport from = db->database->recovery_report();
    plimsoll_recovery all{};
    all.was_clean = from.was_clean ? 1 : 0;
    all.log_bytes = from.log_bytes;
    all.records_redone = from.records_redone;
    all.losers = from.losers;
    all.prepared = from.prepared;
    all.torn_pages = from.torn_pages;
    all.seconds = from.seconds;
    write_sized(report, all);
    return {};
  });
}

plimsoll_status plimsoll_checkpoint(plimsoll_db* db, plimsoll_error* error) {
  return guarded(error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(db, "db"));
    return db->database->checkpoint();
  });
}

plimsoll_status plimsoll_compact(plimsoll_db* db, uint64_t* before_bytes, uint64_t* after_bytes, plimsoll_error* error) {
  return guarded(error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(db, "db"));
    PLIMSOLL_ASSIGN(const CompactReport report, db->database->compact());
    set_if(before_bytes, report.before_bytes);
    set_if(after_bytes, report.after_bytes);
    return {};
  });
}

plimsoll_status plimsoll_verify(plimsoll_db* db, plimsoll_verify_report* report, plimsoll_each_problem each, void* context,
                                plimsoll_error* error) {
  return guarded(error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(db, "db"));
    PLIMSOLL_TRY(check_size(report, "report"));
    PLIMSOLL_ASSIGN(const VerifyReport found, db->database->verify());
    plimsoll_verify_report all{};
    all.pages = found.pages;
    all.records = found.records;
    all.tables = found.tables;
    all.free_pages = found.free_pages;
    all.problems = found.problems.size();
    all.chains = found.chains;
    all.space_compared = found.space_compared ? 1 : 0;
    write_sized(report, all);
    if (each == nullptr) return {};
    for (const VerifyProblem& problem : found.problems) {
      const plimsoll_problem handed{sizeof handed, problem.page, problem.file.c_str(), problem.table.c_str(), problem.what.c_str()};
      if (each(context, &handed) != 0) break;
    }
    return {};
  });
}

plimsoll_status plimsoll_run_background(plimsoll_db* db, int* worked, plimsoll_error* error) {
  return guarded(error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(db, "db"));
    PLIMSOLL_TRY(db->database->usable());
    set_if(worked, db->database->run_background() ? 1 : 0);
    return {};
  });
}

}  // extern "C"
}  // namespace plimsoll::capi
