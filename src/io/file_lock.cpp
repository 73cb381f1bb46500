#include "io/file_lock.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <string>

#include "base/check.hpp"
#include "base/fail.hpp"
#include "io/os_error.hpp"
#include "io/transfer.hpp"

namespace plimsoll::io {

namespace {

// A fixed width, so that the pid is replaced in place: a full disk does not keep a store from being opened.
constexpr std::size_t pid_bytes = 24;

// How often a lock whose pid is not there yet is looked at again, a millisecond apart: its holder is just about to write it.
constexpr int pid_looks = 100;

int write_pid(int fd, std::uint64_t pid) {
  std::array<char, pid_bytes> line;
  line.fill(' ');
  const auto end = std::to_chars(line.data(), line.data() + line.size() - 1, pid);
  PLIMSOLL_CHECK(end.ec == std::errc());
  line.back() = '\n';
  return write_whole(fd, false, 0, line, 0);
}

// 0: none was written, or the last holder has cleared it.
std::uint64_t read_pid(int fd) {
  std::array<char, pid_bytes> line;
  if (read_whole(fd, false, 0, line) != 0) return 0;
  std::uint64_t pid = 0;
  const auto end = std::from_chars(line.data(), line.data() + line.size(), pid);
  return end.ec == std::errc() ? pid : 0;
}

struct flock whole_file(short type) {
  struct flock range{};
  range.l_type = type;
  range.l_whence = SEEK_SET;
  return range;
}

class FileLock final : public FileSystem::Lock {
 public:
  FileLock(int fd, pid_t owner) : fd_(fd), owner_(owner) {}
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock() override {
    if (::getpid() == owner_) {
      // A pid that stays behind is harmless: the lock itself says that nobody holds it.
      static_cast<void>(write_pid(fd_, 0));
      auto range = whole_file(F_UNLCK);
      ::fcntl(fd_, F_OFD_SETLK, &range);
    }
    ::close(fd_);
  }

 private:
  const int fd_;
  const pid_t owner_;
};

// Takes the lock on an open lock file: 0 or an errno, EAGAIN if somebody else has it, ESTALE if the file was removed meanwhile.
int try_lock(int fd) {
  auto range = whole_file(F_WRLCK);
  if (::fcntl(fd, F_OFD_SETLK, &range) != 0) return errno == EACCES ? EAGAIN : errno;
  struct stat facts;
  if (::fstat(fd, &facts) != 0) return errno;
  if (facts.st_nlink == 0) return ESTALE;
  return write_pid(fd, static_cast<std::uint64_t>(::getpid()));
}

}  // namespace

Result<std::unique_ptr<FileSystem::Lock>> take_file_lock(std::string_view path) {
  const std::string name(path);
  for (;;) {
    const int fd = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) return fail_path(errno, "cannot open the lock file", path);
    const int error = try_lock(fd);
    if (error == 0) return std::make_unique<FileLock>(fd, ::getpid());
    const std::uint64_t holder = error == EAGAIN ? read_pid(fd) : 0;
    ::close(fd);
    if (error == EAGAIN) return fail(ErrorCode::busy, "locked by process {}: {}", holder, path);
    if (error != ESTALE) return fail_path(error, "cannot lock", path);
  }
}

Result<std::uint64_t> file_lock_holder(std::string_view path) {
  const int fd = ::open(std::string(path).c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    if (errno == ENOENT || errno == ENOTDIR) return 0;
    return fail_path(errno, "cannot open the lock file", path);
  }
  int error = 0;
  std::uint64_t pid = 0;
  for (int look = 0; look < pid_looks && pid == 0; ++look) {
    if (look > 0) ::usleep(1000);
    auto range = whole_file(F_WRLCK);
    if (::fcntl(fd, F_OFD_GETLK, &range) != 0) {
      error = errno;
      break;
    }
    if (range.l_type == F_UNLCK) {
      ::close(fd);
      return 0;
    }
    pid = read_pid(fd);
  }
  ::close(fd);
  if (error != 0) return fail_path(error, "cannot ask who holds the lock", path);
  if (pid == 0) return fail(ErrorCode::io_error, "locked, but by whom is not written in {}", path);
  return pid;
}

}  // namespace plimsoll::io
