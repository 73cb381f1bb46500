// plimsoll scan: the records of a range in key order. For people a record is its key, a tab, its value, both escaped; with --json
// each record is a line of the interchange format.
#include <fmt/core.h>

#include "arguments.hpp"
#include "base/check.hpp"
#include "base/fail.hpp"
#include "command/commands.hpp"
#include "interchange/jsonl.hpp"
#include "program.hpp"
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

void show(Bytes key, Bytes value, const Arguments& arguments, std::string& line, Output& output) {
  line.clear();
  if (output.json()) {
    JsonlLine record{.key = key};
    if (!arguments.keys_only) record.value = value;
    append_jsonl(line, record);
  } else {
    line = arguments.notation.encode(key);
    if (!arguments.keys_only) line.append("\t").append(arguments.notation.encode(value));
    line += '\n';
  }
  PLIMSOLL_DCHECK(line.ends_with('\n') && line.find('\n') == line.size() - 1);
  output.write(line);
}

Outcome<void> scan(Database& db, const Arguments& arguments, Output& output) {
  PLIMSOLL_ASSIGN(const auto table, arguments.store.open_table(db));
  PLIMSOLL_ASSIGN(auto transaction, db.begin(arguments.store.reading()));
  const auto direction = arguments.reverse ? Direction::backward : Direction::forward;
  PLIMSOLL_ASSIGN(auto cursor, transaction.cursor(table, arguments.range.range(), direction));
  std::string line;
  for (std::uint64_t left = arguments.limit.value_or(UINT64_MAX); left != 0 && !output.failed(); --left) {
    PLIMSOLL_ASSIGN(const bool found, cursor.next());
    if (!found) break;
    PLIMSOLL_DCHECK(!cursor.key().empty());
    if (cursor.large() && !arguments.keys_only) {
      PLIMSOLL_ASSIGN(const std::string value, whole_value(transaction, table, cursor.key()));
      show(cursor.key(), value, arguments, line, output);
    } else {
      show(cursor.key(), cursor.value(), arguments, line, output);
    }
  }
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
