// plimsoll load: records of the interchange format (interchange/jsonl.hpp) into a store. All or nothing, unless --partial.
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "arguments.hpp"
#include "base/check.hpp"
#include "base/fail.hpp"
#include "command/commands.hpp"
#include "input.hpp"
#include "interchange/jsonl.hpp"
#include "interchange/loader.hpp"
#include "program.hpp"
#include "render/progress.hpp"

namespace plimsoll::cli {
namespace {

constexpr std::uint64_t lines_per_batch_default = 10'000;

struct Arguments {
  StoreArguments store;
  std::string file = "-";
  bool partial = false;
  std::optional<std::uint64_t> batch;
};

// Puts "FILE, line N" in front of a failure, and says what of the input is in the store now. Any failure that a line causes is one
// of the input, not of the command line.
Failure at_line(Failure failure, const Input& input, std::uint64_t line, const Loader& loader) {
  failure.message.insert(0, fmt::format("{}, line {}: ", input.name(), line));
  if (failure.exit == Exit::wrong_usage) failure.exit = Exit::failed;
  if (loader.records_kept() != 0) {
    failure.message += fmt::format("; {} records before it are loaded", loader.records_kept());
  } else {
    failure.message += "; nothing is loaded";
  }
  if (failure.hint.empty()) failure.hint = "`plimsoll load --help` describes the format";
  return failure;
}

Outcome<std::uint64_t> load(Database& db, const Arguments& arguments, const Input& input) {
  Loader loader(db, {.default_table = arguments.store.table,
                     .lines_per_transaction = arguments.partial ? arguments.batch.value_or(lines_per_batch_default) : 0,
                     .create_tables = arguments.store.options.create_if_missing,
                     .transaction = arguments.store.writing()});
  LineReader lines(input.file());
  Progress progress("loading", input.size());
  const auto fail_here = [&](Failure failure) {
    return std::unexpected(at_line(std::move(failure), input, lines.line_number(), loader));
  };
  const auto malformed = [&](std::string reason) { return fail_here(Failure(Exit::failed, "malformed_input", std::move(reason))); };
  for (;;) {
    const auto line = lines.next();
    if (!line) return malformed(line.error());
    if (!*line) break;
    auto record = parse_jsonl(**line);
    if (!record) return malformed(record.error());
    if (auto added = loader.add(*record); !added) return fail_here(std::move(added.error()));
    progress.update(lines.bytes_read(), loader.records());
  }
  if (auto finished = loader.finish(); !finished) return fail_here(std::move(finished.error()));
  PLIMSOLL_CHECK(loader.records_kept() == loader.records());
  return loader.records();
}

Outcome<Exit> run(const Arguments& arguments, Output& output) {
  if (arguments.batch && !arguments.partial) return wrong_usage("--batch makes several transactions of one load", "add --partial");
  if (arguments.batch == 0u) return wrong_usage("--batch must be at least 1");
  PLIMSOLL_ASSIGN(const auto input, Input::open(arguments.file));
  PLIMSOLL_ASSIGN(auto db, arguments.store.open());
  PLIMSOLL_ASSIGN(const std::uint64_t records, load(db, arguments, input));
  PLIMSOLL_ASSIGN(const Exit exit, close_store(db));
  if (output.json()) {
    output.object({{"records", records}});
  } else {
    output.line(fmt::format("{} records loaded", records));
  }
  return exit;
}

}  // namespace

void add_load(Program& program) {
  auto* command = program.app().add_subcommand("load", "Load records from JSON Lines, all or nothing");
  auto arguments = std::make_shared<Arguments>();
  arguments->store.add_store(*command);
  command->add_option("FILE", arguments->file, "The input; - or nothing is standard input");
  arguments->store.add_table(*command);
  command->add_flag("--partial", arguments->partial,
                    "Commit as the load goes on: what was committed stays when a later line fails");
  command
      ->add_option("--batch", arguments->batch,
                   fmt::format("Lines per commit with --partial (default {})", lines_per_batch_default))
      ->type_name("N");
  arguments->store.add_durability(*command);
  arguments->store.add_creation(*command);
  command->footer(
      "One JSON object a line, at most 16 MiB: {\"key\":\"alice\",\"value\":\"17\"}. \"table\" names another table; a line with a\n"
      "table alone creates it. key_base64, value_base64 and table_base64 carry bytes that are not UTF-8. \"more\":true says that\n"
      "the value goes on in the next line, which names the same key.");
  program.runs(*command, [arguments](Output& output) { return run(*arguments, output); });
}

}  // namespace plimsoll::cli
