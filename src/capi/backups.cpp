// Backups: made of an open store, checked, restored into a new one.
#include "plimsoll/backup.hpp"

#include "capi/call.hpp"
#include "capi/handles.hpp"
#include "capi/options.hpp"
#include "capi/sized.hpp"

namespace plimsoll::capi {
namespace {

plimsoll_backup_report from_report(const BackupReport& report) {
  return {sizeof(plimsoll_backup_report),
          report.position.value,
          report.timestamp.value,
          report.salt,
          report.page_size,
          report.total.tables,
          report.total.records,
          report.total.record_bytes,
          report.total.file_bytes,
          report.follow_from.value};
}

BackupWatcher to_watcher(plimsoll_backup_watch watch, void* context) {
  if (watch == nullptr) return {};
  return [watch, context](const BackupProgress& progress) {
    const plimsoll_backup_report handed = from_report({.total = progress});
    return watch(context, &handed) == 0;
  };
}

// Does the work, and hands out its report.
template <class Work>
Result<void> reported(plimsoll_backup_report* report, Work work) {
  if (report != nullptr) PLIMSOLL_TRY(check_size(report, "report"));
  PLIMSOLL_ASSIGN(const BackupReport done, work());
  if (report != nullptr) write_sized(report, from_report(done));
  return {};
}

}  // namespace

extern "C" {

plimsoll_status plimsoll_backup(plimsoll_db* db, const char* file, plimsoll_backup_report* report, plimsoll_backup_watch watch,
                                void* context, plimsoll_error* error) {
  return guarded(error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(db, "db"));
    PLIMSOLL_TRY(check_pointer(file, "file"));
    return reported(report, [&] { return db->database->backup(file, to_watcher(watch, context)); });
  });
}

plimsoll_status plimsoll_check_backup(const char* file, plimsoll_backup_report* report, plimsoll_backup_watch watch, void* context,
                                      plimsoll_error* error) {
  return guarded(error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(file, "file"));
    return reported(report, [&] { return check_backup(file, to_watcher(watch, context)); });
  });
}

plimsoll_status plimsoll_restore_backup(const char* file, const char* path, const plimsoll_options* options,
                                        plimsoll_backup_report* report, plimsoll_backup_watch watch, void* context,
                                        plimsoll_error* error) {
  return guarded(error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(file, "file"));
    PLIMSOLL_TRY(check_pointer(path, "path"));
    PLIMSOLL_ASSIGN(const Options how, to_options(options));
    return reported(report, [&] { return restore_backup(file, path, how, to_watcher(watch, context)); });
  });
}

}  // extern "C"
}  // namespace plimsoll::capi
