// plimsoll scan: the records of a range in key order. For people a record is its key, a tab, its value, both escaped; with --json
// each record is a line of the interchange format.
#include <fmt/core.h>

#include "arguments.hpp"
#include "base/fail.hpp"
#include "command/commands.hpp"
#include "program.hpp"
#include "render/records.hpp"
#include "values.hpp"

namespace plimsoll::cli {
namespace {

struct Arguments {
  StoreArguments store;
  Notation notation;
  RangeArguments range;
  bool reverse = false;
  bool keys_only = false;
  std::optional<std::uint64_t> limit;
};

Outcome<void> scan(Database& db, const Arguments& arguments, Output& output) {
  PLIMSOLL_ASSIGN(const auto table, arguments.store.open_table(db));
  PLIMSOLL_ASSIGN(auto transaction, db.begin(arguments.store.reading()));
  const Scan what{.range = arguments.range.range(),
                  .direction = arguments.reverse ? Direction::backward : Direction::forward,
                  .limit = arguments.limit.value_or(UINT64_MAX),
                  .keys_only = arguments.keys_only};
  RecordPrinter printer(output, {.mode = output.json() ? Mode::jsonl : Mode::list,
                                 .encoding = arguments.notation.encoding(Encoding::escaped),
                                 .keys_only = arguments.keys_only});
  PLIMSOLL_TRY(
      scan_records(transaction, table, what, [&](Bytes key, Bytes value) { return printer.add(key, value), !output.failed(); }));
  printer.finish();
  return {};
}

Outcome<Exit> run(Arguments& arguments, Output& output) {
  PLIMSOLL_TRY(arguments.range.decode(arguments.notation));
  PLIMSOLL_ASSIGN(auto db, arguments.store.open());
  PLIMSOLL_TRY(scan(db, arguments, output));
  return close_store(db);
}

}  // namespace

void add_scan(Program& program) {
  auto* command = program.app().add_subcommand("scan", "Print the records of a range in key order");
  auto arguments = std::make_shared<Arguments>();
  arguments->store.add_store(*command);
  arguments->range.add(*command);
  command->add_flag("--reverse", arguments->reverse, "From the largest key down");
  command->add_option("--limit", arguments->limit, "At most so many records")->type_name("N");
  command->add_flag("--keys-only", arguments->keys_only, "Leave the values out");
  arguments->store.add_table(*command);
  arguments->notation.add(*command);
  program.runs(*command, [arguments](Output& output) { return run(*arguments, output); });
}

}  // namespace plimsoll::cli
