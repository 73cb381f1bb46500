// Making the backup of an open store (backup.cpp), and a store of a backup (restore.cpp). Memory comes from the store's budget: a
// few blocks, and what one cursor and one stream take.
#pragma once

#include "db/store.hpp"
#include "plimsoll/backup.hpp"

namespace plimsoll::db {

// Walks all tables in one snapshot, on the caller's thread. The file is FILE.partial until all of it is on stable storage, and so
// is the log up to its position; after an error neither name is there.
Result<BackupReport> backup(Store& store, std::string_view file, const BackupWatcher& watch);

// Where backups lie: in the environment's files, else in those of the operating system, also for a store in memory.
io::FileSystem& backup_files(Environment* environment);

}  // namespace plimsoll::db
