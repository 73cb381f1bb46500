#include "io/plain_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/check.hpp"
#include "base/fail.hpp"
#include "io/os_error.hpp"
#include "io/transfer.hpp"

namespace plimsoll::io {

namespace {

bool all_went_well(std::span<const Transfer> transfers) {
  return std::ranges::all_of(transfers, [](const Transfer& transfer) { return transfer.error == 0; });
}

int sync_data(int fd) {
  while (::fdatasync(fd) != 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

}  // namespace

PlainFile::PlainFile(Opened opened) : opened_(std::move(opened)) {
  PLIMSOLL_CHECK(opened_.fd >= 0);
  PLIMSOLL_DCHECK(opened_.aligned || !opened_.direct);
}

PlainFile::~PlainFile() { ::close(opened_.fd); }

void PlainFile::check_aligned([[maybe_unused]] std::uint64_t offset, [[maybe_unused]] const void* data,
                              [[maybe_unused]] std::size_t bytes) const {
  PLIMSOLL_DCHECK(data != nullptr || bytes == 0);
  PLIMSOLL_DCHECK(!opened_.aligned || offset % block_bytes == 0);
  PLIMSOLL_DCHECK(!opened_.aligned || bytes % block_bytes == 0);
  PLIMSOLL_DCHECK(!opened_.aligned || reinterpret_cast<std::uintptr_t>(data) % block_bytes == 0);
}

// Clean pages go, for dirty ones the write-out begins. Only where O_DIRECT was wanted and refused.
void PlainFile::drop_cache(std::uint64_t offset, std::uint64_t bytes) const {
  if (!opened_.aligned || opened_.direct) return;
  ::posix_fadvise(opened_.fd, static_cast<off_t>(offset), static_cast<off_t>(bytes), POSIX_FADV_DONTNEED);
}

Result<void> PlainFile::poison(int os_error, std::string_view action) {
  poisoned_.store(true, std::memory_order_release);
  return fail_path(os_error, action, opened_.path);
}

Result<void> PlainFile::read(std::uint64_t offset, std::span<char> into) {
  check_aligned(offset, into.data(), into.size());
  const int error = read_whole(opened_.fd, opened_.direct, offset, into);
  if (error != 0) return fail_path(error, "cannot read", opened_.path);
  drop_cache(offset, into.size());
  return {};
}

Result<void> PlainFile::write(std::uint64_t offset, std::span<const char> from) {
  check_aligned(offset, from.data(), from.size());
  if (poisoned()) return fail_poisoned(opened_.path);
  const int error = write_whole(opened_.fd, opened_.direct, offset, from, 0);
  if (error != 0) return fail_path(error, "cannot write", opened_.path);
  drop_cache(offset, from.size());
  return {};
}

bool PlainFile::read_batch(std::span<Transfer> transfers) {
  for (const Transfer& transfer : transfers) check_aligned(transfer.offset, transfer.data, transfer.bytes);
  run_reads(transfers);
  for (const Transfer& transfer : transfers) drop_cache(transfer.offset, transfer.bytes);
  return all_went_well(transfers);
}

bool PlainFile::write_batch(std::span<Transfer> transfers) {
  for (const Transfer& transfer : transfers) check_aligned(transfer.offset, transfer.data, transfer.bytes);
  if (poisoned()) {
    for (Transfer& transfer : transfers) transfer.error = EIO;
    return transfers.empty();
  }
  run_writes(transfers);
  for (const Transfer& transfer : transfers) drop_cache(transfer.offset, transfer.bytes);
  return all_went_well(transfers);
}

void PlainFile::run_reads(std::span<Transfer> transfers) {
  for (Transfer& transfer : transfers) {
    transfer.error = read_whole(opened_.fd, opened_.direct, transfer.offset, {transfer.data, transfer.bytes});
  }
}

void PlainFile::run_writes(std::span<Transfer> transfers) {
  for (Transfer& transfer : transfers) {
    transfer.error = write_whole(opened_.fd, opened_.direct, transfer.offset, {transfer.data, transfer.bytes}, 0);
  }
}

int PlainFile::sync_alone() { return sync_data(opened_.fd); }

Result<void> PlainFile::sync() {
  const MutexLock lock(sync_mutex_);
  if (poisoned()) return fail_poisoned(opened_.path);
  if (const int error = sync_alone(); error != 0) return poison(error, "cannot sync");
  drop_cache(0, 0);  // 0 bytes: to the end
  return {};
}

int PlainFile::write_and_sync(std::uint64_t offset, std::span<const char> from) {
  int error = write_whole(opened_.fd, opened_.direct, offset, from, RWF_DSYNC);
  if (error != EOPNOTSUPP) return error;
  error = write_whole(opened_.fd, opened_.direct, offset, from, 0);
  return error != 0 ? error : sync_data(opened_.fd);
}

Result<void> PlainFile::write_durable(std::uint64_t offset, std::span<const char> from) {
  check_aligned(offset, from.data(), from.size());
  if (poisoned()) return fail_poisoned(opened_.path);
  int error = 0;
  if (opened_.direct) {
    error = write_and_sync(offset, from);  // each direct write has its own answer of the device: they may overlap in time
  } else {
    const MutexLock lock(sync_mutex_);
    if (poisoned()) return fail_poisoned(opened_.path);
    error = write_and_sync_alone(offset, from);
  }
  // Whether the write or the sync in it failed cannot be told apart.
  if (error != 0) return poison(error, "cannot write durably");
  drop_cache(offset, from.size());
  return {};
}

Result<std::uint64_t> PlainFile::size() {
  struct stat facts;
  if (::fstat(opened_.fd, &facts) != 0) return fail_path(errno, "cannot ask for the size of", opened_.path);
  return static_cast<std::uint64_t>(facts.st_size);
}

Result<void> PlainFile::resize(std::uint64_t bytes) {
  if (poisoned()) return fail_poisoned(opened_.path);
  while (::ftruncate(opened_.fd, static_cast<off_t>(bytes)) != 0) {
    if (errno != EINTR) return fail_path(errno, "cannot resize", opened_.path);
  }
  return {};
}

Result<void> PlainFile::allocate(std::uint64_t offset, std::uint64_t bytes) {
  if (poisoned()) return fail_poisoned(opened_.path);
  if (bytes == 0) return {};
  // Not posix_fallocate: where the file system cannot, that one rewrites bytes one by one, in a race with other writers.
  int error = 0;
  do {
    error = ::fallocate(opened_.fd, 0, static_cast<off_t>(offset), static_cast<off_t>(bytes)) == 0 ? 0 : errno;
  } while (error == EINTR);
  if (error == EOPNOTSUPP) {
    // What lies inside the file is left alone; blocks beyond its end are made by writing them.
    std::uint64_t end = 0;
    PLIMSOLL_ASSIGN(end, size());
    const auto up = [](std::uint64_t n) { return (n + block_bytes - 1) / block_bytes * block_bytes; };
    error = write_zeroes(opened_.fd, opened_.direct, up(end), up(offset + bytes));
  }
  if (error != 0) return fail_path(error, "cannot allocate blocks of", opened_.path);
  return {};
}

Result<void> PlainFile::deallocate(std::uint64_t offset, std::uint64_t bytes) {
  check_aligned(offset, nullptr, 0);
  if (poisoned()) return fail_poisoned(opened_.path);
  while (::fallocate(opened_.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                     static_cast<off_t>(bytes)) != 0) {
    if (errno != EINTR) return fail_path(errno, "cannot give back blocks of", opened_.path);
  }
  return {};
}

Result<std::uint64_t> PlainFile::allocated() {
  constexpr std::uint64_t unit = 512;  // of st_blocks
  struct stat facts;
  if (::fstat(opened_.fd, &facts) != 0) return fail_path(errno, "cannot ask for the blocks of", opened_.path);
  return static_cast<std::uint64_t>(facts.st_blocks) * unit;
}

}  // namespace plimsoll::io
