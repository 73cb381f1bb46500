// Statistics: one figure by its name, or all of them as JSON with the members of `plimsoll stat --json`.
#include <nlohmann/json.hpp>

#include "capi/call.hpp"
#include "capi/handles.hpp"
#include "capi/text.hpp"
#include "db/as_json.hpp"
#include "plimsoll/control.hpp"

namespace plimsoll::capi {
namespace {

std::string to_json(const Database& db) {
  const auto all = db::as_json(db.statistics(), db.memory_contexts(), db.recovery_report());
  return all.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace

extern "C" {

plimsoll_status plimsoll_statistic(plimsoll_db* db, const char* name, uint64_t* value, plimsoll_error* error) {
  return guarded(error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(db, "db"));
    PLIMSOLL_TRY(check_pointer(name, "name"));
    PLIMSOLL_TRY(check_pointer(value, "value"));
    const Statistics all = db->database->statistics();
    for (const auto* values : {&all.counters, &all.gauges}) {
      for (const NamedValue& one : *values) {
        if (one.name != name) continue;
        *value = one.value;
        return {};
      }
    }
    return fail(ErrorCode::not_found, "no counter or gauge is named \"{}\"", name);
  });
}

plimsoll_status plimsoll_statistics_json(plimsoll_db* db, char** json, size_t* json_bytes, plimsoll_error* error) {
  return guarded_making(json, "json", error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(db, "db"));
    const std::string text = to_json(*db->database);
    *json = to_text(text);
    set_if(json_bytes, text.size());
    return {};
  });
}

plimsoll_status plimsoll_reset_statistics(plimsoll_db* db, plimsoll_error* error) {
  return guarded(error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(db, "db"));
    db->database->reset_statistics();
    return {};
  });
}

plimsoll_status plimsoll_answer(plimsoll_db* db, const char* request, char** answer, plimsoll_error* error) {
  return guarded_making(answer, "answer", error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(db, "db"));
    PLIMSOLL_TRY(check_pointer(request, "request"));
    *answer = to_text(db->database->answer(request));
    return {};
  });
}

plimsoll_status plimsoll_ask(const char* path, const char* request, char** answer, plimsoll_error* error) {
  return guarded_making(answer, "answer", error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(path, "path"));
    PLIMSOLL_TRY(check_pointer(request, "request"));
    PLIMSOLL_ASSIGN(const std::string text, ask(path, request));
    *answer = to_text(text);
    return {};
  });
}

}  // extern "C"
}  // namespace plimsoll::capi
