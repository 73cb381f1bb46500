// Workers (workloads/driver.hpp) that exercise the machine instead of an engine: what no engine can exceed. The arithmetic loop and
// the synchronous overwrite also run as controls beside the workloads.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/random.hpp"
#include "plimsoll/error.hpp"
#include "plimsoll/types.hpp"

namespace plimsoll::bench {

class MachineWorker {
 public:
  void abort() {}
  std::uint64_t sum() const { return sum_; }

 protected:
  std::uint64_t sum_ = 0;
};

// Dependent arithmetic that touches no memory: how well this machine runs several threads at all.
class ArithmeticWorker : public MachineWorker {
 public:
  explicit ArithmeticWorker(std::uint64_t seed) : random_(seed) {}
  Result<std::uint64_t> step();

 private:
  Random random_;
};

// Memory for direct I/O.
class AlignedBuffer {
 public:
  explicit AlignedBuffer(std::size_t bytes);
  char* data() const { return data_.get(); }

 private:
  struct Free {
    void operator()(char* data) const;
  };
  std::unique_ptr<char, Free> data_;
};

// A file of random bytes for the probes, removed at the end. Opened with O_DIRECT where the file system can.
class ProbeFile {
 public:
  static Result<std::unique_ptr<ProbeFile>> create(const std::string& folder, std::size_t bytes);
  ProbeFile(const ProbeFile&) = delete;
  ProbeFile& operator=(const ProbeFile&) = delete;
  ~ProbeFile();
  int fd() const { return fd_; }
  std::size_t size() const { return bytes_; }
  bool direct() const { return direct_; }

 private:
  ProbeFile(std::string path, int fd, std::size_t bytes, bool direct)
      : path_(std::move(path)), fd_(fd), bytes_(bytes), direct_(direct) {}
  std::string path_;
  int fd_;
  std::size_t bytes_;
  bool direct_;
};

// Overwrites the next piece of the file and waits until it is on stable storage: the fastest durable commit of one committer.
class SyncWorker : public MachineWorker {
 public:
  SyncWorker(const ProbeFile& file, std::size_t piece_bytes);
  Result<std::uint64_t> step();

 private:
  const ProbeFile& file_;
  std::size_t piece_bytes_;
  std::size_t offset_ = 0;
  AlignedBuffer piece_;
};

class RandomReadWorker : public MachineWorker {
 public:
  RandomReadWorker(const ProbeFile& file, std::size_t piece_bytes, std::uint64_t seed);
  Result<std::uint64_t> step();

 private:
  const ProbeFile& file_;
  std::size_t piece_bytes_;
  Random random_;
  AlignedBuffer piece_;
};

// Copies 64 MiB from one place to another, larger than any cache. One operation is one MiB.
class CopyWorker : public MachineWorker {
 public:
  CopyWorker();
  Result<std::uint64_t> step();

 private:
  static constexpr std::size_t bytes = 64_MiB;
  AlignedBuffer from_;
  AlignedBuffer to_;
};

// Maps anonymous memory, touches each page once, and unmaps it. One operation is one page.
class FirstTouchWorker : public MachineWorker {
 public:
  Result<std::uint64_t> step();
};

}  // namespace plimsoll::bench
