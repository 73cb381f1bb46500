// plimsoll check: the store verifies itself, in the process that has it open, or else in this one. The problems go to standard
// output, one a line; exit status 4 if there are any.
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "arguments.hpp"
#include "base/fail.hpp"
#include "command/commands.hpp"
#include "program.hpp"
#include "render/progress.hpp"
#include "running.hpp"

namespace plimsoll::cli {
namespace {

using nlohmann::ordered_json;

Outcome<ordered_json> check_with(const Ask& ask, const std::string& path) {
  PLIMSOLL_ASSIGN(const ordered_json started, ask(request_named("check")));
  Progress progress("checking", 0);
  return await_work(ask, "check", started, path,
                    [&](const ordered_json& state) { progress.look(number_in(state, "pages"), number_in(state, "records")); });
}

// Of a store that nobody has open, and that is not said to be damaged when it cannot be opened.
Outcome<ordered_json> check_here(const StoreArguments& store) {
  PLIMSOLL_ASSIGN(auto db, store.open());
  const auto ask = [&](const ordered_json& request) { return ask_open_store(db, request); };
  auto checked = check_with(ask, store.path);
  auto closed = close_store(db);
  const bool sound = checked && part_of(*checked, "problems").empty();
  if (sound && !closed) return std::unexpected(closed.error());  // of a damaged one, the damage is the news
  return checked;
}

Outcome<ordered_json> check(const StoreArguments& store) {
  const auto ask = [&](const ordered_json& request) { return ask_running_store(store, request); };
  auto running = ask(request_named("process"));
  if (running) return check_with(ask, store.path);
  if (running.error().exit != Exit::not_found) return running;
  return check_here(store);
}

void show_text(const ordered_json& report, Output& output) {
  for (const ordered_json& problem : part_of(report, "problems")) {
    const std::string table = text_in(problem, "table");
    output.line(fmt::format("{}, page {}{}: {}", text_in(problem, "file"), number_in(problem, "page"),
                            table.empty() ? "" : fmt::format(", table '{}'", table), text_in(problem, "what")));
  }
  output.line(fmt::format("{}: {} pages ({} free), {} tables, {} records",
                          part_of(report, "problems").empty() ? "sound" : "damaged", number_in(report, "pages"),
                          number_in(report, "free_pages"), number_in(report, "tables"), number_in(report, "records")));
}

Outcome<Exit> run(const StoreArguments& store, Output& output) {
  PLIMSOLL_ASSIGN(const ordered_json report, check(store));
  output.json() ? output.object(report) : show_text(report, output);
  const std::size_t problems = part_of(report, "problems").size();
  if (problems == 0) return Exit::done;
  PLIMSOLL_TRY(output.finish());
  return std::unexpected(
      Failure(Exit::corruption, "corruption", fmt::format("{} problems in '{}'", problems, store.path),
              "`plimsoll dump` of ranges without damage saves what can still be read; load it into a new store"));
}

}  // namespace

void add_check(Program& program) {
  auto* command =
      program.app().add_subcommand("check", "Verify the store, also one that is in use; exit status 4 if it is damaged");
  auto store = std::make_shared<StoreArguments>();
  store->add_store(*command);
  program.runs(*command, [store](Output& output) { return run(*store, output); });
}

}  // namespace plimsoll::cli
