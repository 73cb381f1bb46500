// One side of a comparison: a child process that prepares a workload on one engine, then runs slices when it is told to. Each side
// has its own process, so that resident memory and processor time are the engine's own and one engine's threads end with it.
// Create all sides before any thread is started: it forks.
#pragma once

#include <sys/types.h>

#include <cstdio>
#include <memory>
#include <string>

#include "bench/peers/engines.hpp"
#include "bench/workloads/workload.hpp"

namespace plimsoll::bench {

class SideProcess {
 public:
  static Result<std::unique_ptr<SideProcess>> start(const EngineFacts& engine, const Settings& settings);
  SideProcess(const SideProcess&) = delete;
  SideProcess& operator=(const SideProcess&) = delete;
  ~SideProcess();  // ends the child, if nobody has

  Result<Json> wait_prepared();
  Result<Json> warm(double seconds);   // a slice that no figure counts
  Result<Json> slice(double seconds);  // members of the bench contract for this slice
  Result<Json> finish();               // verifies; members of the bench contract that belong to the whole run
  Result<void> end();  // the child closes its store and ends, the last thing asked of it; error: it did not come to that

 private:
  SideProcess(pid_t child, std::FILE* commands, std::FILE* answers) : child_(child), commands_(commands), answers_(answers) {}
  Result<Json> ask(const std::string& command);
  Result<Json> answer();

  pid_t child_;
  std::FILE* commands_;
  std::FILE* answers_;
};

}  // namespace plimsoll::bench
