// Backups: one file that holds every table as a snapshot shows it, made while transactions go on; and a new store from such a file.
// docs/backup-format.md describes the file, docs/operations.md when to use what.
//
//   auto made = db.backup("/backups/monday.plimbak");
//   if (made) std::printf("everything up to position %llu\n", static_cast<unsigned long long>(made->position.value));
//   auto sound = plimsoll::check_backup("/backups/monday.plimbak");
//   auto restored = plimsoll::restore_backup("/backups/monday.plimbak", "shop.plim");
//
// All functions may be called by any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "plimsoll/error.hpp"
#include "plimsoll/options.hpp"
#include "plimsoll/types.hpp"

namespace plimsoll {

// How far it is, or what it came to.
struct BackupProgress {
  std::uint64_t tables = 0;
  std::uint64_t records = 0;
  std::uint64_t record_bytes = 0;  // keys and values
  std::uint64_t file_bytes = 0;    // of the backup, written or read
};

struct BackupReport {
  Lsn position{};          // the backup holds exactly what the commits did whose records end at or below this position of the log
  Lsn follow_from{};       // where to read the log to go on from the backup (Transaction::follow_from)
  Timestamp timestamp{};   // of its snapshot
  std::uint64_t salt = 0;  // of the store that it was made of
  std::uint32_t page_size = 0;
  BackupProgress total{};
};

// Called now and then, by the thread that called; false calls the work off, which then answers transaction_aborted. Must not end
// the store.
using BackupWatcher = std::function<bool(const BackupProgress&)>;

// Reads the whole file and looks at every checksum. `environment`: a test's files. Errors: not_found, invalid_argument (no backup),
// version_mismatch (of another version of the format), corruption (which names the block), io_error.
Result<BackupReport> check_backup(std::string_view file, const BackupWatcher& watch = {}, Environment* environment = nullptr);

// Makes the store `path`, which must not exist, of the backup, and verifies it. It has the page size of the store that the backup
// was made of; of the options, those about memory and the log count. It is built as `path`.partial and gets its name when it is
// complete and on stable storage; after an error neither is there. Errors: those of check_backup and of Database::open, and
// already_exists.
Result<BackupReport> restore_backup(std::string_view file, std::string_view path, const Options& options = {},
                                    const BackupWatcher& watch = {});

}  // namespace plimsoll
