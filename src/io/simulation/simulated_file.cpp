// The files of the simulated file system. Each call is admitted by the fault plan, then takes effect on the inode.
#include <algorithm>
#include <cerrno>

#include "base/check.hpp"
#include "io/os_error.hpp"
#include "io/simulation/disk.hpp"

namespace plimsoll::io::simulation {

namespace {

class SimulatedFile final : public File {
 public:
  SimulatedFile(std::shared_ptr<Disk> disk, std::shared_ptr<Inode> inode, std::string path, bool writable, bool aligned,
                std::uint64_t generation)
      : disk_(std::move(disk)),
        inode_(std::move(inode)),
        path_(std::move(path)),
        writable_(writable),
        aligned_(aligned),
        generation_(generation) {
    PLIMSOLL_CHECK(disk_ != nullptr && inode_ != nullptr);
  }

  Result<void> read(std::uint64_t offset, std::span<char> into) override {
    const MutexLock lock(disk_->mutex);
    return answer(read_one(offset, into), "cannot read");
  }
  Result<void> write(std::uint64_t offset, std::span<const char> from) override {
    const MutexLock lock(disk_->mutex);
    if (poisoned_) return fail_poisoned(path_);
    return answer(write_one(offset, from), "cannot write");
  }
  bool read_batch(std::span<Transfer> transfers) override {
    const MutexLock lock(disk_->mutex);
    bool good = true;
    for (Transfer& transfer : transfers) {
      transfer.error = read_one(transfer.offset, {transfer.data, transfer.bytes});
      good = good && transfer.error == 0;
    }
    return good;
  }
  bool write_batch(std::span<Transfer> transfers) override {
    const MutexLock lock(disk_->mutex);
    bool good = true;
    for (Transfer& transfer : transfers) {
      transfer.error = poisoned_ ? EIO : write_one(transfer.offset, {transfer.data, transfer.bytes});
      good = good && transfer.error == 0;
    }
    return good;
  }

  Result<void> sync() override;
  Result<void> write_durable(std::uint64_t offset, std::span<const char> from) override;
  Result<std::uint64_t> size() override;
  Result<void> resize(std::uint64_t bytes) override;
  Result<void> allocate(std::uint64_t offset, std::uint64_t bytes) override;
  Result<void> deallocate(std::uint64_t offset, std::uint64_t bytes) override;
  Result<std::uint64_t> allocated() override;

 private:
  Verdict admit(Operation operation, std::uint64_t offset, std::uint64_t bytes) PLIMSOLL_REQUIRES(disk_->mutex) {
    if (generation_ != disk_->generation) return {.os_error = EIO};
    return disk_->faults.admit(operation, path_, offset, bytes);
  }
  Result<void> answer(int error, std::string_view action) const {
    if (error != 0) return fail_path(error, action, path_);
    return {};
  }
  int read_one(std::uint64_t offset, std::span<char> into) PLIMSOLL_REQUIRES(disk_->mutex);
  int refusal(std::uint64_t offset, std::uint64_t bytes) const;
  int write_one(std::uint64_t offset, std::span<const char> from) PLIMSOLL_REQUIRES(disk_->mutex);
  void check_aligned(std::uint64_t offset, const void* data, std::size_t bytes) const;

  const std::shared_ptr<Disk> disk_;
  const std::shared_ptr<Inode> inode_;  // used under the disk's mutex
  const std::string path_;
  const bool writable_;
  [[maybe_unused]] const bool aligned_;  // of debug builds
  const std::uint64_t generation_;
  bool poisoned_ PLIMSOLL_GUARDED_BY(disk_->mutex) = false;
};

void SimulatedFile::check_aligned([[maybe_unused]] std::uint64_t offset, [[maybe_unused]] const void* data,
                                  [[maybe_unused]] std::size_t bytes) const {
  PLIMSOLL_DCHECK(data != nullptr || bytes == 0);
  PLIMSOLL_DCHECK(!aligned_ || offset % block_bytes == 0);
  PLIMSOLL_DCHECK(!aligned_ || bytes % block_bytes == 0);
  PLIMSOLL_DCHECK(!aligned_ || reinterpret_cast<std::uintptr_t>(data) % block_bytes == 0);
}

int SimulatedFile::read_one(std::uint64_t offset, std::span<char> into) {
  check_aligned(offset, into.data(), into.size());
  const Verdict verdict = admit(Operation::read, offset, into.size());
  if (!verdict.good()) return verdict.os_error;
  inode_->current().read(offset, into);
  return 0;
}

// What makes a write impossible before anything is written: an errno, or 0.
int SimulatedFile::refusal(std::uint64_t offset, std::uint64_t bytes) const {
  if (!writable_) return EBADF;
  return offset > Content::bytes_max || bytes > Content::bytes_max - offset ? EFBIG : 0;
}

int SimulatedFile::write_one(std::uint64_t offset, std::span<const char> from) {
  check_aligned(offset, from.data(), from.size());
  const Verdict verdict = admit(Operation::write, offset, from.size());
  if (const int error = refusal(offset, from.size()); error != 0) return error;
  const std::size_t allowed = verdict.takes_effect() ? from.size() : std::min(verdict.lands_bytes, from.size());
  const std::uint64_t fit = disk_->bytes_that_fit(*inode_, offset, allowed);
  inode_->write(offset, from.first(fit));
  if (!verdict.good()) return verdict.os_error;
  return fit == from.size() ? 0 : ENOSPC;
}

Result<void> SimulatedFile::sync() {
  const MutexLock lock(disk_->mutex);
  if (poisoned_) return fail_poisoned(path_);
  const Verdict verdict = admit(Operation::sync, 0, 0);
  if (verdict.good()) {
    inode_->sync();
    return {};
  }
  poisoned_ = true;
  inode_->sync_failed();
  return fail_path(verdict.os_error, "cannot sync", path_);
}

// A write, then a sync of these bytes alone.
Result<void> SimulatedFile::write_durable(std::uint64_t offset, std::span<const char> from) {
  const MutexLock lock(disk_->mutex);
  if (poisoned_) return fail_poisoned(path_);
  int error = write_one(offset, from);
  if (error == 0) error = admit(Operation::sync, offset, from.size()).os_error;
  if (error == 0) {
    inode_->settle_last_write();
    return {};
  }
  poisoned_ = true;
  return fail_path(error, "cannot write durably", path_);
}

Result<std::uint64_t> SimulatedFile::size() {
  const MutexLock lock(disk_->mutex);
  const Verdict verdict = admit(Operation::look, 0, 0);
  if (!verdict.good()) return fail_path(verdict.os_error, "cannot ask for the size of", path_);
  return inode_->current().size();
}

Result<void> SimulatedFile::resize(std::uint64_t bytes) {
  const MutexLock lock(disk_->mutex);
  if (poisoned_) return fail_poisoned(path_);
  const Verdict verdict = admit(Operation::resize, bytes, 0);
  if (!writable_) return fail_path(EINVAL, "cannot resize", path_);
  if (bytes > Content::bytes_max) return fail_path(EFBIG, "cannot resize", path_);
  if (verdict.takes_effect()) inode_->resize(bytes);
  return answer(verdict.os_error, "cannot resize");
}

Result<void> SimulatedFile::allocate(std::uint64_t offset, std::uint64_t bytes) {
  const MutexLock lock(disk_->mutex);
  if (poisoned_) return fail_poisoned(path_);
  if (bytes == 0) return {};
  const Verdict verdict = admit(Operation::allocate, offset, bytes);
  int error = refusal(offset, bytes);
  if (error == 0 && verdict.takes_effect()) {
    if (disk_->bytes_that_fit(*inode_, offset, bytes) == bytes) {
      inode_->allocate(offset, bytes);
    } else {
      error = ENOSPC;
    }
  }
  if (!verdict.good()) error = verdict.os_error;
  return answer(error, "cannot allocate blocks of");
}

Result<void> SimulatedFile::deallocate(std::uint64_t offset, std::uint64_t bytes) {
  const MutexLock lock(disk_->mutex);
  if (poisoned_) return fail_poisoned(path_);
  const Verdict verdict = admit(Operation::deallocate, offset, bytes);
  if (!writable_) return fail_path(EBADF, "cannot give back blocks of", path_);
  if (verdict.takes_effect()) inode_->deallocate(offset, bytes);
  return answer(verdict.os_error, "cannot give back blocks of");
}

Result<std::uint64_t> SimulatedFile::allocated() {
  const MutexLock lock(disk_->mutex);
  const Verdict verdict = admit(Operation::look, 0, 0);
  if (!verdict.good()) return fail_path(verdict.os_error, "cannot ask for the blocks of", path_);
  return inode_->current().reserved_bytes();
}

}  // namespace

std::unique_ptr<File> make_simulated_file(std::shared_ptr<Disk> disk, std::shared_ptr<Inode> inode, std::string path, bool writable,
                                          bool aligned, std::uint64_t generation) {
  return std::make_unique<SimulatedFile>(std::move(disk), std::move(inode), std::move(path), writable, aligned, generation);
}

}  // namespace plimsoll::io::simulation
