// What several commands show, or one command and the shell.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "failure.hpp"
#include "output.hpp"
#include "plimsoll/plimsoll.hpp"

namespace plimsoll::cli {

class Progress;

Outcome<void> show_tables(Database& db, Output& output);                        // tables.cpp
void show_loaded(std::uint64_t records, Output& output);                        // load.cpp
Outcome<void> show_statistics(Database& db, bool memory_only, Output& output);  // stat.cpp

// backup.cpp: a report, with `what` was done; and the bar while it is done.
nlohmann::ordered_json as_json(const BackupReport& report);
void show_backup(std::string_view what, const nlohmann::ordered_json& report, Output& output);
BackupWatcher watcher_of(Progress& progress);

}  // namespace plimsoll::cli
