#include "io/uring_file_system.hpp"

#include "base/check.hpp"
#include "base/fail.hpp"

namespace plimsoll::io {

namespace {

class UringFile final : public PlainFile {
 public:
  UringFile(Opened opened, std::shared_ptr<RingPool> pool) : PlainFile(std::move(opened)), pool_(std::move(pool)) {
    PLIMSOLL_DCHECK(pool_ != nullptr);
  }

 protected:
  // A single transfer has nothing to overlap with: one plain call costs less than a ring.
  void run_reads(std::span<Transfer> transfers) override {
    if (transfers.size() > 1 && pool_->run(fd(), direct(), Ring::Direction::read, transfers)) return;
    PlainFile::run_reads(transfers);
  }
  void run_writes(std::span<Transfer> transfers) override {
    if (transfers.size() > 1 && pool_->run(fd(), direct(), Ring::Direction::write, transfers)) return;
    PlainFile::run_writes(transfers);
  }

 private:
  const std::shared_ptr<RingPool> pool_;
};

}  // namespace

std::unique_ptr<File> UringFileSystem::make_file(PlainFile::Opened opened) {
  return std::make_unique<UringFile>(std::move(opened), pool_);
}

Result<std::unique_ptr<FileSystem>> make_uring_file_system() {
  auto pool = std::make_shared<RingPool>();
  if (const int error = pool->probe(); error != 0) return fail_os(error, "io_uring is not to be had");
  return std::make_unique<UringFileSystem>(std::move(pool));
}

}  // namespace plimsoll::io
