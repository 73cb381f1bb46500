// The folder that a run's stores live in, and its end: a fresh folder is removed however the process ends, a kill included. A
// child process of its own waits for that end and removes what the process could not.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "plimsoll/error.hpp"

namespace plimsoll::bench {

class WorkFolder {
 public:
  // `given`, or a fresh one below $TMPDIR (else the current directory). Removed at the end if it was not there before, unless
  // `keep` is given, which needs a folder. Call it before any thread is started: it forks.
  static Result<std::unique_ptr<WorkFolder>> make(const std::string& given, bool keep);
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;
  ~WorkFolder();
  const std::string& path() const { return path_; }

 private:
  explicit WorkFolder(std::string path) : path_(std::move(path)) {}
  Result<void> start_remover();

  std::string path_;
  pid_t remover_ = 0;  // 0: the folder stays
  int alive_ = -1;     // the remover reads its end of file when this process and all that it forked are gone
};

}  // namespace plimsoll::bench
