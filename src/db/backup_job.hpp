// The backup that a store makes when it is asked through its control socket: one at a time, on a thread of its own with a low
// priority, so that those who work with the store hardly notice. What became of the last one can be asked until the next begins.
// Thread-safe.
#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <thread>

#include "base/latch.hpp"
#include "plimsoll/backup.hpp"

namespace plimsoll::db {

class Store;

class BackupJob {
 public:
  struct State {
    std::uint64_t number = 0;  // of backups asked for since the store was opened; 0: none
    bool running = false;
    std::string file{};
    BackupReport report{};         // while it runs, only how far it is
    std::optional<Error> error{};  // it has failed
  };

  explicit BackupJob(Store& store) : store_(store) {}
  ~BackupJob() { call_off(); }
  BackupJob(const BackupJob&) = delete;
  BackupJob& operator=(const BackupJob&) = delete;

  // Answers its number. busy: one runs.
  Result<std::uint64_t> start(std::string file);
  State state() const;
  void call_off();  // if one runs; waits for its end

 private:
  void run(const std::string& file);
  void note(const BackupProgress& progress);
  void done(const Result<BackupReport>& outcome);

  Store& store_;
  mutable Mutex mutex_{LatchRank::events};
  State state_ PLIMSOLL_GUARDED_BY(mutex_);
  Mutex thread_mutex_{LatchRank::database};  // one change of the thread at a time
  std::thread thread_ PLIMSOLL_GUARDED_BY(thread_mutex_);
  std::atomic<bool> called_off_{false};
};

}  // namespace plimsoll::db
