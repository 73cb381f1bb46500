// plimsoll stat: what a store reports about itself: memory accounts, counters, gauges, the last recovery, the newest events. The
// names and units are the engine's own; nothing is derived here.
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "arguments.hpp"
#include "base/check.hpp"
#include "base/fail.hpp"
#include "command/commands.hpp"
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

ordered_json to_json(const Statistics& statistics, const RecoveryReport& recovery) {
  ordered_json accounts = ordered_json::object();
  for (const AccountStats& account : statistics.accounts) {
    accounts[account.name] = {
        {"used_bytes", account.used_bytes}, {"peak_bytes", account.peak_bytes}, {"floor_bytes", account.floor_bytes}};
  }
  return {{"memory_budget", statistics.memory_budget},
          {"memory_used", statistics.memory_used},
          {"accounts", accounts},
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

void show_accounts(const Statistics& statistics, Output& output) {
  PLIMSOLL_DCHECK(statistics.memory_budget != 0);
  TextTable table({{"account"}, {"used", right}, {"peak", right}, {"floor", right}});
  for (const AccountStats& account : statistics.accounts) {
    table.add({account.name, render_size(account.used_bytes), render_size(account.peak_bytes), render_size(account.floor_bytes)});
  }
  output.line(fmt::format("memory: {} of {} used", render_size(statistics.memory_used), render_size(statistics.memory_budget)));
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

Outcome<Exit> run(const StoreArguments& store, Output& output) {
  PLIMSOLL_ASSIGN(auto db, store.open());
  const Statistics statistics = db.statistics();
  const RecoveryReport recovery = db.recovery_report();
  if (output.json()) {
    output.object(to_json(statistics, recovery));
  } else {
    show_accounts(statistics, output);
    show_values("counter", statistics.counters, output);
    show_values("gauge", statistics.gauges, output);
    show_recovery(recovery, output);
    for (const std::string& event : statistics.events) output.line("event: " + escape_control(event));
  }
  return close_store(db);
}

}  // namespace

void add_stat(Program& program) {
  auto* command = program.app().add_subcommand("stat", "Show memory accounts, counters, gauges, recovery and events");
  auto store = std::make_shared<StoreArguments>();
  store->add_store(*command);
  program.runs(*command, [store](Output& output) { return run(*store, output); });
}

}  // namespace plimsoll::cli
