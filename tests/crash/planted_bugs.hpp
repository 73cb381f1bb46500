// File systems that lie, so that a test can show that the crash tests would notice: each passes everything on to a simulated disk
// but for one planted bug.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "io/simulation/simulated_file_system.hpp"

namespace plimsoll::test {

enum class PlantedBug : std::uint8_t {
  log_sync_dropped,        // the log is only written, not synced
  data_sync_dropped,       // so are pages
  doublewrite_dropped,     // the doublewrite area is neither written nor synced
  write_lost,              // one write in twenty to the data file is acknowledged and forgotten
  pages_swapped,           // two pages of a batch change places
  directory_sync_dropped,  // new names are not made durable
  count_
};

class LyingFile final : public io::File {
 public:
  LyingFile(std::unique_ptr<io::File> file, std::string path, PlantedBug bug)
      : file_(std::move(file)), path_(std::move(path)), bug_(bug) {}

  Result<void> read(std::uint64_t offset, std::span<char> into) override { return file_->read(offset, into); }
  Result<void> write(std::uint64_t offset, std::span<const char> from) override {
    if (bug_ == PlantedBug::doublewrite_dropped && is("doublewrite")) return {};
    if (loses()) return {};
    return file_->write(offset, from);
  }
  bool read_batch(std::span<io::Transfer> transfers) override { return file_->read_batch(transfers); }
  bool write_batch(std::span<io::Transfer> transfers) override {
    if (loses()) return true;
    if (bug_ == PlantedBug::pages_swapped && is("data") && transfers.size() > 1) std::swap(transfers[0].data, transfers[1].data);
    return file_->write_batch(transfers);
  }
  Result<void> sync() override {
    if (bug_ == PlantedBug::log_sync_dropped && is("log/")) return {};
    if (bug_ == PlantedBug::data_sync_dropped && is("data")) return {};
    if (bug_ == PlantedBug::doublewrite_dropped && is("doublewrite")) return {};
    return file_->sync();
  }
  Result<void> write_durable(std::uint64_t offset, std::span<const char> from) override {
    if (bug_ == PlantedBug::log_sync_dropped && is("log/")) return file_->write(offset, from);
    return file_->write_durable(offset, from);
  }
  Result<std::uint64_t> size() override { return file_->size(); }
  Result<void> resize(std::uint64_t bytes) override { return file_->resize(bytes); }
  Result<void> allocate(std::uint64_t offset, std::uint64_t bytes) override { return file_->allocate(offset, bytes); }
  Result<void> deallocate(std::uint64_t offset, std::uint64_t bytes) override { return file_->deallocate(offset, bytes); }
  Result<std::uint64_t> allocated() override { return file_->allocated(); }

 private:
  bool is(std::string_view part) const { return path_.find(part) != std::string::npos; }
  bool loses() {
    constexpr std::uint64_t lost_one_in = 20;
    return bug_ == PlantedBug::write_lost && is("data") && ++writes_ % lost_one_in == 0;
  }

  const std::unique_ptr<io::File> file_;
  const std::string path_;
  const PlantedBug bug_;
  std::uint64_t writes_ = 0;
};

class LyingFileSystem final : public io::FileSystem {
 public:
  LyingFileSystem(io::simulation::SimulatedFileSystem& disk, PlantedBug bug) : disk_(disk), bug_(bug) {}

  Result<std::unique_ptr<io::File>> open(std::string_view path, io::OpenMode mode, bool direct) override {
    auto opened = disk_.open(path, mode, direct);
    if (!opened) return opened;
    return std::make_unique<LyingFile>(std::move(*opened), std::string(path), bug_);
  }
  Result<void> rename(std::string_view from, std::string_view to) override { return disk_.rename(from, to); }
  Result<void> remove(std::string_view path) override { return disk_.remove(path); }
  Result<void> make_directory(std::string_view path) override { return disk_.make_directory(path); }
  Result<bool> exists(std::string_view path) override { return disk_.exists(path); }
  Result<std::vector<std::string>> list(std::string_view directory) override { return disk_.list(directory); }
  Result<void> sync_directory(std::string_view directory) override {
    if (bug_ == PlantedBug::directory_sync_dropped) return {};
    return disk_.sync_directory(directory);
  }
  Result<std::unique_ptr<Lock>> lock(std::string_view path) override { return disk_.lock(path); }
  Result<std::uint64_t> lock_holder(std::string_view path) override { return disk_.lock_holder(path); }

 private:
  io::simulation::SimulatedFileSystem& disk_;
  const PlantedBug bug_;
};

}  // namespace plimsoll::test
