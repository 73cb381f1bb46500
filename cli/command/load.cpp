// plimsoll load: records of an interchange format into a store. All or nothing, unless --partial.
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "arguments.hpp"
#include "base/fail.hpp"
#include "command/commands.hpp"
#include "command/show.hpp"
#include "input.hpp"
#include "interchange/loader.hpp"
#include "program.hpp"

namespace plimsoll::cli {
namespace {

constexpr std::uint64_t lines_per_batch_default = 10'000;

struct Arguments {
  StoreArguments store;
  Notation notation;
  std::string file = "-";
  std::string format = "auto";
  bool header = true;
  std::vector<std::string> key_columns;
  bool partial = false;
  std::optional<std::uint64_t> batch;
};

Outcome<LoadOptions> options_of(const Arguments& arguments) {
  PLIMSOLL_ASSIGN(const Format format, choose(load_formats, arguments.format, "--format"));
  return LoadOptions{
      .format = format,
      .csv = {.header = arguments.header, .key_columns = arguments.key_columns, .encoding = arguments.notation.encoding()},
      .settings = {.default_table = arguments.store.table,
                   .lines_per_transaction = arguments.partial ? arguments.batch.value_or(lines_per_batch_default) : 0,
                   .create_tables = arguments.store.may_create(),
                   .transaction = arguments.store.writing()}};
}

Outcome<Exit> run(const Arguments& arguments, Output& output) {
  if (arguments.batch && !arguments.partial) return wrong_usage("--batch makes several transactions of one load", "add --partial");
  if (arguments.batch == 0u) return wrong_usage("--batch must be at least 1");
  PLIMSOLL_ASSIGN(const LoadOptions options, options_of(arguments));
  PLIMSOLL_ASSIGN(const auto input, Input::open(arguments.file));
  PLIMSOLL_ASSIGN(auto db, arguments.store.open());
  PLIMSOLL_ASSIGN(const std::uint64_t records, load_input(db, input, options));
  PLIMSOLL_ASSIGN(const Exit exit, close_store(db));
  show_loaded(records, output);
  return exit;
}

}  // namespace

void show_loaded(std::uint64_t records, Output& output) {
  if (output.json()) return output.object({{"records", records}});
  output.line(fmt::format("{} records loaded", records));
}

void add_load(Program& program) {
  auto* command = program.app().add_subcommand("load", "Load records from JSON Lines, CSV, TSV or a db_dump, all or nothing");
  auto arguments = std::make_shared<Arguments>();
  arguments->store.add_store(*command);
  command->add_option("FILE", arguments->file, "The input; - or nothing is standard input");
  arguments->store.add_table(*command);
  command->add_option("--format", arguments->format, "auto (the default) goes by the file's name, or its first byte")
      ->type_name(words_of(load_formats));
  command
      ->add_option("--key", arguments->key_columns, "csv, tsv: the key's column, by name or number; several make a composite key")
      ->type_name("COLUMN")
      ->expected(1)
      ->take_all();
  command->add_flag("--header,!--no-header", arguments->header, "csv, tsv: the first row holds names (the default)");
  arguments->notation.add(*command);
  command->add_flag("--partial", arguments->partial,
                    "Commit as the load goes on: what was committed stays when a later line fails");
  command
      ->add_option("--batch", arguments->batch,
                   fmt::format("Lines per commit with --partial (default {})", lines_per_batch_default))
      ->type_name("N");
  arguments->store.add_transactions(*command);
  arguments->store.add_creation(*command);
  command->footer(
      "jsonl: one JSON object a line, at most 16 MiB: {\"key\":\"alice\",\"value\":\"17\"}. \"table\" names another table; a line\n"
      "with a table alone creates it. key_base64, value_base64 and table_base64 carry bytes that are not UTF-8. \"more\":true "
      "says\n"
      "that the value goes on in the next line, which names the same key.\n"
      "csv, tsv: RFC 4180; the key is the first column unless --key says otherwise, the other columns are the value.\n"
      "--hex and --base64: all fields are written so.\n"
      "db_dump: the text of db_dump and mdb_dump; `database=` names the table.");
  program.runs(*command, [arguments](Output& output) { return run(*arguments, output); });
}

}  // namespace plimsoll::cli
