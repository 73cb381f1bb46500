// plimsoll get: the value of one key, in pieces, so that values of any size fit the budget. With --json, --hex or --base64 the
// value is held whole in the program's own memory.
#include <fmt/core.h>

#include "arguments.hpp"
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
  std::string key;
  bool raw = false;
};

Outcome<void> show(ValueReader& reader, const Arguments& arguments, Bytes key, Output& output) {
  if (output.json()) {
    std::string value, line;
    value.reserve(reader.size());
    PLIMSOLL_TRY(read_value(reader, [&](Bytes piece) { return value.append(piece), true; }));
    append_jsonl(line, {.key = key, .value = value});
    output.write(line);
    return {};
  }
  PLIMSOLL_TRY(print_value(reader, arguments.notation.encoding(), output));
  if (!arguments.raw || !arguments.notation.raw()) output.write("\n");
  return {};
}

Outcome<Exit> run(const Arguments& arguments, Output& output) {
  PLIMSOLL_ASSIGN(const std::string key, arguments.notation.decode(arguments.key, "key"));
  PLIMSOLL_ASSIGN(auto db, arguments.store.open());
  PLIMSOLL_ASSIGN(const auto table, arguments.store.open_table(db));
  {
    PLIMSOLL_ASSIGN(auto transaction, db.begin(arguments.store.reading()));
    PLIMSOLL_ASSIGN(auto reader, transaction.open_reader(table, key));
    if (!reader) {
      return std::unexpected(Failure(
          Exit::not_found, "not_found",
          fmt::format("no key '{}' in the table '{}' of '{}'", arguments.key, arguments.store.table, arguments.store.path)));
    }
    PLIMSOLL_TRY(show(*reader, arguments, key, output));
  }
  return close_store(db);
}

}  // namespace

void add_get(Program& program) {
  auto* command = program.app().add_subcommand("get", "Print the value of a key");
  auto arguments = std::make_shared<Arguments>();
  arguments->store.add_store(*command);
  command->add_option("KEY", arguments->key, "The key")->required();
  arguments->store.add_table(*command);
  arguments->notation.add(*command);
  command->add_flag("--raw", arguments->raw, "Print the value's bytes alone, without a line feed behind them");
  program.runs(*command, [arguments](Output& output) { return run(*arguments, output); });
}

}  // namespace plimsoll::cli
