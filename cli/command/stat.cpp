// plimsoll stat: what a store reports about itself: memory accounts and pressure, counters, gauges, the last recovery, the newest
// events. Of a running store as well. The names are the engine's own; nothing is derived here.
#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "arguments.hpp"
#include "base/fail.hpp"
#include "command/commands.hpp"
#include "command/show.hpp"
#include "program.hpp"
#include "render/bytes.hpp"
#include "render/quantity.hpp"
#include "render/table.hpp"
#include "running.hpp"

namespace plimsoll::cli {
namespace {

using nlohmann::ordered_json;
using enum TextTable::Align;

// Cells are what the store says, whatever version it is: a field that is missing comes out empty.
std::uint64_t number(const ordered_json& object, const char* field) { return object.value(field, std::uint64_t{0}); }
std::string text(const ordered_json& object, const char* field) { return escape_control(object.value(field, "")); }

std::size_t depth(const ordered_json& accounts, const std::string& account) {
  std::size_t levels = 0;
  for (auto at = accounts.find(account); at != accounts.end() && levels < accounts.size(); ++levels)
    at = accounts.find(at->value("parent", ""));
  return levels - 1;
}

void show_accounts(const ordered_json& stat, Output& output) {
  TextTable table({{"account"}, {"used", right}, {"peak", right}, {"floor", right}, {"cap", right}});
  const ordered_json& accounts = stat["accounts"];
  for (const auto& [name, account] : accounts.items()) {
    table.add({std::string(2 * depth(accounts, name), ' ') + name, render_size(number(account, "used_bytes")),
               render_size(number(account, "peak_bytes")), render_size(number(account, "floor_bytes")),
               number(account, "cap_bytes") == 0 ? "" : render_size(number(account, "cap_bytes"))});
  }
  output.line(
      fmt::format("memory: {} of {} used", render_size(number(stat, "memory_used")), render_size(number(stat, "memory_budget"))));
  output.write(table.render(output.terminal()));
}

void show_pressure(const ordered_json& pressure, Output& output) {
  output.line(fmt::format("\npressure: {}; {} needed, {} of them since the store was opened; {} charges waited, {} were refused",
                          text(pressure, "level"), render_size(number(pressure, "needed_bytes")),
                          render_size(number(pressure, "baseline_bytes")), number(pressure, "waits"),
                          number(pressure, "refusals")));
  TextTable table({{"rung"}, {"taken", right}, {"freed", right}, {"in vain", right}, {"ms", right}, {"what it does"}});
  for (const auto& [name, rung] : pressure["rungs"].items())
    table.add({name, fmt::format("{}", number(rung, "fired")), render_size(number(rung, "freed_bytes")),
               fmt::format("{}", number(rung, "in_vain")),
               fmt::format("{:.1f}", static_cast<double>(number(rung, "busy_ns")) / 1e6), text(rung, "meaning")});
  output.write(table.render(output.terminal()));
  constexpr std::size_t events_shown = 16;
  const ordered_json& events = pressure["events"];
  for (std::size_t i = events.size() - std::min(events.size(), events_shown); i < events.size(); ++i) {
    output.line(fmt::format("event: {}: {} {}, {} needed, {} freed", text(events[i], "level"), text(events[i], "what"),
                            text(events[i], "why"), render_size(number(events[i], "needed_bytes")),
                            render_size(number(events[i], "freed_bytes"))));
  }
}

void show_contexts(const ordered_json& contexts, Output& output) {
  TextTable table({{"context"}, {"transaction", right}, {"bytes", right}, {"peak", right}, {"children", right}, {"age ms", right}});
  for (const ordered_json& context : contexts)
    table.add({text(context, "label"), fmt::format("{}", number(context, "owner")), render_size(number(context, "bytes")),
               render_size(number(context, "peak_bytes")), fmt::format("{}", number(context, "children")),
               fmt::format("{}", number(context, "age_ms"))});
  output.write("\n");
  output.write(table.render(output.terminal()));
}

// `metrics` holds the unit and the meaning of each.
void show_values(std::string_view title, const ordered_json& values, const ordered_json& metrics, Output& output) {
  TextTable table({{title}, {"value", right}, {"unit"}, {"meaning"}});
  for (const auto& [name, value] : values.items()) {
    const ordered_json metric = metrics.value(name, ordered_json::object());
    const std::string unit = text(metric, "unit");
    const bool is_size = unit == "bytes" && output.terminal();
    const auto amount = value.get<std::uint64_t>();
    table.add({escape_control(name), is_size ? render_size(amount) : fmt::format("{}", amount), is_size ? "" : unit,
               text(metric, "meaning")});
  }
  output.write("\n");
  output.write(table.render(output.terminal()));
}

void show_recovery(const ordered_json& recovery, Output& output) {
  output.write("\n");
  if (recovery.value("was_clean", true)) {
    output.line("recovery: not needed, the store had been closed in order");
  } else {
    output.line(fmt::format("recovery: {} of log, {} records redone, {} losers, {} prepared, {} torn pages, {:.3f} s",
                            render_size(number(recovery, "log_bytes")), number(recovery, "records_redone"),
                            number(recovery, "losers"), number(recovery, "prepared"), number(recovery, "torn_pages"),
                            recovery.value("seconds", 0.0)));
  }
}

void show(const ordered_json& stat, bool memory_only, Output& output) {
  if (output.json()) {
    output.object(stat);
  } else if (memory_only) {
    show_accounts(stat, output);
    show_pressure(stat["pressure"], output);
    show_contexts(stat["contexts"], output);
  } else {
    show_accounts(stat, output);
    show_values("counter", stat["counters"], stat["metrics"], output);
    show_values("gauge", stat["gauges"], stat["metrics"], output);
    show_recovery(stat["recovery"], output);
    for (const ordered_json& event : stat["events"]) output.line("event: " + escape_control(event.get<std::string>()));
  }
}

// People are told what each figure means.
ordered_json request_for(const Output& output) {
  ordered_json request = request_named("stat");
  if (!output.json()) request["explain"] = true;
  return request;
}

Outcome<Exit> run(const StoreArguments& store, bool memory_only, Output& output) {
  PLIMSOLL_ASSIGN(const ordered_json stat, ask_store(store, request_for(output)));
  show(stat, memory_only, output);
  return Exit::done;
}

}  // namespace

Outcome<void> show_statistics(Database& db, bool memory_only, Output& output) {
  PLIMSOLL_ASSIGN(const ordered_json stat, ask_open_store(db, request_for(output)));
  show(stat, memory_only, output);
  return {};
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
