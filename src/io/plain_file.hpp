// A file through plain system calls. Owns its descriptor. Any thread may call anything; nothing is buffered here.
// uring_file_system.cpp derives from it and replaces how a batch is run, nothing else.
//
// Invariants:
// 1. `poisoned_` is never cleared. No write, resize, allocation or sync reaches the kernel once it has been seen set.
// 2. The kernel reports a lost page to one sync only. Syncs of one file therefore run one after the other: the one that comes after
//    the failed one sees the poison instead of a false success.
#pragma once

#include <atomic>
#include <string>

#include "base/latch.hpp"
#include "io/file.hpp"

namespace plimsoll::io {

class PlainFile : public File {
 public:
  struct Opened {
    int fd = -1;
    std::string path;      // for messages
    bool aligned = false;  // opened with `direct`: the caller promised aligned transfers
    bool direct = false;   // and O_DIRECT was granted
  };

  explicit PlainFile(Opened opened);
  ~PlainFile() override;
  PlainFile(const PlainFile&) = delete;
  PlainFile& operator=(const PlainFile&) = delete;

  Result<void> read(std::uint64_t offset, std::span<char> into) final;
  Result<void> write(std::uint64_t offset, std::span<const char> from) final;
  bool read_batch(std::span<Transfer> transfers) final;
  bool write_batch(std::span<Transfer> transfers) final;
  Result<void> sync() final;
  // Through RWF_DSYNC: one request to the device (forced unit access where it has it) in place of a write and a flush. It makes
  // these bytes and the size durable, not what other writes have left unsynced.
  Result<void> write_durable(std::uint64_t offset, std::span<const char> from) final;
  Result<std::uint64_t> size() final;
  Result<void> resize(std::uint64_t bytes) final;
  Result<void> allocate(std::uint64_t offset, std::uint64_t bytes) final;
  Result<void> deallocate(std::uint64_t offset, std::uint64_t bytes) final;
  Result<std::uint64_t> allocated() final;

  int fd() const { return opened_.fd; }

 protected:
  // Sets the error of each transfer.
  virtual void run_reads(std::span<Transfer> transfers);
  virtual void run_writes(std::span<Transfer> transfers);

  bool direct() const { return opened_.direct; }

 private:
  void check_aligned(std::uint64_t offset, const void* data, std::size_t bytes) const;
  bool poisoned() const { return poisoned_.load(std::memory_order_acquire); }
  Result<void> poison(int os_error, std::string_view action);
  // A sync that fails may be told to another one that runs at the same time and forgotten: so one after the other.
  int sync_alone() PLIMSOLL_REQUIRES(sync_mutex_);
  int write_and_sync_alone(std::uint64_t offset, std::span<const char> from) PLIMSOLL_REQUIRES(sync_mutex_) {
    return write_and_sync(offset, from);
  }
  int write_and_sync(std::uint64_t offset, std::span<const char> from);
  void drop_cache(std::uint64_t offset, std::uint64_t bytes) const;

  const Opened opened_;
  std::atomic<bool> poisoned_{false};
  Mutex sync_mutex_{LatchRank::file};
};

}  // namespace plimsoll::io
