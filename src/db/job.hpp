// Long work that a store does when it is asked through its control socket: one piece of a kind at a time, on a thread of its own
// with a low priority, so that those who work with the store hardly notice. What became of the last one can be asked until the
// next begins. Thread-safe.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "base/fail.hpp"
#include "base/latch.hpp"

namespace plimsoll::db {

// Runs one function at a time; used by Job alone.
class JobThread {
 public:
  JobThread() = default;
  ~JobThread() { call_off(); }
  JobThread(const JobThread&) = delete;
  JobThread& operator=(const JobThread&) = delete;

  // The one before has returned, or is about to. busy: the system gives no thread.
  Result<void> start(std::function<void()> work);
  bool called_off() const { return called_off_.load(); }
  void call_off();  // waits for its end

 private:
  Mutex mutex_{LatchRank::database};  // one change of the thread at a time
  std::thread thread_ PLIMSOLL_GUARDED_BY(mutex_);
  std::atomic<bool> called_off_{false};
};

template <class Report>
class Job {
 public:
  struct State {
    std::uint64_t number = 0;  // of those asked for since the store was opened; 0: none
    bool running = false;
    std::string subject{};         // what it was asked for, if it takes a name
    Report report{};               // while it runs, how far it is
    std::optional<Error> error{};  // it has failed
  };
  using Watch = std::function<bool(const Report&)>;  // called now and then; false: the work is called off
  using Work = std::function<Result<Report>(const Watch&)>;

  // Answers its number. busy: one runs.
  Result<std::uint64_t> start(const std::string& subject, Work work) {
    std::uint64_t number = 0;
    {
      const MutexLock lock(mutex_);
      if (state_.running)
        return fail(ErrorCode::busy, "one is under way already{}{}", state_.subject.empty() ? "" : ": ", state_.subject);
      number = state_.number + 1;
      state_ = {.number = number, .running = true, .subject = subject};
    }
    const auto watch = [this](const Report& report) { return note(report); };
    auto started = thread_.start([this, watch, does = std::move(work)] { done(does(watch)); });
    if (started) return number;
    done(std::unexpected(started.error()));
    return std::unexpected(started.error());
  }
  State state() const {
    const MutexLock lock(mutex_);
    return state_;
  }
  void call_off() { thread_.call_off(); }

 private:
  bool note(const Report& report) {
    const MutexLock lock(mutex_);
    state_.report = report;
    return !thread_.called_off();
  }
  void done(const Result<Report>& outcome) {
    const MutexLock lock(mutex_);
    state_.running = false;
    if (outcome) {
      state_.report = *outcome;
    } else {
      state_.error = outcome.error();
    }
  }

  mutable Mutex mutex_{LatchRank::events};
  State state_ PLIMSOLL_GUARDED_BY(mutex_);
  JobThread thread_;
};

}  // namespace plimsoll::db
