// plimsoll stat: what a store reports about itself: memory accounts and pressure, counters, gauges, the last recovery, the newest
// events. The names and units are the engine's own; nothing is derived here.
#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "arguments.hpp"
#include "base/check.hpp"
#include "base/fail.hpp"
#include "command/commands.hpp"
#include "command/show.hpp"
#include "program.hpp"
#include "render/bytes.hpp"
#include "render/quantity.hpp"
#include "render/table.hpp"

namespace plimsoll::cli {
namespace {

using nlohmann::ordered_json;
using enum TextTable::Align;

ordered_json to_json(const std::vector<NamedValue>& values) {
  ordered_json object = ordered_json::object();
  for (const NamedValue& value : values) object[value.name] = value.value;
  PLIMSOLL_DCHECK(object.size() == values.size());
  return object;
}

ordered_json to_json(const MemoryPressure& pressure) {
  ordered_json rungs = ordered_json::object(), events = ordered_json::array();
  for (const RungStats& rung : pressure.rungs)
    rungs[rung.name] = {{"fired", rung.fired},
                        {"freed_bytes", rung.freed_bytes},
                        {"in_vain", rung.in_vain},
                        {"false_claims", rung.false_claims},
                        {"busy_ns", rung.busy_ns}};
  for (const PressureEvent& event : pressure.events)
    events.push_back({{"wall_ms", event.wall_ms},
                      {"level", name(event.level)},
                      {"what", event.what},
                      {"why", event.why},
                      {"needed_bytes", event.needed_bytes},
                      {"asked_bytes", event.asked_bytes},
                      {"freed_bytes", event.freed_bytes},
                      {"busy_ns", event.busy_ns}});
  return {{"level", name(pressure.level)},
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

ordered_json to_json(const std::vector<ContextInfo>& contexts) {
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

ordered_json to_json(const Statistics& statistics, const std::vector<ContextInfo>& contexts, const RecoveryReport& recovery) {
  ordered_json accounts = ordered_json::object();
  for (const AccountStats& account : statistics.accounts) {
    accounts[account.name] = {{"parent", account.parent},
                              {"used_bytes", account.used_bytes},
                              {"peak_bytes", account.peak_bytes},
                              {"floor_bytes", account.floor_bytes},
                              {"cap_bytes", account.cap_bytes}};
  }
  return {{"memory_budget", statistics.memory_budget},
          {"memory_used", statistics.memory_used},
          {"accounts", accounts},
          {"pressure", to_json(statistics.pressure)},
          {"contexts", to_json(contexts)},
          {"counters", to_json(statistics.counters)},
          {"gauges", to_json(statistics.gauges)},
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

std::size_t depth(const Statistics& statistics, const AccountStats& account) {
  for (const AccountStats& above : statistics.accounts)
    if (above.name == account.parent) return 1 + depth(statistics, above);
  return 0;
}

void show_accounts(const Statistics& statistics, Output& output) {
  PLIMSOLL_DCHECK(statistics.memory_budget != 0);
  TextTable table({{"account"}, {"used", right}, {"peak", right}, {"floor", right}, {"cap", right}});
  for (const AccountStats& account : statistics.accounts) {
    table.add({std::string(2 * depth(statistics, account), ' ') + account.name, render_size(account.used_bytes),
               render_size(account.peak_bytes), render_size(account.floor_bytes),
               account.cap_bytes == 0 ? "" : render_size(account.cap_bytes)});
  }
  output.line(fmt::format("memory: {} of {} used", render_size(statistics.memory_used), render_size(statistics.memory_budget)));
  output.write(table.render(output.terminal()));
}

void show_pressure(const MemoryPressure& pressure, Output& output) {
  output.line(fmt::format("\npressure: {}; {} needed, {} of them since the store was opened; {} charges waited, {} were refused",
                          name(pressure.level), render_size(pressure.needed_bytes), render_size(pressure.baseline_bytes),
                          pressure.waits, pressure.refusals));
  TextTable table({{"rung"}, {"taken", right}, {"freed", right}, {"in vain", right}, {"ms", right}, {"what it does"}});
  for (const RungStats& rung : pressure.rungs)
    table.add({rung.name, fmt::format("{}", rung.fired), render_size(rung.freed_bytes), fmt::format("{}", rung.in_vain),
               fmt::format("{:.1f}", static_cast<double>(rung.busy_ns) / 1e6), rung.meaning});
  output.write(table.render(output.terminal()));
  constexpr std::size_t events_shown = 16;
  const std::size_t count = pressure.events.size();
  for (std::size_t i = count - std::min(count, events_shown); i < count; ++i) {
    const PressureEvent& event = pressure.events[i];
    output.line(fmt::format("event: {}: {} {}, {} needed, {} freed", name(event.level), event.what, event.why,
                            render_size(event.needed_bytes), render_size(event.freed_bytes)));
  }
}

void show_contexts(const std::vector<ContextInfo>& contexts, Output& output) {
  TextTable table({{"context"}, {"transaction", right}, {"bytes", right}, {"peak", right}, {"children", right}, {"age ms", right}});
  for (const ContextInfo& context : contexts)
    table.add({std::string(context.label), fmt::format("{}", context.owner.value), render_size(context.bytes),
               render_size(context.peak_bytes), fmt::format("{}", context.children), fmt::format("{}", context.age_ms)});
  output.write("\n");
  output.write(table.render(output.terminal()));
}

void show_values(std::string_view title, const std::vector<NamedValue>& values, Output& output) {
  TextTable table({{title}, {"value", right}, {"unit"}, {"meaning"}});
  for (const NamedValue& value : values) {
    const bool is_size = value.unit == "bytes" && output.terminal();
    table.add(
        {value.name, is_size ? render_size(value.value) : fmt::format("{}", value.value), is_size ? "" : value.unit, value.help});
  }
  output.write("\n");
  output.write(table.render(output.terminal()));
}

void show_recovery(const RecoveryReport& recovery, Output& output) {
  output.write("\n");
  if (recovery.was_clean) {
    output.line("recovery: not needed, the store had been closed in order");
  } else {
    output.line(fmt::format("recovery: {} of log, {} records redone, {} losers, {} prepared, {} torn pages, {:.3f} s",
                            render_size(recovery.log_bytes), recovery.records_redone, recovery.losers, recovery.prepared,
                            recovery.torn_pages, recovery.seconds));
  }
}

Outcome<Exit> run(const StoreArguments& store, bool memory_only, Output& output) {
  PLIMSOLL_ASSIGN(auto db, store.open());
  show_statistics(db, memory_only, output);
  return close_store(db);
}

}  // namespace

void show_statistics(Database& db, bool memory_only, Output& output) {
  const Statistics statistics = db.statistics();
  const RecoveryReport recovery = db.recovery_report();
  const std::vector<ContextInfo> contexts = db.memory_contexts();
  if (output.json()) {
    output.object(to_json(statistics, contexts, recovery));
  } else if (memory_only) {
    show_accounts(statistics, output);
    show_pressure(statistics.pressure, output);
    show_contexts(contexts, output);
  } else {
    show_accounts(statistics, output);
    show_values("counter", statistics.counters, output);
    show_values("gauge", statistics.gauges, output);
    show_recovery(recovery, output);
    for (const std::string& event : statistics.events) output.line("event: " + escape_control(event));
  }
}

void add_stat(Program& program) {
  auto* command = program.app().add_subcommand("stat", "Show memory accounts, counters, gauges, recovery and events");
  auto store = std::make_shared<StoreArguments>();
  store->add_store(*command);
  auto memory_only = std::make_shared<bool>(false);
  command->add_flag("--memory", *memory_only,
                    "Show the tree of memory accounts, the pressure level, the ladder and its last events");
  program.runs(*command, [store, memory_only](Output& output) { return run(*store, *memory_only, output); });
}

}  // namespace plimsoll::cli
