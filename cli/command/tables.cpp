// plimsoll tables: the tables of a store, each with its number (the number of its root page).
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "arguments.hpp"
#include "base/check.hpp"
#include "base/fail.hpp"
#include "command/commands.hpp"
#include "command/show.hpp"
#include "program.hpp"
#include "render/bytes.hpp"
#include "render/table.hpp"

namespace plimsoll::cli {
namespace {

Outcome<Exit> run(const StoreArguments& store, Output& output) {
  PLIMSOLL_ASSIGN(auto db, store.open());
  PLIMSOLL_TRY(show_tables(db, output));
  return close_store(db);
}

}  // namespace

Outcome<void> show_tables(Database& db, Output& output) {
  PLIMSOLL_ASSIGN(const auto tables, db.tables());
  if (output.json()) {
    auto list = nlohmann::ordered_json::array();
    for (const TableInfo& table : tables) list.push_back({{"name", table.name}, {"tree", table.tree.value}});
    output.object({{"tables", list}});
  } else {
    TextTable text({{"table"}, {"tree", TextTable::Align::right}});
    for (const TableInfo& table : tables) {
      PLIMSOLL_DCHECK(table.tree);
      text.add({escape(table.name), fmt::format("{}", table.tree.value)});
    }
    output.write(text.render(output.terminal()));
  }
  return {};
}

void add_tables(Program& program) {
  auto* command = program.app().add_subcommand("tables", "List the tables");
  auto store = std::make_shared<StoreArguments>();
  store->add_store(*command);
  program.runs(*command, [store](Output& output) { return run(*store, output); });
}

}  // namespace plimsoll::cli
