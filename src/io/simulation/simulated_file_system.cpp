#include "io/simulation/simulated_file_system.hpp"

#include <unistd.h>
#include <xxhash.h>

#include <cerrno>

#include "base/check.hpp"
#include "base/fail.hpp"
#include "io/os_error.hpp"
#include "io/simulation/disk.hpp"

namespace plimsoll::io::simulation {

namespace {

class SimulatedLock final : public FileSystem::Lock {
 public:
  SimulatedLock(std::shared_ptr<Disk> disk, std::string path, std::uint64_t generation)
      : disk_(std::move(disk)), path_(std::move(path)), generation_(generation) {}
  ~SimulatedLock() override { give_up(); }
  SimulatedLock(const SimulatedLock&) = delete;
  SimulatedLock& operator=(const SimulatedLock&) = delete;

 private:
  void give_up() {
    const MutexLock lock(disk_->mutex);
    if (generation_ != disk_->generation) return;  // it went with the power
    PLIMSOLL_CHECK(disk_->locks.erase(path_) == 1);
  }

  const std::shared_ptr<Disk> disk_;
  const std::string path_;
  const std::uint64_t generation_;
};

}  // namespace

SimulatedFileSystem::SimulatedFileSystem() : SimulatedFileSystem(std::make_shared<Disk>()) {}

SimulatedFileSystem::SimulatedFileSystem(std::shared_ptr<Disk> disk) : disk_(std::move(disk)) { PLIMSOLL_CHECK(disk_ != nullptr); }

SimulatedFileSystem::~SimulatedFileSystem() = default;

Result<std::unique_ptr<File>> SimulatedFileSystem::open(std::string_view path, OpenMode mode, bool direct) {
  const std::string name = normal_path(path);
  const MutexLock lock(disk_->mutex);
  const bool create = mode == OpenMode::create;
  const Verdict verdict = disk_->faults.admit(create ? Operation::create : Operation::open, name);
  if (!verdict.takes_effect()) return fail_path(verdict.os_error, "cannot open", path);
  const Entry* entry = disk_->names.find(name);
  if (create && entry != nullptr) return fail_path(EEXIST, "cannot open", path);
  if (create && !disk_->names.is_directory(parent_directory(name))) return fail_path(ENOENT, "cannot open", path);
  if (!create && entry == nullptr) return fail_path(ENOENT, "cannot open", path);
  if (entry != nullptr && entry->is_directory()) return fail_path(EISDIR, "cannot open", path);
  auto file = create ? std::make_shared<Inode>() : entry->file;
  if (create) disk_->names.link(name, {file});
  if (!verdict.good()) return fail_path(verdict.os_error, "cannot open", path);
  return make_simulated_file(disk_, std::move(file), name, mode != OpenMode::read_only, direct, disk_->generation);
}

Result<void> SimulatedFileSystem::rename(std::string_view from, std::string_view to) {
  const std::string old_name = normal_path(from);
  const std::string new_name = normal_path(to);
  const MutexLock lock(disk_->mutex);
  const Verdict verdict = disk_->faults.admit(Operation::rename, old_name);
  if (!verdict.takes_effect()) return fail_path(verdict.os_error, "cannot rename", from);
  const Entry* entry = disk_->names.find(old_name);
  if (entry == nullptr || !disk_->names.is_directory(parent_directory(new_name))) return fail_path(ENOENT, "cannot rename", from);
  if (disk_->names.find(new_name) != nullptr) return fail_path(EEXIST, "cannot rename", to);
  if (entry->is_directory() && new_name.starts_with(old_name + "/")) return fail_path(EINVAL, "cannot rename", from);
  disk_->names.rename(old_name, new_name);
  if (!verdict.good()) return fail_path(verdict.os_error, "cannot rename", from);
  return {};
}

Result<void> SimulatedFileSystem::remove(std::string_view path) {
  const std::string name = normal_path(path);
  const MutexLock lock(disk_->mutex);
  const Verdict verdict = disk_->faults.admit(Operation::remove, name);
  if (!verdict.takes_effect()) return fail_path(verdict.os_error, "cannot remove", path);
  const Entry* entry = disk_->names.find(name);
  if (entry == nullptr) return fail_path(ENOENT, "cannot remove", path);
  if (name.empty() || name == "/") return fail_path(EBUSY, "cannot remove", path);
  if (entry->is_directory() && !disk_->names.is_empty_directory(name)) return fail_path(ENOTEMPTY, "cannot remove", path);
  disk_->names.unlink(name);
  if (!verdict.good()) return fail_path(verdict.os_error, "cannot remove", path);
  return {};
}

Result<void> SimulatedFileSystem::make_directory(std::string_view path) {
  const std::string name = normal_path(path);
  const MutexLock lock(disk_->mutex);
  const Verdict verdict = disk_->faults.admit(Operation::make_directory, name);
  if (!verdict.takes_effect()) return fail_path(verdict.os_error, "cannot make the directory", path);
  const Entry* entry = disk_->names.find(name);
  if (entry != nullptr && !entry->is_directory()) return fail_path(EEXIST, "cannot make the directory", path);
  if (!disk_->names.is_directory(parent_directory(name))) return fail_path(ENOENT, "cannot make the directory", path);
  if (entry == nullptr) disk_->names.link(name, {});
  if (!verdict.good()) return fail_path(verdict.os_error, "cannot make the directory", path);
  return {};
}

Result<bool> SimulatedFileSystem::exists(std::string_view path) {
  const std::string name = normal_path(path);
  const MutexLock lock(disk_->mutex);
  const Verdict verdict = disk_->faults.admit(Operation::look, name);
  if (!verdict.good()) return fail_path(verdict.os_error, "cannot look for", path);
  return disk_->names.find(name) != nullptr;
}

Result<std::vector<std::string>> SimulatedFileSystem::list(std::string_view directory) {
  const std::string name = normal_path(directory);
  const MutexLock lock(disk_->mutex);
  const Verdict verdict = disk_->faults.admit(Operation::look, name);
  if (!verdict.good()) return fail_path(verdict.os_error, "cannot list", directory);
  const Entry* entry = disk_->names.find(name);
  if (entry == nullptr) return fail_path(ENOENT, "cannot list", directory);
  if (!entry->is_directory()) return fail_path(ENOTDIR, "cannot list", directory);
  return disk_->names.list(name);
}

Result<void> SimulatedFileSystem::sync_directory(std::string_view directory) {
  const std::string name = normal_path(directory);
  const MutexLock lock(disk_->mutex);
  const Verdict verdict = disk_->faults.admit(Operation::sync_directory, name);
  if (!verdict.good()) return fail_path(verdict.os_error, "cannot sync the directory", directory);
  const Entry* entry = disk_->names.find(name);
  if (entry == nullptr) return fail_path(ENOENT, "cannot open the directory", directory);
  if (!entry->is_directory()) return fail_path(ENOTDIR, "cannot open the directory", directory);
  disk_->names.sync(name);
  return {};
}

Result<std::unique_ptr<FileSystem::Lock>> SimulatedFileSystem::lock(std::string_view path) {
  const std::string name = normal_path(path);
  const MutexLock lock(disk_->mutex);
  const bool create = disk_->names.find(name) == nullptr;
  const Verdict verdict = disk_->faults.admit(create ? Operation::create : Operation::lock, name);
  if (!verdict.takes_effect()) return fail_path(verdict.os_error, "cannot lock", path);
  if (!disk_->names.is_directory(parent_directory(name))) return fail_path(ENOENT, "cannot open the lock file", path);
  if (disk_->names.is_directory(name)) return fail_path(EISDIR, "cannot open the lock file", path);
  if (create) disk_->names.link(name, {std::make_shared<Inode>()});
  if (!verdict.good()) return fail_path(verdict.os_error, "cannot lock", path);
  const auto [holder, taken] = disk_->locks.try_emplace(name, static_cast<std::uint64_t>(::getpid()));
  if (!taken) return fail(ErrorCode::busy, "locked by process {}: {}", holder->second, path);
  return std::make_unique<SimulatedLock>(disk_, name, disk_->generation);
}

Result<std::uint64_t> SimulatedFileSystem::lock_holder(std::string_view path) {
  const std::string name = normal_path(path);
  const MutexLock lock(disk_->mutex);
  const Verdict verdict = disk_->faults.admit(Operation::look, name);
  if (!verdict.good()) return fail_path(verdict.os_error, "cannot ask who holds the lock", path);
  const auto found = disk_->locks.find(name);
  return found == disk_->locks.end() ? 0 : found->second;
}

void SimulatedFileSystem::inject(const Fault& fault) {
  const MutexLock lock(disk_->mutex);
  disk_->faults.inject(fault);
}

void SimulatedFileSystem::clear_faults() {
  const MutexLock lock(disk_->mutex);
  disk_->faults.clear_faults();
}

std::uint64_t SimulatedFileSystem::faults_fired() const {
  const MutexLock lock(disk_->mutex);
  return disk_->faults.faults_fired();
}

void SimulatedFileSystem::set_disk_bytes(std::uint64_t limit) {
  const MutexLock lock(disk_->mutex);
  disk_->limit_bytes = limit;
}

std::uint64_t SimulatedFileSystem::disk_bytes_used() const {
  const MutexLock lock(disk_->mutex);
  return disk_->used_bytes();
}

void SimulatedFileSystem::power_fails_at(std::uint64_t nth) {
  const MutexLock lock(disk_->mutex);
  disk_->faults.power_fails_at(nth);
}

bool SimulatedFileSystem::powered() const {
  const MutexLock lock(disk_->mutex);
  return disk_->faults.powered();
}

std::uint64_t SimulatedFileSystem::changes() const {
  const MutexLock lock(disk_->mutex);
  return disk_->faults.changes();
}

std::uint64_t SimulatedFileSystem::count(Operation operation) const {
  const MutexLock lock(disk_->mutex);
  return disk_->faults.count(operation);
}

void SimulatedFileSystem::record(bool on) {
  const MutexLock lock(disk_->mutex);
  disk_->faults.record(on);
}

std::vector<Call> SimulatedFileSystem::calls() const {
  const MutexLock lock(disk_->mutex);
  return disk_->faults.calls();
}

void SimulatedFileSystem::crash(Random& random) {
  const MutexLock lock(disk_->mutex);
  CrashCounts counts;
  disk_->names = disk_->survive(random, counts);
  disk_->last_crash = counts;
  disk_->faults.power_returns();
  disk_->faults.clear_faults();
  disk_->locks.clear();
  ++disk_->generation;
}

std::unique_ptr<SimulatedFileSystem> SimulatedFileSystem::crash_copy(Random& random) const {
  CrashCounts counts;
  NameTable names;
  std::uint64_t limit_bytes = 0;
  {
    const MutexLock lock(disk_->mutex);
    names = disk_->survive(random, counts);
    limit_bytes = disk_->limit_bytes;
  }
  auto copy = std::make_shared<Disk>();
  {
    const MutexLock lock(copy->mutex);  // nobody else knows it yet; for the analysis
    copy->names = std::move(names);
    copy->limit_bytes = limit_bytes;
    copy->last_crash = counts;
  }
  return std::make_unique<SimulatedFileSystem>(std::move(copy));
}

CrashCounts SimulatedFileSystem::last_crash() const {
  const MutexLock lock(disk_->mutex);
  return disk_->last_crash;
}

std::uint64_t SimulatedFileSystem::image_hash() const {
  const MutexLock lock(disk_->mutex);
  std::uint64_t hash = 0;
  for (const auto& [path, entry] : disk_->names.all()) {
    hash = XXH3_64bits_withSeed(path.data(), path.size(), hash);
    const std::uint64_t content = entry.is_directory() ? 1 : entry.file->current().hash();
    hash = XXH3_64bits_withSeed(&content, sizeof content, hash);
  }
  return hash;
}

}  // namespace plimsoll::io::simulation
