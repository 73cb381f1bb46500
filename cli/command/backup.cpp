// plimsoll backup: all tables of a store, as one snapshot shows them, in a file. If a process has the store open, that one makes
// it, in a thread of its own, and this one waits.
#include <fmt/core.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/fail.hpp"
#include "command/commands.hpp"
#include "command/show.hpp"
#include "program.hpp"
#include "render/progress.hpp"
#include "render/quantity.hpp"
#include "running.hpp"

namespace plimsoll::cli {
namespace {

using nlohmann::ordered_json;

struct Arguments {
  StoreArguments store;
  std::string file;
};

// The process that makes it may stand in another folder. What is no text cannot be sent.
Outcome<ordered_json> request_for(const std::string& file) {
  if (file.empty()) return wrong_usage("FILE is empty");
  ordered_json request = request_named("backup");
  request["file"] = std::filesystem::absolute(file).lexically_normal().string();
  const std::string sent = request.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  if (ordered_json::parse(sent) != request) return wrong_usage("the name of the file is no UTF-8", "give it another name");
  return request;
}

Outcome<ordered_json> make_here(const Arguments& arguments) {
  PLIMSOLL_ASSIGN(auto db, arguments.store.open());
  Progress progress("backing up", 0);
  auto made = context(db.backup(arguments.file, watcher_of(progress)), fmt::format("cannot back up '{}'", arguments.store.path));
  if (!made) return std::unexpected(made.error());
  PLIMSOLL_TRY(close_store(db));
  return as_json(*made);
}

Outcome<ordered_json> make(const Arguments& arguments) {
  PLIMSOLL_ASSIGN(const ordered_json request, request_for(arguments.file));
  const auto ask = [&](const ordered_json& what) { return ask_running_store(arguments.store, what); };
  const auto started = ask(request);
  if (started) {
    Progress progress("backing up", 0);
    return await_work(ask, "backup", *started, arguments.store.path, [&](const ordered_json& state) {
      progress.look(number_in(state, "file_bytes"), number_in(state, "records"));
    });
  }
  if (started.error().exit != Exit::not_found) return std::unexpected(started.error());
  return make_here(arguments);
}

Outcome<Exit> run(const Arguments& arguments, Output& output) {
  PLIMSOLL_ASSIGN(ordered_json made, make(arguments));
  made.erase("file");
  show_backup("backed up", made, output);
  return Exit::done;
}

}  // namespace

ordered_json as_json(const BackupReport& report) {
  return {{"position", report.position.value},    {"follow_from", report.follow_from.value},
          {"timestamp", report.timestamp.value},  {"tables", report.total.tables},
          {"records", report.total.records},      {"record_bytes", report.total.record_bytes},
          {"file_bytes", report.total.file_bytes}};
}

void show_backup(std::string_view what, const ordered_json& report, Output& output) {
  if (output.json()) return output.object(report);
  output.line(fmt::format("{}: {} records of {} tables, up to position {}", what, number_in(report, "records"),
                          number_in(report, "tables"), number_in(report, "position")));
}

BackupWatcher watcher_of(Progress& progress) {
  return [&progress](const BackupProgress& done) {
    progress.look(done.file_bytes, done.records);
    return true;
  };
}

void add_backup(Program& program) {
  auto* command = program.app().add_subcommand("backup", "Back up all tables into a new file, also of a store that is in use");
  auto arguments = std::make_shared<Arguments>();
  arguments->store.add_store(*command);
  command->add_option("FILE", arguments->file, "The backup, which must not exist")->required();
  program.runs(*command, [arguments](Output& output) { return run(*arguments, output); });
}

}  // namespace plimsoll::cli
