// plimsoll check: the store verifies itself. The problems go to standard output, one a line; exit status 4 if there are any.
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "arguments.hpp"
#include "base/check.hpp"
#include "base/fail.hpp"
#include "command/commands.hpp"
#include "program.hpp"
#include "render/bytes.hpp"

namespace plimsoll::cli {
namespace {

void show_json(const VerifyReport& report, Output& output) {
  auto problems = nlohmann::ordered_json::array();
  for (const VerifyProblem& problem : report.problems) {
    problems.push_back({{"file", problem.file}, {"page", problem.page}, {"table", problem.table}, {"what", problem.what}});
  }
  output.object({{"sound", report.problems.empty()},
                 {"pages", report.pages},
                 {"free_pages", report.free_pages},
                 {"tables", report.tables},
                 {"records", report.records},
                 {"chains", report.chains},
                 {"space_compared", report.space_compared},
                 {"problems", problems}});
}

void show_text(const VerifyReport& report, Output& output) {
  for (const VerifyProblem& problem : report.problems) {
    const std::string table = problem.table.empty() ? "" : fmt::format(", table '{}'", escape(problem.table));
    output.line(fmt::format("{}, page {}{}: {}", escape(problem.file), problem.page, table, escape_control(problem.what)));
  }
  output.line(fmt::format("{}: {} pages ({} free), {} tables, {} records", report.problems.empty() ? "sound" : "damaged",
                          report.pages, report.free_pages, report.tables, report.records));
}

Outcome<Exit> run(const StoreArguments& store, Output& output) {
  PLIMSOLL_ASSIGN(auto db, store.open());
  PLIMSOLL_ASSIGN(const auto report, context(db.verify(), fmt::format("cannot check '{}'", store.path)));
  output.json() ? show_json(report, output) : show_text(report, output);
  if (report.problems.empty()) return close_store(db);
  PLIMSOLL_TRY(output.finish());
  static_cast<void>(close_store(db));  // the damage is the news, whether closing works or not
  return std::unexpected(
      Failure(Exit::corruption, "corruption", fmt::format("{} problems in '{}'", report.problems.size(), store.path),
              "`plimsoll dump` of ranges without damage saves what can still be read; load it into a new store"));
}

}  // namespace

void add_check(Program& program) {
  auto* command = program.app().add_subcommand("check", "Verify the store; exit status 4 if it is damaged");
  auto store = std::make_shared<StoreArguments>();
  store->add_store(*command);
  program.runs(*command, [store](Output& output) { return run(*store, output); });
}

}  // namespace plimsoll::cli
