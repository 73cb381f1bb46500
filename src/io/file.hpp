// The file interface (D13): all that the engine asks of an operating system's files. Implementations: plain system calls, io_uring,
// files in memory (memory_file_system.hpp), and the simulated file system of tests. What the bytes mean is not known here.
//
// A File may be used by many threads at once; overlapping writes are the callers' business. Offsets, lengths and buffers of files
// opened with `direct` are multiples of `block_bytes` (callers always keep to that; where the file system refuses O_DIRECT the file
// is opened without it, and its page-cache bytes are dropped after writing). Short transfers are continued inside; an error is
// reported once and never retried. After a failed sync a file is poisoned: every later write or sync answers io_error (the kernel
// has forgotten the dirty pages), reads go on.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plimsoll/error.hpp"

namespace plimsoll::io {

inline constexpr std::size_t block_bytes = 4096;

// One transfer of a batch. `error` is 0 or an errno once the batch has been run; a read past the end of the file yields zero bytes.
struct Transfer {
  std::uint64_t offset = 0;
  char* data = nullptr;
  std::size_t bytes = 0;
  int error = 0;
};

class File {
 public:
  virtual ~File() = default;

  // Fills `into`; bytes past the end of the file read as zero.
  virtual Result<void> read(std::uint64_t offset, std::span<char> into) = 0;
  // Extends the file where needed. no_space when the disk is full: then nothing, or a prefix, has been written.
  virtual Result<void> write(std::uint64_t offset, std::span<const char> from) = 0;
  // The same for many transfers at once, overlapping in time where the back end can. True if all went well; each transfer carries
  // its own error.
  virtual bool read_batch(std::span<Transfer> transfers) = 0;
  virtual bool write_batch(std::span<Transfer> transfers) = 0;
  // fdatasync: everything written before the call is on stable storage, the size included.
  virtual Result<void> sync() = 0;
  // Write and sync in one (O_DSYNC where that is faster). For the log.
  virtual Result<void> write_durable(std::uint64_t offset, std::span<const char> from) = 0;
  virtual Result<std::uint64_t> size() = 0;
  virtual Result<void> resize(std::uint64_t bytes) = 0;  // cut or extend with zeroes (sparse)
  // Reserves disk blocks for [offset, offset + bytes) so that later writes there cannot meet a full disk. Not durable by itself.
  virtual Result<void> allocate(std::uint64_t offset, std::uint64_t bytes) = 0;
  // The contrary: the blocks go back to the file system, the bytes read as zeroes, the size stays. Whole blocks. Not durable by
  // itself. io_error where the file system cannot.
  virtual Result<void> deallocate(std::uint64_t offset, std::uint64_t bytes) = 0;
  virtual Result<std::uint64_t> allocated() = 0;  // bytes of all blocks that it has
};

enum class OpenMode : std::uint8_t { read_only, read_write, create };  // create: must not exist yet

class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // `direct`: bypass the page cache where possible. not_found / already_exists / io_error.
  virtual Result<std::unique_ptr<File>> open(std::string_view path, OpenMode mode, bool direct) = 0;
  // Atomic; replaces nothing: already_exists.
  virtual Result<void> rename(std::string_view from, std::string_view to) = 0;
  virtual Result<void> remove(std::string_view path) = 0;
  virtual Result<void> make_directory(std::string_view path) = 0;  // fine if it exists
  virtual Result<bool> exists(std::string_view path) = 0;
  virtual Result<std::vector<std::string>> list(std::string_view directory) = 0;  // names, sorted
  // Makes created, renamed and removed names of the directory durable.
  virtual Result<void> sync_directory(std::string_view directory) = 0;
  // An exclusive lock on the store whose lock file is `path`, held until the returned object dies; also refused to a second holder
  // in this process. busy, with the holder's pid in the details.
  class Lock {
   public:
    virtual ~Lock() = default;
  };
  virtual Result<std::unique_ptr<Lock>> lock(std::string_view path) = 0;
  // The pid of who holds that lock, 0: nobody.
  virtual Result<std::uint64_t> lock_holder(std::string_view path) = 0;
};

inline std::string_view without_trailing_slashes(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  return path;
}

// The folder that a path lies in: "." without a slash, "/" for what lies there.
inline std::string_view folder_of(std::string_view path) {
  const std::size_t slash = path.find_last_of('/');
  if (slash == std::string_view::npos) return ".";
  return path.substr(0, slash == 0 ? 1 : slash);
}

// The back ends. `uring` needs the kernel's consent: make_uring answers io_error where it is refused.
std::unique_ptr<FileSystem> make_plain_file_system();
Result<std::unique_ptr<FileSystem>> make_uring_file_system();

}  // namespace plimsoll::io
