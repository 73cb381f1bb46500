#include "io/plain_file_system.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <string>

#include "base/check.hpp"
#include "base/fail.hpp"
#include "io/file_lock.hpp"
#include "io/os_error.hpp"

namespace plimsoll::io {

namespace {

int open_flags(OpenMode mode) {
  switch (mode) {
    case OpenMode::read_only: return O_RDONLY | O_CLOEXEC;
    case OpenMode::read_write: return O_RDWR | O_CLOEXEC;
    case OpenMode::create: return O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC;
  }
  PLIMSOLL_CHECK(false);
}

// Asked for after the open: an open with O_CREAT and O_DIRECT that is refused may have created the file all the same.
bool make_direct(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  return flags >= 0 && ::fcntl(fd, F_SETFL, flags | O_DIRECT) == 0;
}

// The empty path is the working directory, as it is for names without a slash.
std::string directory_name(std::string_view directory) { return directory.empty() ? "." : std::string(directory); }

}  // namespace

std::unique_ptr<File> PlainFileSystem::make_file(PlainFile::Opened opened) {
  return std::make_unique<PlainFile>(std::move(opened));
}

Result<std::unique_ptr<File>> PlainFileSystem::open(std::string_view path, OpenMode mode, bool direct) {
  PlainFile::Opened opened{.path = std::string(path), .aligned = direct};
  do { opened.fd = ::open(opened.path.c_str(), open_flags(mode), 0644); } while (opened.fd < 0 && errno == EINTR);
  if (opened.fd < 0) return fail_path(errno, "cannot open", path);
  opened.direct = direct && make_direct(opened.fd);
  return make_file(std::move(opened));
}

// A file system that cannot do it in one step is asked first.
Result<void> PlainFileSystem::rename(std::string_view from, std::string_view to) {
  const std::string old_name(from), new_name(to);
  if (::renameat2(AT_FDCWD, old_name.c_str(), AT_FDCWD, new_name.c_str(), RENAME_NOREPLACE) == 0) return {};
  if (errno == EINVAL || errno == ENOSYS) {
    PLIMSOLL_ASSIGN(const bool there, exists(to));
    errno = EEXIST;
    if (!there && std::rename(old_name.c_str(), new_name.c_str()) == 0) return {};
  }
  return fail_path(errno, "cannot rename", errno == EEXIST ? to : from);
}

Result<void> PlainFileSystem::remove(std::string_view path) {
  if (std::remove(std::string(path).c_str()) != 0) return fail_path(errno, "cannot remove", path);
  return {};
}

Result<void> PlainFileSystem::make_directory(std::string_view path) {
  const std::string name(path);
  if (::mkdir(name.c_str(), 0755) == 0) return {};
  const int error = errno;
  struct stat facts;
  if (error == EEXIST && ::stat(name.c_str(), &facts) == 0 && S_ISDIR(facts.st_mode)) return {};
  return fail_path(error, "cannot make the directory", path);
}

Result<bool> PlainFileSystem::exists(std::string_view path) {
  struct stat facts;
  if (::stat(directory_name(path).c_str(), &facts) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  return fail_path(errno, "cannot look for", path);
}

Result<std::vector<std::string>> PlainFileSystem::list(std::string_view directory) {
  DIR* stream = ::opendir(directory_name(directory).c_str());
  if (stream == nullptr) return fail_path(errno, "cannot list", directory);
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(stream)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
    errno = 0;  // readdir tells its end from an error by errno alone
  }
  const int error = errno;
  ::closedir(stream);
  if (error != 0) return fail_path(error, "cannot list", directory);
  std::ranges::sort(names);
  return names;
}

Result<void> PlainFileSystem::sync_directory(std::string_view directory) {
  const int fd = ::open(directory_name(directory).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return fail_path(errno, "cannot open the directory", directory);
  int error = 0;
  do { error = ::fsync(fd) == 0 ? 0 : errno; } while (error == EINTR);
  ::close(fd);
  if (error != 0) return fail_path(error, "cannot sync the directory", directory);
  return {};
}

Result<std::unique_ptr<FileSystem::Lock>> PlainFileSystem::lock(std::string_view path) { return take_file_lock(path); }

Result<std::uint64_t> PlainFileSystem::lock_holder(std::string_view path) { return file_lock_holder(path); }

std::unique_ptr<FileSystem> make_plain_file_system() { return std::make_unique<PlainFileSystem>(); }

}  // namespace plimsoll::io
