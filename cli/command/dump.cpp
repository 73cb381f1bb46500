// plimsoll dump: a table, a range of it, or all tables, in an interchange format, from one snapshot. A dump that fails has a
// nonzero exit status, whatever was printed before.
#include <fmt/core.h>

#include "arguments.hpp"
#include "base/fail.hpp"
#include "command/commands.hpp"
#include "interchange/dumper.hpp"
#include "interchange/formats.hpp"
#include "program.hpp"

namespace plimsoll::cli {
namespace {

struct Arguments {
  StoreArguments store;
  Notation notation;
  RangeArguments range;
  std::string format = "jsonl";
  bool all = false;
  bool print = false;
};

Outcome<void> dump(Database& db, const Arguments& arguments, Format format, Output& output) {
  PLIMSOLL_ASSIGN(auto transaction, db.begin(arguments.store.reading()));
  const auto writer = make_writer(
      format, {.encoding = arguments.notation.encoding(Encoding::escaped), .name_tables = arguments.all, .print = arguments.print});
  Dumper dumper(transaction, *writer, output);
  // A dump of db_dump calls it the unnamed database.
  if (arguments.all) return dump_all(db, dumper, format == Format::db_dump ? std::optional<Bytes>(default_table) : std::nullopt);
  PLIMSOLL_ASSIGN(const auto table, arguments.store.open_table(db));
  const bool is_default = arguments.store.table == default_table;
  return dumper.dump(table, is_default ? std::nullopt : std::optional<Bytes>(arguments.store.table), arguments.range.range());
}

Outcome<Exit> run(Arguments& arguments, Output& output) {
  if (arguments.all && arguments.range.given()) return wrong_usage("--all takes no range", "name the table with --table");
  PLIMSOLL_ASSIGN(const Format format, choose(dump_formats, arguments.format, "--format"));
  if (arguments.print && format != Format::db_dump) return wrong_usage("--print is a form of db_dump", "add --format db_dump");
  PLIMSOLL_TRY(arguments.range.decode(arguments.notation));
  PLIMSOLL_ASSIGN(auto db, arguments.store.open());
  PLIMSOLL_TRY(dump(db, arguments, format, output));
  return close_store(db);
}

}  // namespace

void add_dump(Program& program) {
  auto* command = program.app().add_subcommand("dump", "Print a table as JSON Lines, CSV, TSV or a db_dump, which load reads");
  auto arguments = std::make_shared<Arguments>();
  arguments->store.add_store(*command);
  arguments->store.add_table(*command);
  command->add_flag("--all", arguments->all, "Dump every table")->excludes(command->get_option("--table"));
  command->add_option("--format", arguments->format, "The format (default jsonl)")->type_name(words_of(dump_formats));
  command->add_flag("-p,--print", arguments->print, "db_dump: printable characters stand for themselves, as with db_dump -p");
  arguments->range.add(*command);
  arguments->notation.add(*command);
  program.runs(*command, [arguments](Output& output) { return run(*arguments, output); });
}

}  // namespace plimsoll::cli
