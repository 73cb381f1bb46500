// plimsoll identify: what lies at a path. Opens and changes nothing, works beside a running store; exit status 3 if it is no store.
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "base/check.hpp"
#include "base/fail.hpp"
#include "command/commands.hpp"
#include "failure.hpp"
#include "plimsoll/inspect.hpp"
#include "program.hpp"
#include "render/bytes.hpp"
#include "render/quantity.hpp"
#include "render/table.hpp"

namespace plimsoll::cli {
namespace {

void show_json(const StoreIdentity& store, Output& output) {
  output.object({{"is_store", store.is_store},
                 {"description", store.description},
                 {"format_version", store.format_version},
                 {"page_size", store.page_size},
                 {"salt", store.salt},
                 {"clean", store.clean},
                 {"checkpoint_lsn", store.checkpoint_lsn},
                 {"data_bytes", store.data_bytes},
                 {"log_bytes", store.log_bytes},
                 {"holder_pid", store.holder_pid}});
}

void show_text(const StoreIdentity& store, Output& output) {
  output.line(escape_control(store.description));
  if (!store.is_store) return;
  PLIMSOLL_DCHECK(store.page_size != 0);
  TextTable table({{"property"}, {"value"}});
  table.add({"format version", fmt::format("{}", store.format_version)});
  table.add({"page size", render_size(store.page_size)});
  table.add({"salt", fmt::format("{:016x}", store.salt)});
  table.add({"closed in order", store.clean ? "yes" : "no"});
  table.add({"checkpoint position", fmt::format("{}", store.checkpoint_lsn)});
  table.add({"data", render_size(store.data_bytes)});
  table.add({"log", render_size(store.log_bytes)});
  table.add({"held by process", store.holder_pid == 0 ? "nobody" : fmt::format("{}", store.holder_pid)});
  output.write(table.render(output.terminal()));
}

Outcome<Exit> run(const std::string& path, Output& output) {
  PLIMSOLL_ASSIGN(const auto store, context(identify(path), fmt::format("cannot identify '{}'", path)));
  output.json() ? show_json(store, output) : show_text(store, output);
  return store.is_store ? Exit::done : Exit::not_found;
}

}  // namespace

void add_identify(Program& program) {
  auto* command = program.app().add_subcommand("identify", "Say what lies at a path; exit status 3 if it is no store");
  auto path = std::make_shared<std::string>();
  command->add_option("PATH", *path, "A folder or file")->required();
  program.runs(*command, [path](Output& output) { return run(*path, output); });
}

}  // namespace plimsoll::cli
