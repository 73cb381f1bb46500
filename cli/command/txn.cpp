// plimsoll txn: the transactions of a store, who waits for whom, and ending one. Of a store that nobody has open, list shows those
// that are prepared.
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "base/fail.hpp"
#include "command/commands.hpp"
#include "program.hpp"
#include "render/bytes.hpp"
#include "render/quantity.hpp"
#include "render/table.hpp"
#include "running.hpp"

namespace plimsoll::cli {
namespace {

using nlohmann::ordered_json;
using enum TextTable::Align;

Outcome<Exit> list(const StoreArguments& store, Output& output) {
  PLIMSOLL_ASSIGN(const ordered_json all, ask_store(store, request_named("transactions")));
  if (output.json()) {
    output.object({{"transactions", all}});
    return Exit::done;
  }
  TextTable table(
      {{"id", right}, {"state"}, {"age ms", right}, {"written bytes", right}, {"waits for", right}, {"label"}, {"global id"}});
  for (const ordered_json& one : all)
    table.add({fmt::format("{}", number_in(one, "id")), text_in(one, "state"), fmt::format("{}", number_in(one, "age_ms")),
               fmt::format("{}", number_in(one, "written_bytes")),
               number_in(one, "waits_for") == 0 ? "" : fmt::format("{}", number_in(one, "waits_for")), text_in(one, "label"),
               text_in(one, "global_id")});
  output.write(table.render(output.terminal()));
  return Exit::done;
}

Outcome<Exit> waits(const StoreArguments& store, Output& output) {
  PLIMSOLL_ASSIGN(const ordered_json all, ask_store(store, request_named("waits")));
  if (output.json()) {
    output.object({{"waits", all}});
    return Exit::done;
  }
  TextTable table({{"waiter", right}, {"holder", right}});
  for (const ordered_json& one : all)
    table.add({fmt::format("{}", number_in(one, "waiter")), fmt::format("{}", number_in(one, "holder"))});
  output.write(table.render(output.terminal()));
  return Exit::done;
}

Outcome<Exit> kill(const StoreArguments& store, std::uint64_t id, Output& output) {
  ordered_json request = request_named("kill");
  request["id"] = id;
  PLIMSOLL_ASSIGN(const ordered_json killed, ask_running_store(store, request));
  output.json() ? output.object(killed) : output.line(fmt::format("transaction {} killed", id));
  return Exit::done;
}

}  // namespace

void add_txn(Program& program) {
  auto* parent = program.app().add_subcommand("txn", "Show the transactions of a store, or end one");
  parent->require_subcommand(1);
  auto store = std::make_shared<StoreArguments>();
  const auto add = [&](const char* name, const char* help) {
    auto* command = parent->add_subcommand(name, help);
    store->add_store(*command);
    return command;
  };
  program.runs(*add("list", "List the transactions that are not over"), [store](Output& output) { return list(*store, output); });
  program.runs(*add("waits", "Show which transaction waits for which"), [store](Output& output) { return waits(*store, output); });
  auto* ending = parent->add_subcommand("kill", "End a transaction of a running store");
  auto id = std::make_shared<std::uint64_t>(0);
  ending->add_option("STORE", store->path, "Folder of the store, which some process has open")->required();
  ending->add_option("ID", *id, "The transaction, as `txn list` shows it")->required();
  program.runs(*ending, [store, id](Output& output) { return kill(*store, *id, output); });
}

}  // namespace plimsoll::cli
