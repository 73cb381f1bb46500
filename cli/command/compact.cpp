// plimsoll compact: free pages of the data file go back to the file system; by the process that has the store open, or else by this
// one.
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "arguments.hpp"
#include "base/fail.hpp"
#include "command/commands.hpp"
#include "program.hpp"
#include "render/progress.hpp"
#include "running.hpp"

namespace plimsoll::cli {
namespace {

using nlohmann::ordered_json;

Outcome<Exit> run(const StoreArguments& store, Output& output) {
  Progress progress("compacting", 0);
  PLIMSOLL_ASSIGN(const ordered_json report, have_done(store, "compact", [&](const ordered_json& state) {
                    progress.look(number_in(state, "free_pages"), 0);
                  }));
  if (output.json()) {
    output.object(report);
  } else {
    const std::uint64_t before = number_in(report, "before_bytes"), after = number_in(report, "after_bytes");
    output.line(
        fmt::format("compacted: {} bytes on disk, {} before; {} pages are free", after, before, number_in(report, "free_pages")));
  }
  return Exit::done;
}

}  // namespace

void add_compact(Program& program) {
  auto* command =
      program.app().add_subcommand("compact", "Give free pages back to the file system, also of a store that is in use");
  auto store = std::make_shared<StoreArguments>();
  store->add_store(*command);
  program.runs(*command, [store](Output& output) { return run(*store, output); });
}

}  // namespace plimsoll::cli
