// The segment files of the log. Segment k holds the positions [k, k + 1) * segment_bytes, in the file <directory>/<16 hex digits of
// k>. The files in use are always the contiguous run from the first one kept to the last one ready; a ready segment has all its
// blocks on disk, and its name is durable, so that writing records into it cannot meet a full disk.
//
// Segments change (appear, are recycled, go away) one change at a time, and the files are worked on without the latch held. A
// segment that holds positions not yet durable is never changed: the flusher may keep its File.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/latch.hpp"
#include "io/file.hpp"
#include "log/priority.hpp"
#include "plimsoll/error.hpp"
#include "plimsoll/types.hpp"

namespace plimsoll::log {

std::string segment_path(const std::string& directory, std::uint64_t index);
std::optional<std::uint64_t> segment_index(std::string_view name);  // nothing: not a segment's name
// The indexes of all segment files, ascending.
Result<std::vector<std::uint64_t>> list_segments(io::FileSystem& files, const std::string& directory);

class Segments {
 public:
  static constexpr std::size_t spares_max = 64;  // bounds open files too

  Segments(io::FileSystem& files, std::string directory, std::uint64_t segment_bytes, std::uint64_t bytes_max);

  // An empty log: removes leftovers, makes the first segment.
  Result<void> create(Lsn begin);
  // An existing one: removes what is older than `start` or not contiguous, and all but so many spare ones. The segments of
  // [start, end) must exist.
  Result<void> open(Lsn start, Lsn end, std::size_t spares);
  // Overwrites [from, to) with zeroes, as far as segments exist, durably. Block boundaries.
  Result<void> wipe(std::uint64_t from, std::uint64_t to);

  // Positions below may be promised.
  std::uint64_t limit(Priority priority) const {
    return limits_[static_cast<std::size_t>(priority)].load(std::memory_order_acquire);
  }
  std::uint64_t ready_end() const { return ready_end_.load(std::memory_order_acquire); }
  std::uint64_t bytes_on_disk() const;

  // Makes one more segment ready, or waits for somebody who does. False: only cut() can help. An error leaves all as it was.
  Result<bool> extend(std::uint64_t wanted_end);
  // Segments wholly below `position` (which is durable) become spare ones at the end, or go. Problems with files leave fewer
  // spares.
  void cut(Lsn position, std::uint64_t end);

  // The flusher's: the file of the segment with this position, which is not below the last close_below().
  io::File& file_for_writing(std::uint64_t position);
  void close_below(std::uint64_t position);  // the files of segments that are wholly durable

 private:
  struct Segment {
    std::uint64_t index = 0;
    std::unique_ptr<io::File> file;  // null: closed
  };
  class Change;  // the right to change segments

  std::string path(std::uint64_t index) const { return segment_path(directory_, index); }
  Result<std::unique_ptr<io::File>> open_file(std::uint64_t index, io::OpenMode mode);
  Result<std::unique_ptr<io::File>> make_file(std::uint64_t index);
  Result<void> fill_with_zeroes(io::File& file, std::uint64_t from, std::uint64_t to);
  Result<bool> adopt(std::uint64_t index, bool needed);
  std::unique_ptr<io::File> recycle(std::uint64_t from, std::uint64_t to);
  void append(Segment segment);
  void publish() PLIMSOLL_REQUIRES(mutex_);
  void begin_change();
  void end_change();

  io::FileSystem& files_;
  const std::string directory_;
  const std::uint64_t segment_bytes_, bytes_max_;
  std::atomic<std::uint64_t> first_begin_{0}, ready_end_{0};
  std::array<std::atomic<std::uint64_t>, 3> limits_{};  // by Priority

  mutable Mutex mutex_{LatchRank::log_file};
  CondVar changed_;
  std::deque<Segment> segments_ PLIMSOLL_GUARDED_BY(mutex_);   // contiguous
  std::uint64_t limit_floor_ PLIMSOLL_GUARDED_BY(mutex_) = 0;  // an old log larger than bytes_max can still take a checkpoint
  bool changing_ PLIMSOLL_GUARDED_BY(mutex_) = false;
};

}  // namespace plimsoll::log
