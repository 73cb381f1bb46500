// The superblock: what must be known before anything else can be read. A file of two 4 KiB blocks, written in turn (sequence
// number), each with its checksum, so that a torn write leaves the other one. Creating a store ends with renaming `superblock.new`
// to `superblock`: a folder without it is no store yet.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "io/file.hpp"
#include "plimsoll/error.hpp"

namespace plimsoll::storage {

inline constexpr std::uint32_t format_version = 2;

struct Superblock {
  std::uint64_t sequence = 0;  // the larger valid one counts; drawn by write_superblock
  std::uint32_t page_bytes = 8192;
  std::uint64_t segment_bytes = 0;  // of the log
  std::uint64_t salt = 0;
  bool clean = false;                // closed in order: nothing to recover
  std::uint16_t incarnation = 0;     // newest version file
  std::uint64_t checkpoint_lsn = 0;  // position of the newest checkpoint record
  std::uint64_t log_end = 0;         // when clean: where the log ends
  std::uint64_t clock_ceiling = 0;   // no timestamp at or above was issued when this was written (clean only)
  std::uint64_t next_sequence = 1;   // of transaction ids (clean only)
};

inline constexpr std::string_view superblock_name = "superblock", data_name = "data", doublewrite_name = "doublewrite",
                                  lock_name = "lock", log_directory_name = "log", control_name = "control";
std::string version_file_name(std::uint16_t incarnation);  // "versions.0001"
std::optional<std::uint16_t> incarnation_of_version_file(std::string_view name);

// corruption: both blocks are damaged or the file is foreign; version_mismatch: names both versions; not_found: no superblock.
Result<Superblock> read_superblock(io::FileSystem& files, std::string_view store);
// The first one, through superblock.new, rename and a directory sync; durable when it returns.
Result<void> create_superblock(io::FileSystem& files, std::string_view store, const Superblock& block);
// In place of the block that does not count: the other one must be durable. Durable when it returns.
Result<void> write_superblock(io::FileSystem& files, std::string_view store, const Superblock& block);
// Writes the block that counts once more. For whoever does not know whether its last write came to its end: it failed, or was
// another process's. What the kernel shows after a failed sync may never get to the disk by another sync.
Result<void> confirm_superblock(io::FileSystem& files, std::string_view store);

}  // namespace plimsoll::storage
