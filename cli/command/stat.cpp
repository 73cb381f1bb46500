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

std::size_t depth(const ordered_json& accounts, const std::string& account) {
  std::size_t levels = 0;
  for (auto at = accounts.find(account); at != accounts.end() && levels < accounts.size(); ++levels)
    at = accounts.find(at->value("parent", ""));
  return levels - 1;
}

void show_accounts(const ordered_json& stat, Output& output) {
  TextTable table({{"account"}, {"used", right}, {"peak", right}, {"floor", right}, {"cap", right}});
  const ordered_json& accounts = part_of(stat, "accounts");
  for (const auto& [name, account] : accounts.items()) {
    table.add({std::string(2 * depth(accounts, name), ' ') + name, render_size(number_in(account, "used_bytes")),
               render_size(number_in(account, "peak_bytes")), render_size(number_in(account, "floor_bytes")),
               number_in(account, "cap_bytes") == 0 ? "" : render_size(number_in(account, "cap_bytes"))});
  }
  output.line(fmt::format("memory: {} of {} used", render_size(number_in(stat, "memory_used")),
                          render_size(number_in(stat, "memory_budget"))));
  output.write(table.render(output.terminal()));
}

void show_pressure(const ordered_json& pressure, Output& output) {
  output.line(fmt::format("\npressure: {}; {} needed, {} of them since the store was opened; {} charges waited, {} were refused",
                          text_in(pressure, "level"), render_size(number_in(pressure, "needed_bytes")),
                          render_size(number_in(pressure, "baseline_bytes")), number_in(pressure, "waits"),
                          number_in(pressure, "refusals")));
  TextTable table({{"rung"}, {"taken", right}, {"freed", right}, {"in vain", right}, {"ms", right}, {"what it does"}});
  for (const auto& [name, rung] : part_of(pressure, "rungs").items())
    table.add({name, fmt::format("{}", number_in(rung, "fired")), render_size(number_in(rung, "freed_bytes")),
               fmt::format("{}", number_in(rung, "in_vain")),
               fmt::format("{:.1f}", static_cast<double>(number_in(rung, "busy_ns")) / 1e6), text_in(rung, "meaning")});
  output.write(table.render(output.terminal()));
  constexpr std::size_t events_shown = 16;
  const ordered_json& events = part_of(pressure, "events");
  for (std::size_t i = events.size() - std::min(events.size(), events_shown); i < events.size(); ++i) {
    output.line(fmt::format("event: {}: {} {}, {} needed, {} freed", text_in(events[i], "level"), text_in(events[i], "what"),
                            text_in(events[i], "why"), render_size(number_in(events[i], "needed_bytes")),
                            render_size(number_in(events[i], "freed_bytes"))));
  }
}

void show_contexts(const ordered_json& contexts, Output& output) {
  TextTable table({{"context"}, {"transaction", right}, {"bytes", right}, {"peak", right}, {"children", right}, {"age ms", right}});
  for (const ordered_json& context : contexts)
    table.add({text_in(context, "label"), fmt::format("{}", number_in(context, "owner")), render_size(number_in(context, "bytes")),
               render_size(number_in(context, "peak_bytes")), fmt::format("{}", number_in(context, "children")),
               fmt::format("{}", number_in(context, "age_ms"))});
  output.write("\n");
  output.write(table.render(output.terminal()));
}

// `metrics` holds the unit and the meaning of each.
void show_values(std::string_view title, const ordered_json& values, const ordered_json& metrics, Output& output) {
  TextTable table({{title}, {"value", right}, {"unit"}, {"meaning"}});
  for (const auto& [name, value] : values.items()) {
    const ordered_json& metric = part_of(metrics, name);
    const std::string unit = text_in(metric, "unit");
    const bool is_size = unit == "bytes" && output.terminal();
    const auto amount = value.get<std::uint64_t>();
    table.add({escape_control(name), is_size ? render_size(amount) : fmt::format("{}", amount), is_size ? "" : unit,
               text_in(metric, "meaning")});
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
                            render_size(number_in(recovery, "log_bytes")), number_in(recovery, "records_redone"),
                            number_in(recovery, "losers"), number_in(recovery, "prepared"), number_in(recovery, "torn_pages"),
                            recovery.value("seconds", 0.0)));
  }
}

void show(const ordered_json& stat, bool memory_only, Output& output) {
  if (output.json()) {
    output.object(stat);
  } else if (memory_only) {
    show_accounts(stat, output);
    show_pressure(part_of(stat, "pressure"), output);
    show_contexts(part_of(stat, "contexts"), output);
  } else {
    show_accounts(stat, output);
    show_values("counter", part_of(stat, "counters"), part_of(stat, "metrics"), output);
    show_values("gauge", part_of(stat, "gauges"), part_of(stat, "metrics"), output);
    show_recovery(part_of(stat, "recovery"), output);
    for (const ordered_json& event : part_of(stat, "events")) output.line("event: " + escape_control(event.get<std::string>()));
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
