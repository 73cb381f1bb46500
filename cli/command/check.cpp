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
  Progress progress("checking", 0);
  PLIMSOLL_ASSIGN(const ordered_json report, have_done(store, "check", [&](const ordered_json& state) {
                    progress.look(number_in(state, "pages"), number_in(state, "records"));
                  }));
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
