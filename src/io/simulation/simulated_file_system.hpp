// A file system in memory for tests: it fails, fills up and loses power on demand, and leaves after a power failure one of the
// states that a real one might leave. A run is determined by its calls and the seed of the Random given to it.
//
//   SimulatedFileSystem disk;
//   disk.inject({.operation = Operation::sync, .nth = 3});          // the third sync from now on fails, once
//   disk.power_fails_at(17);                                         // the 17th change is in flight when the power fails
//   ... use it: every call answers io_error from there on ...
//   disk.crash(random);                                              // and the power is back: open the store again
//
//   for (int i = 0; i < 1000; ++i) { auto state = disk.crash_copy(random); ... }   // many states of one moment
//
// What survives: what sync() or write_durable() covered, always. Of all else any subset: writes since (torn by sectors of 512
// bytes), growing and cutting, and names whose directory was not synced. write_durable() covers its own bytes and the size only.
//
// Thread-safe. Files and locks may outlive the file system and share its state; after a crash they only answer io_error. The empty
// path and "/" are directories from the beginning. A directory is renamed with what is in it, to a name that is not there yet; what
// makes the rename certain makes the names in it certain. A removed file no longer takes room, open or not.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "io/file.hpp"
#include "io/simulation/crash_counts.hpp"
#include "io/simulation/fault_plan.hpp"

namespace plimsoll::io::simulation {

struct Disk;

class SimulatedFileSystem final : public FileSystem {
 public:
  SimulatedFileSystem();
  explicit SimulatedFileSystem(std::shared_ptr<Disk> disk);
  ~SimulatedFileSystem() override;

  Result<std::unique_ptr<File>> open(std::string_view path, OpenMode mode, bool direct) override;
  Result<void> rename(std::string_view from, std::string_view to) override;
  Result<void> remove(std::string_view path) override;
  Result<void> make_directory(std::string_view path) override;
  Result<bool> exists(std::string_view path) override;
  Result<std::vector<std::string>> list(std::string_view directory) override;
  Result<void> sync_directory(std::string_view directory) override;
  Result<std::unique_ptr<Lock>> lock(std::string_view path) override;
  Result<std::uint64_t> lock_holder(std::string_view path) override;

  void inject(const Fault& fault);
  void clear_faults();
  std::uint64_t faults_fired() const;

  // Blocks that are written or allocated take room; at first there is no limit.
  void set_disk_bytes(std::uint64_t limit);
  std::uint64_t disk_bytes_used() const;

  // The nth change from now on is in flight when the power fails (fault_plan.hpp); crash() brings it back.
  void power_fails_at(std::uint64_t nth);
  bool powered() const;
  std::uint64_t changes() const;
  std::uint64_t count(Operation operation) const;
  void record(bool on);
  std::vector<Call> calls() const;

  // The power fails now, if it has not, and is back: one of the legal states, no faults armed, no locks, all open files dead.
  void crash(Random& random);
  // Such a state as a disk of its own; this one goes on. It is cheap: unchanged blocks are shared.
  std::unique_ptr<SimulatedFileSystem> crash_copy(Random& random) const;
  // What the failure that made the present state did: the last crash(), or the crash_copy() that this is.
  CrashCounts last_crash() const;
  // Of all names, sizes and bytes as a caller sees them.
  std::uint64_t image_hash() const;

 private:
  const std::shared_ptr<Disk> disk_;
};

}  // namespace plimsoll::io::simulation
