#include "db/as_json.hpp"

#include <nlohmann/json.hpp>

namespace plimsoll::db {
namespace {

using nlohmann::ordered_json;

std::string_view name(TransactionState state) {
  switch (state) {
    case TransactionState::active: return "active";
    case TransactionState::pending: return "pending";
    case TransactionState::preparing: return "preparing";
    case TransactionState::prepared: return "prepared";
    case TransactionState::committing: return "committing";
    case TransactionState::committed: return "committed";
    case TransactionState::aborted: return "aborted";
  }
  return "";
}

ordered_json as_json(const std::vector<NamedValue>& values) {
  ordered_json object = ordered_json::object();
  for (const NamedValue& value : values) object[value.name] = value.value;
  return object;
}

ordered_json as_json(const std::vector<AccountStats>& accounts) {
  ordered_json object = ordered_json::object();
  for (const AccountStats& account : accounts)
    object[account.name] = {{"parent", account.parent},
                            {"used_bytes", account.used_bytes},
                            {"peak_bytes", account.peak_bytes},
                            {"floor_bytes", account.floor_bytes},
                            {"cap_bytes", account.cap_bytes}};
  return object;
}

ordered_json as_json(const MemoryPressure& pressure) {
  ordered_json rungs = ordered_json::object(), events = ordered_json::array();
  for (const RungStats& rung : pressure.rungs)
    rungs[rung.name] = {{"fired", rung.fired},     {"freed_bytes", rung.freed_bytes},
                        {"in_vain", rung.in_vain}, {"false_claims", rung.false_claims},
                        {"busy_ns", rung.busy_ns}, {"meaning", rung.meaning}};
  for (const PressureEvent& event : pressure.events)
    events.push_back({{"wall_ms", event.wall_ms},
                      {"level", plimsoll::name(event.level)},
                      {"what", event.what},
                      {"why", event.why},
                      {"needed_bytes", event.needed_bytes},
                      {"asked_bytes", event.asked_bytes},
                      {"freed_bytes", event.freed_bytes},
                      {"busy_ns", event.busy_ns}});
  return {{"level", plimsoll::name(pressure.level)},
          {"needed_bytes", pressure.needed_bytes},
          {"baseline_bytes", pressure.baseline_bytes},
          {"reserve_bytes", pressure.reserve_bytes},
          {"waits", pressure.waits},
          {"refusals", pressure.refusals},
          {"refused_with_room", pressure.refused_with_room},
          {"watchdog", pressure.watchdog},
          {"rungs", rungs},
          {"events", events}};
}

ordered_json as_json(const std::vector<ContextInfo>& contexts) {
  ordered_json all = ordered_json::array();
  for (const ContextInfo& context : contexts)
    all.push_back({{"label", context.label},
                   {"owner", context.owner.value},
                   {"bytes", context.bytes},
                   {"live_bytes", context.live_bytes},
                   {"peak_bytes", context.peak_bytes},
                   {"children", context.children},
                   {"age_ms", context.age_ms},
                   {"resting", context.resting}});
  return all;
}

template <class State>
ordered_json state_of(const State& job) {
  const std::string_view state = job.number == 0 ? "none" : job.running ? "running" : job.error ? "failed" : "done";
  ordered_json shown{{"number", job.number}, {"state", state}};
  if (job.error) shown["error"] = {{"code", plimsoll::name(job.error->code())}, {"message", job.error->message()}};
  return shown;
}

}  // namespace

ordered_json as_json(const Statistics& statistics, const std::vector<ContextInfo>& contexts, const RecoveryReport& recovery) {
  return {{"memory_budget", statistics.memory_budget},
          {"memory_used", statistics.memory_used},
          {"accounts", as_json(statistics.accounts)},
          {"pressure", as_json(statistics.pressure)},
          {"contexts", as_json(contexts)},
          {"counters", as_json(statistics.counters)},
          {"gauges", as_json(statistics.gauges)},
          {"recovery",
           {{"was_clean", recovery.was_clean},
            {"log_bytes", recovery.log_bytes},
            {"records_redone", recovery.records_redone},
            {"losers", recovery.losers},
            {"prepared", recovery.prepared},
            {"torn_pages", recovery.torn_pages},
            {"seconds", recovery.seconds}}},
          {"events", statistics.events}};
}

ordered_json explained(const Statistics& statistics) {
  ordered_json metrics = ordered_json::object();
  for (const auto* values : {&statistics.counters, &statistics.gauges})
    for (const NamedValue& value : *values) metrics[value.name] = {{"unit", value.unit}, {"meaning", value.help}};
  return metrics;
}

ordered_json as_json(const std::vector<TransactionInfo>& transactions) {
  ordered_json all = ordered_json::array();
  for (const TransactionInfo& transaction : transactions)
    all.push_back({{"id", transaction.id.value},
                   {"state", name(transaction.state)},
                   {"snapshot", transaction.snapshot.value},
                   {"age_ms", transaction.age_ms},
                   {"written_bytes", transaction.written_bytes},
                   {"waits_for", transaction.waits_for.value},
                   {"label", transaction.label},
                   {"global_id", transaction.global_id}});
  return all;
}

ordered_json as_json(const VerifyReport& report) {
  auto problems = ordered_json::array();
  for (const VerifyProblem& problem : report.problems)
    problems.push_back({{"file", problem.file}, {"page", problem.page}, {"table", problem.table}, {"what", problem.what}});
  return {{"sound", report.problems.empty()},
          {"pages", report.pages},
          {"free_pages", report.free_pages},
          {"tables", report.tables},
          {"records", report.records},
          {"chains", report.chains},
          {"space_compared", report.space_compared},
          {"problems", problems}};
}

ordered_json as_json(const Job<BackupReport>::State& backup) {
  ordered_json shown = state_of(backup);
  shown["file"] = backup.subject;
  shown["position"] = backup.report.position.value;
  shown["follow_from"] = backup.report.follow_from.value;
  shown["timestamp"] = backup.report.timestamp.value;
  shown["tables"] = backup.report.total.tables;
  shown["records"] = backup.report.total.records;
  shown["record_bytes"] = backup.report.total.record_bytes;
  shown["file_bytes"] = backup.report.total.file_bytes;
  return shown;
}

ordered_json as_json(const Job<VerifyReport>::State& check) {
  ordered_json shown = state_of(check);
  shown.update(as_json(check.report));
  return shown;
}

ordered_json as_json(const std::vector<WaitEdge>& waits) {
  ordered_json all = ordered_json::array();
  for (const WaitEdge& wait : waits)
    all.push_back({{"waiter", wait.waiter.value}, {"holder", wait.holder.value}, {"number", wait.number}});
  return all;
}

ordered_json as_json(const Job<CompactReport>::State& compaction) {
  ordered_json shown = state_of(compaction);
  shown["free_pages"] = compaction.report.free_pages;
  shown["before_bytes"] = compaction.report.before_bytes;
  shown["after_bytes"] = compaction.report.after_bytes;
  return shown;
}

}  // namespace plimsoll::db
