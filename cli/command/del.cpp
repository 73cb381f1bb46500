// plimsoll del: erases one key, or every key of a range. An absent key is answered with "not found".
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "arguments.hpp"
#include "base/check.hpp"
#include "base/fail.hpp"
#include "command/commands.hpp"
#include "program.hpp"

namespace plimsoll::cli {
namespace {

struct Arguments {
  StoreArguments store;
  Notation notation;
  RangeArguments range;
  std::optional<std::string> key;
};

Outcome<std::uint64_t> erase(Database& db, Table table, const std::optional<std::string>& key, const Arguments& arguments) {
  std::uint64_t erased = 0;
  PLIMSOLL_TRY(db.transact(arguments.store.writing(), [&](Transaction& transaction) -> Result<void> {
    if (key) {
      PLIMSOLL_ASSIGN(const bool present, transaction.erase(table, *key));
      erased = present ? 1 : 0;
    } else {
      PLIMSOLL_ASSIGN(erased, transaction.erase_range(table, arguments.range.range()));
    }
    return {};
  }));
  PLIMSOLL_DCHECK(!key || erased <= 1);
  return erased;
}

Outcome<Exit> run(Arguments& arguments, Output& output) {
  if (arguments.key.has_value() == arguments.range.given()) {
    return wrong_usage("either a key or a range must be given", "`plimsoll del STORE KEY`, or --from and --to");
  }
  PLIMSOLL_TRY(arguments.range.decode(arguments.notation));
  std::optional<std::string> key;
  if (arguments.key) { PLIMSOLL_ASSIGN(key, arguments.notation.decode(*arguments.key, "key")); }
  PLIMSOLL_ASSIGN(auto db, arguments.store.open());
  PLIMSOLL_ASSIGN(const auto table, arguments.store.open_table(db));
  PLIMSOLL_ASSIGN(const std::uint64_t erased, erase(db, table, key, arguments));
  PLIMSOLL_ASSIGN(const Exit exit, close_store(db));
  if (key && erased == 0) {
    return std::unexpected(
        Failure(Exit::not_found, "not_found",
                fmt::format("no key '{}' in the table '{}' of '{}'", *arguments.key, arguments.store.table, arguments.store.path)));
  }
  if (output.json()) {
    output.object({{"table", arguments.store.table}, {"erased", erased}});
  } else if (!key) {
    output.line(fmt::format("{}", erased));
  }
  return exit;
}

}  // namespace

void add_del(Program& program) {
  auto* command = program.app().add_subcommand("del", "Erase a key or a range of keys");
  auto arguments = std::make_shared<Arguments>();
  arguments->store.add_store(*command);
  command->add_option("KEY", arguments->key, "The key");
  arguments->range.add(*command);
  arguments->store.add_table(*command);
  arguments->notation.add(*command);
  arguments->store.add_transactions(*command);
  program.runs(*command, [arguments](Output& output) { return run(*arguments, output); });
}

}  // namespace plimsoll::cli
