#include "db/backup_job.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include "base/fail.hpp"
#include "db/backup.hpp"

namespace plimsoll::db {

namespace {
// Of this thread. One that is nicer already stays so.
void be_nice() {
  constexpr int nice = 5;
  const auto self = static_cast<id_t>(::gettid());
  if (::getpriority(PRIO_PROCESS, self) < nice) static_cast<void>(::setpriority(PRIO_PROCESS, self, nice));
}
}  // namespace

Result<std::uint64_t> BackupJob::start(std::string file) {
  const MutexLock changing(thread_mutex_);
  std::uint64_t number = 0;
  {
    const MutexLock lock(mutex_);
    if (state_.running) return fail(ErrorCode::busy, "a backup is being made already, into {}", state_.file);
    number = state_.number + 1;
    state_ = {.number = number, .running = true, .file = file};
  }
  if (thread_.joinable()) thread_.join();
  called_off_.store(false);
  thread_ = std::thread([this, name = std::move(file)] { run(name); });
  return number;
}

void BackupJob::run(const std::string& file) {
  be_nice();
  done(backup(store_, file, [this](const BackupProgress& progress) {
    note(progress);
    return !called_off_.load();
  }));
}

void BackupJob::note(const BackupProgress& progress) {
  const MutexLock lock(mutex_);
  state_.report.total = progress;
}

void BackupJob::done(const Result<BackupReport>& outcome) {
  const MutexLock lock(mutex_);
  state_.running = false;
  if (outcome) {
    state_.report = *outcome;
  } else {
    state_.error = outcome.error();
  }
}

BackupJob::State BackupJob::state() const {
  const MutexLock lock(mutex_);
  return state_;
}

void BackupJob::call_off() {
  const MutexLock changing(thread_mutex_);
  called_off_.store(true);
  if (thread_.joinable()) thread_.join();
}

}  // namespace plimsoll::db
