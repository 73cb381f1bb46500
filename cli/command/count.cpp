// plimsoll count: how many records a table or a range of it has.
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "arguments.hpp"
#include "base/fail.hpp"
#include "command/commands.hpp"
#include "program.hpp"

namespace plimsoll::cli {
namespace {

struct Arguments {
  StoreArguments store;
  Notation notation;
  RangeArguments range;
};

Outcome<std::uint64_t> count(Database& db, const Arguments& arguments) {
  PLIMSOLL_ASSIGN(const auto table, arguments.store.open_table(db));
  PLIMSOLL_ASSIGN(auto transaction, db.begin(arguments.store.reading()));
  PLIMSOLL_ASSIGN(const std::uint64_t records, transaction.count(table, arguments.range.range()));
  return records;
}

Outcome<Exit> run(Arguments& arguments, Output& output) {
  PLIMSOLL_TRY(arguments.range.decode(arguments.notation));
  PLIMSOLL_ASSIGN(auto db, arguments.store.open());
  PLIMSOLL_ASSIGN(const std::uint64_t records, count(db, arguments));
  if (output.json()) {
    output.object({{"table", arguments.store.table}, {"records", records}});
  } else {
    output.line(fmt::format("{}", records));
  }
  return close_store(db);
}

}  // namespace

void add_count(Program& program) {
  auto* command = program.app().add_subcommand("count", "Count the records of a table or a range");
  auto arguments = std::make_shared<Arguments>();
  arguments->store.add_store(*command);
  arguments->range.add(*command);
  arguments->store.add_table(*command);
  arguments->notation.add(*command);
  program.runs(*command, [arguments](Output& output) { return run(*arguments, output); });
}

}  // namespace plimsoll::cli
