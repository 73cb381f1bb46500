// Reads the log's stream from its segment files through one buffer (charged to Account::io_buffers). One object is used by one
// thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "io/file.hpp"
#include "log/log.hpp"
#include "memory/page_provider.hpp"

namespace plimsoll::log {

class SegmentReader {
 public:
  static constexpr std::size_t buffer_bytes = 1u << 20;
  static_assert(buffer_bytes >= record_bytes_max + io::block_bytes);

  static Result<SegmentReader> make(io::FileSystem& files, memory::PageProvider& provider, const LogOptions& options);

  // The bytes from `position` on: as many as there are below `limit`, at least `wanted` if so many exist. Valid until the next
  // call.
  Result<std::string_view> at(std::uint64_t position, std::size_t wanted, std::uint64_t limit);
  // The record at `position`, read whole if it exists.
  Result<Validity> record_at(std::uint64_t position, std::uint64_t limit, Record& record);
  // Whether the record at `position` can be had without another load, which would take others out of the buffer.
  bool holds_record_at(std::uint64_t position) const;
  // The last call met the end of the files.
  bool segment_missing() const { return missing_; }

 private:
  SegmentReader(io::FileSystem& files, const LogOptions& options, memory::Mapping buffer)
      : files_(&files), options_(options), buffer_(std::move(buffer)) {}
  Result<void> load(std::uint64_t position, std::uint64_t limit);
  Result<bool> open_segment(std::uint64_t index);

  io::FileSystem* files_;
  LogOptions options_;
  memory::Mapping buffer_;
  std::unique_ptr<io::File> file_;
  std::uint64_t open_index_ = 0;       // of file_
  std::uint64_t begin_ = 0, end_ = 0;  // the positions that are in the buffer
  bool missing_ = false;
};

}  // namespace plimsoll::log
