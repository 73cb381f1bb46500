// Statistics: one figure by its name, or all of them as JSON with the members of `plimsoll stat --json`.
#include "capi/call.hpp"
#include "capi/handles.hpp"
#include "capi/json.hpp"
#include "capi/text.hpp"

namespace plimsoll::capi {
namespace {

void write_accounts(JsonWriter& json, const std::vector<AccountStats>& accounts) {
  json.key("accounts").open('{');
  for (const AccountStats& account : accounts) {
    json.key(account.name).open('{').member("parent", account.parent);
    json.member("used_bytes", account.used_bytes).member("peak_bytes", account.peak_bytes);
    json.member("floor_bytes", account.floor_bytes).member("cap_bytes", account.cap_bytes).close('}');
  }
  json.close('}');
}

void write_pressure(JsonWriter& json, const MemoryPressure& pressure) {
  json.key("pressure").open('{').member("level", name(pressure.level));
  json.member("needed_bytes", pressure.needed_bytes).member("baseline_bytes", pressure.baseline_bytes);
  json.member("reserve_bytes", pressure.reserve_bytes).member("waits", pressure.waits).member("refusals", pressure.refusals);
  json.member("refused_with_room", pressure.refused_with_room).member("watchdog", pressure.watchdog);
  json.key("rungs").open('{');
  for (const RungStats& rung : pressure.rungs) {
    json.key(rung.name).open('{').member("fired", rung.fired).member("freed_bytes", rung.freed_bytes);
    json.member("in_vain", rung.in_vain).member("false_claims", rung.false_claims).member("busy_ns", rung.busy_ns).close('}');
  }
  json.close('}').key("events").open('[');
  for (const PressureEvent& event : pressure.events) {
    json.open('{').member("wall_ms", event.wall_ms).member("level", name(event.level));
    json.member("what", event.what).member("why", event.why).member("needed_bytes", event.needed_bytes);
    json.member("asked_bytes", event.asked_bytes).member("freed_bytes", event.freed_bytes);
    json.member("busy_ns", event.busy_ns).close('}');
  }
  json.close(']').close('}');
}

void write_contexts(JsonWriter& json, const std::vector<ContextInfo>& contexts) {
  json.key("contexts").open('[');
  for (const ContextInfo& context : contexts) {
    json.open('{').member("label", context.label).member("owner", context.owner.value).member("bytes", context.bytes);
    json.member("live_bytes", context.live_bytes).member("peak_bytes", context.peak_bytes);
    json.member("children", context.children).member("age_ms", context.age_ms).key("resting").boolean(context.resting).close('}');
  }
  json.close(']');
}

void write_values(JsonWriter& json, std::string_view title, const std::vector<NamedValue>& values) {
  json.key(title).open('{');
  for (const NamedValue& value : values) json.member(value.name, value.value);
  json.close('}');
}

void write_recovery(JsonWriter& json, const RecoveryReport& recovery) {
  json.key("recovery").open('{').key("was_clean").boolean(recovery.was_clean).member("log_bytes", recovery.log_bytes);
  json.member("records_redone", recovery.records_redone).member("losers", recovery.losers);
  json.member("prepared", recovery.prepared).member("torn_pages", recovery.torn_pages);
  json.key("seconds").number(recovery.seconds).close('}');
}

std::string to_json(const Database& db) {
  const Statistics statistics = db.statistics();
  JsonWriter json;
  json.open('{').member("memory_budget", statistics.memory_budget).member("memory_used", statistics.memory_used);
  write_accounts(json, statistics.accounts);
  write_pressure(json, statistics.pressure);
  write_contexts(json, db.memory_contexts());
  write_values(json, "counters", statistics.counters);
  write_values(json, "gauges", statistics.gauges);
  write_recovery(json, db.recovery_report());
  json.key("events").open('[');
  for (const std::string& event : statistics.events) json.text(event);
  json.close(']').close('}');
  return json.str();
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
  return guarded(error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(db, "db"));
    PLIMSOLL_TRY(check_pointer(json, "json"));
    *json = nullptr;
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

}  // extern "C"
}  // namespace plimsoll::capi
