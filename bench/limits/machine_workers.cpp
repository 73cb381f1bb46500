// The probes' inner loops.
#include "bench/limits/machine_workers.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "base/check.hpp"
#include "base/fail.hpp"

namespace plimsoll::bench {
namespace {

constexpr std::size_t page_bytes = 4_KiB;

Result<void> fill_file(int fd, std::size_t bytes) {
  const AlignedBuffer buffer(1_MiB);
  Random random(7);
  for (std::size_t at = 0; at < bytes; at += 1_MiB) {
    for (std::size_t i = 0; i < 1_MiB; i += sizeof(std::uint64_t)) {
      const std::uint64_t word = random.next();
      std::memcpy(buffer.data() + i, &word, sizeof word);
    }
    if (::pwrite(fd, buffer.data(), 1_MiB, static_cast<off_t>(at)) != static_cast<ssize_t>(1_MiB))
      return fail_os(errno, "write the probe file");
  }
  if (::fsync(fd) != 0) return fail_os(errno, "sync the probe file");
  return {};
}

}  // namespace

Result<std::uint64_t> ArithmeticWorker::step() {
  std::uint64_t x = sum_;
  for (int i = 0; i < 256; ++i) x = (x ^ random_.next()) * 0x9E3779B97F4A7C15ull;
  sum_ = x;
  return 1;
}

AlignedBuffer::AlignedBuffer(std::size_t bytes) : data_(static_cast<char*>(std::aligned_alloc(page_bytes, bytes))) {
  PLIMSOLL_CHECK(data_ != nullptr && bytes % page_bytes == 0);
  std::memset(data_.get(), 0x5A, bytes);
}
void AlignedBuffer::Free::operator()(char* data) const { std::free(data); }

Result<std::unique_ptr<ProbeFile>> ProbeFile::create(const std::string& folder, std::size_t bytes) {
  PLIMSOLL_CHECK(bytes > 0 && bytes % 1_MiB == 0);
  std::string path = fmt::format("{}/probe-{}", folder, ::getpid());
  bool direct = true;
  int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_DIRECT, 0600);
  if (fd < 0) {
    direct = false;
    fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  }
  if (fd < 0) return fail_os(errno, "create {}", path);
  std::unique_ptr<ProbeFile> file(new ProbeFile(std::move(path), fd, bytes, direct));
  PLIMSOLL_TRY(fill_file(fd, bytes));
  return file;
}

ProbeFile::~ProbeFile() {
  ::close(fd_);
  ::unlink(path_.c_str());
}

SyncWorker::SyncWorker(const ProbeFile& file, std::size_t piece_bytes)
    : file_(file), piece_bytes_(piece_bytes), piece_(piece_bytes) {
  PLIMSOLL_CHECK(file.size() % piece_bytes == 0);
}

Result<std::uint64_t> SyncWorker::step() {
  if (::pwrite(file_.fd(), piece_.data(), piece_bytes_, static_cast<off_t>(offset_)) != static_cast<ssize_t>(piece_bytes_))
    return fail_os(errno, "overwrite the probe file");
  if (::fdatasync(file_.fd()) != 0) return fail_os(errno, "sync the probe file");
  offset_ = (offset_ + piece_bytes_) % file_.size();
  return 1;
}

RandomReadWorker::RandomReadWorker(const ProbeFile& file, std::size_t piece_bytes, std::uint64_t seed)
    : file_(file), piece_bytes_(piece_bytes), random_(seed), piece_(piece_bytes) {
  PLIMSOLL_CHECK(file.size() >= piece_bytes);
}

Result<std::uint64_t> RandomReadWorker::step() {
  const std::uint64_t piece = random_.below(file_.size() / piece_bytes_);
  if (::pread(file_.fd(), piece_.data(), piece_bytes_, static_cast<off_t>(piece * piece_bytes_)) !=
      static_cast<ssize_t>(piece_bytes_))
    return fail_os(errno, "read the probe file");
  sum_ += static_cast<unsigned char>(*piece_.data());
  return 1;
}

CopyWorker::CopyWorker() : from_(bytes), to_(bytes) {}

Result<std::uint64_t> CopyWorker::step() {
  std::memcpy(to_.data(), from_.data(), bytes);
  sum_ += static_cast<unsigned char>(to_.data()[sum_ % bytes]);
  return bytes / 1_MiB;
}

Result<std::uint64_t> FirstTouchWorker::step() {
  static constexpr std::size_t bytes = 4_MiB;
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return fail_os(errno, "map memory");
  ::madvise(memory, bytes, MADV_NOHUGEPAGE);
  for (std::size_t at = 0; at < bytes; at += page_bytes) static_cast<volatile char*>(memory)[at] = 1;
  ::munmap(memory, bytes);
  return bytes / page_bytes;
}

}  // namespace plimsoll::bench
