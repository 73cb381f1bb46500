// Reads /proc/self/status, getrusage, stat, mincore. Figures for reports only: where the kernel refuses, the answer is 0.
#include "bench/report/process.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <vector>

#include "base/check.hpp"

namespace plimsoll::bench {
namespace {

namespace fs = std::filesystem;

std::uint64_t status_field_bytes(const std::string& field) {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line))
    if (line.starts_with(field)) return std::stoull(line.substr(field.size())) * 1024;
  return 0;
}

template <class Visit>
void for_each_file(const std::string& folder, Visit visit) {
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    std::error_code ignored;  // a file that vanishes meanwhile counts as none
    if (at->is_regular_file(ignored)) visit(at->path().string());
  }
}

// An open file for the length of a scope.
class OpenFile {
 public:
  OpenFile(const std::string& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC)) {
    struct stat facts{};
    if (fd_ >= 0 && ::fstat(fd_, &facts) == 0) size_ = static_cast<std::size_t>(facts.st_size);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  int fd() const { return fd_; }
  std::size_t size() const { return size_; }

 private:
  int fd_;
  std::size_t size_ = 0;
};

std::uint64_t cached_bytes_of(const std::string& path) {
  const OpenFile file(path, O_RDONLY);
  if (file.fd() < 0 || file.size() == 0) return 0;
  void* map = ::mmap(nullptr, file.size(), PROT_READ, MAP_SHARED, file.fd(), 0);
  if (map == MAP_FAILED) return 0;
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  PLIMSOLL_CHECK(page > 0);
  std::vector<unsigned char> present((file.size() + page - 1) / page);
  std::uint64_t pages = 0;
  if (::mincore(map, file.size(), present.data()) == 0)
    pages = static_cast<std::uint64_t>(
        std::count_if(present.begin(), present.end(), [](unsigned char bits) { return (bits & 1) != 0; }));
  ::munmap(map, file.size());
  return pages * page;
}

}  // namespace

std::uint64_t resident_peak_bytes() { return status_field_bytes("VmHWM:"); }
void reset_resident_peak() { std::ofstream("/proc/self/clear_refs") << "5\n"; }

std::uint64_t resident_bytes() { return status_field_bytes("VmRSS:"); }

double processor_seconds() {
  struct rusage usage{};
  PLIMSOLL_CHECK(::getrusage(RUSAGE_SELF, &usage) == 0);
  const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::uint64_t now_ns() {
  timespec now{};
  PLIMSOLL_CHECK(::clock_gettime(CLOCK_MONOTONIC, &now) == 0);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

std::uint64_t disk_bytes(const std::string& folder, std::string_view name_contains) {
  std::uint64_t bytes = 0;
  for_each_file(folder, [&](const std::string& path) {
    if (fs::path(path).filename().string().find(name_contains) == std::string::npos) return;
    struct stat facts{};
    if (::stat(path.c_str(), &facts) == 0) bytes += static_cast<std::uint64_t>(facts.st_blocks) * 512;
  });
  return bytes;
}

std::uint64_t page_cache_bytes(const std::string& folder) {
  std::uint64_t bytes = 0;
  for_each_file(folder, [&](const std::string& path) { bytes += cached_bytes_of(path); });
  return bytes;
}

void drop_page_cache(const std::string& folder) {
  for_each_file(folder, [](const std::string& path) {
    const OpenFile file(path, O_RDWR);
    if (file.fd() < 0) return;
    if (::fdatasync(file.fd()) != 0) return;
    ::posix_fadvise(file.fd(), 0, 0, POSIX_FADV_DONTNEED);
  });
}

void remove_folder(const std::string& folder) {
  PLIMSOLL_CHECK(folder.size() > 1);  // never the root
  std::error_code ignored;
  fs::remove_all(folder, ignored);
}

}  // namespace plimsoll::bench
