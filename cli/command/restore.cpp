// plimsoll restore: a new store of a backup; or, with --check, a look at every block of it.
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "arguments.hpp"
#include "base/fail.hpp"
#include "command/commands.hpp"
#include "command/show.hpp"
#include "program.hpp"
#include "render/progress.hpp"

namespace plimsoll::cli {
namespace {

struct Arguments {
  ConfigurationArguments configuration;
  std::string file;
  std::string store;
  bool check = false;
};

Failure explained(Failure failure) {
  if (failure.exit == Exit::corruption)
    failure.hint = "restore another backup; `plimsoll restore --check FILE` tells which are sound";
  if (failure.code == "version_mismatch") failure.hint = "restore it with the version that made it, and dump the store";
  return failure;
}

Outcome<Exit> run(const Arguments& arguments, Output& output) {
  if (arguments.check && !arguments.store.empty()) return wrong_usage("--check makes no store", "leave out STORE, or --check");
  if (!arguments.check && arguments.store.empty()) return wrong_usage("STORE is missing", "--check looks at a backup without one");
  PLIMSOLL_TRY(arguments.configuration.loaded());
  Options options = arguments.configuration.values().options();
  options.background_threads = true;  // no command drives the store itself
  Progress progress(arguments.check ? "checking" : "restoring", 0);
  auto done = arguments.check
                  ? context(check_backup(arguments.file, watcher_of(progress)), fmt::format("cannot use '{}'", arguments.file))
                  : context(restore_backup(arguments.file, arguments.store, options, watcher_of(progress)),
                            fmt::format("cannot restore '{}'", arguments.store));
  if (!done) return std::unexpected(explained(std::move(done.error())));
  show_backup(arguments.check ? "sound" : "restored", as_json(*done), output);
  return Exit::done;
}

}  // namespace

void add_restore(Program& program) {
  auto* command = program.app().add_subcommand("restore", "Make a new store of a backup, or check a backup");
  auto arguments = std::make_shared<Arguments>();
  command->add_option("FILE", arguments->file, "The backup")->required();
  command->add_option("STORE", arguments->store, "Folder of the new store, which must not exist");
  command->add_flag("--check", arguments->check, "Only read the backup and look at every block; exit status 4 if it is damaged");
  arguments->configuration.add_file(*command);
  arguments->configuration.add_flags(*command, OptionUse::opening);
  program.runs(*command, [arguments](Output& output) { return run(*arguments, output); });
}

}  // namespace plimsoll::cli
