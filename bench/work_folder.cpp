#include "bench/work_folder.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "base/fail.hpp"
#include "bench/report/process.hpp"

namespace plimsoll::bench {

Result<std::unique_ptr<WorkFolder>> WorkFolder::make(const std::string& given, bool keep) {
  if (given.empty() && keep) return fail(ErrorCode::invalid_argument, "--keep needs --path");
  bool stays = keep;
  std::string path = given;
  if (given.empty()) {
    const char* base = std::getenv("TMPDIR");
    path = fmt::format("{}/plimsoll-bench-XXXXXX", base != nullptr && *base != '\0' ? base : ".");
    if (::mkdtemp(path.data()) == nullptr) return fail_os(errno, "create folder {}", path);
  } else {
    std::error_code error;
    stays = keep || std::filesystem::exists(given);
    std::filesystem::create_directories(given, error);
    if (error) return fail_os(error.value(), "create folder {}", given);
  }
  std::unique_ptr<WorkFolder> folder(new WorkFolder(std::move(path)));
  if (!stays) PLIMSOLL_TRY(folder->start_remover());
  return folder;
}

Result<void> WorkFolder::start_remover() {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_os(errno, "make a pipe");
  remover_ = ::fork();
  if (remover_ < 0) return fail_os(errno, "fork");
  if (remover_ == 0) {
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) ::signal(signal, SIG_IGN);   // they are for those that it waits for
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, ends[1]}) ::close(fd);  // so that nobody waits for it
    char nothing = 0;
    while (::read(ends[0], &nothing, 1) < 0 && errno == EINTR) continue;
    remove_folder(path_);
    ::_exit(0);  // nothing of the parent's may run twice
  }
  ::close(ends[0]);
  alive_ = ends[1];
  return {};
}

WorkFolder::~WorkFolder() {
  if (remover_ <= 0) return;
  ::close(alive_);
  ::waitpid(remover_, nullptr, 0);
}

}  // namespace plimsoll::bench
