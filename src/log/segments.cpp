#include "log/segments.hpp"

#include <algorithm>
#include <charconv>

#include "base/check.hpp"
#include "base/fail.hpp"

namespace plimsoll::log {

namespace {

constexpr std::size_t name_digits = 16;
constexpr std::size_t zeroes_bytes = 256u << 10;
// Never written: stays a mapping of the system's zero page.
alignas(io::block_bytes) char zeroes[zeroes_bytes];

}  // namespace

std::string segment_path(const std::string& directory, std::uint64_t index) { return fmt::format("{}/{:016x}", directory, index); }

std::optional<std::uint64_t> segment_index(std::string_view name) {
  if (name.size() != name_digits || name.find_first_not_of("0123456789abcdef") != std::string_view::npos) return std::nullopt;
  std::uint64_t index = 0;
  const auto end = std::from_chars(name.data(), name.data() + name.size(), index, 16);
  PLIMSOLL_CHECK(end.ec == std::errc{});
  return index;
}

Result<std::vector<std::uint64_t>> list_segments(io::FileSystem& files, const std::string& directory) {
  PLIMSOLL_ASSIGN(const auto names, files.list(directory));
  std::vector<std::uint64_t> indexes;
  for (const std::string& name : names) {
    if (const auto index = segment_index(name)) indexes.push_back(*index);
  }
  std::ranges::sort(indexes);
  return indexes;
}

// At most one exists at a time; the others wait until it dies.
class Segments::Change {
 public:
  explicit Change(Segments& segments) : segments_(segments) { segments_.begin_change(); }
  ~Change() { segments_.end_change(); }
  Change(const Change&) = delete;
  Change& operator=(const Change&) = delete;

 private:
  Segments& segments_;
};

Segments::Segments(io::FileSystem& files, std::string directory, std::uint64_t segment_bytes, std::uint64_t bytes_max)
    : files_(files),
      directory_(std::move(directory)),
      segment_bytes_(segment_bytes),
      bytes_max_(bytes_max / segment_bytes * segment_bytes) {
  PLIMSOLL_CHECK(segment_bytes_ != 0 && segment_bytes_ % io::block_bytes == 0);
  PLIMSOLL_CHECK(bytes_max_ >= 2 * segment_bytes_);
}

void Segments::begin_change() {
  const MutexLock lock(mutex_);
  while (changing_) changed_.wait(mutex_);
  changing_ = true;
}

void Segments::end_change() {
  const MutexLock lock(mutex_);
  PLIMSOLL_CHECK(changing_);
  changing_ = false;
  changed_.notify_all();
}

// The limits are stored before ready_end_: who sees the new end sees limits that go with it.
void Segments::publish() {
  PLIMSOLL_CHECK(!segments_.empty());
  PLIMSOLL_DCHECK(segments_.back().index - segments_.front().index + 1 == segments_.size());
  const std::uint64_t first = segments_.front().index * segment_bytes_;
  first_begin_.store(first, std::memory_order_release);
  const auto store_limit = [&](Priority priority, std::uint64_t limit) {
    limits_[static_cast<std::size_t>(priority)].store(limit, std::memory_order_release);
  };
  store_limit(Priority::normal, first + bytes_max_ - bytes_max_ / 8);
  store_limit(Priority::reserve, first + bytes_max_ - bytes_max_ / 16);
  store_limit(Priority::checkpoint, std::max(first + bytes_max_, limit_floor_));
  ready_end_.store((segments_.back().index + 1) * segment_bytes_, std::memory_order_release);
}

void Segments::append(Segment segment) {
  const MutexLock lock(mutex_);
  PLIMSOLL_CHECK(segments_.empty() || segments_.back().index + 1 == segment.index);
  segments_.push_back(std::move(segment));
  publish();
}

std::uint64_t Segments::bytes_on_disk() const {
  const std::uint64_t first = first_begin_.load(std::memory_order_acquire);
  const std::uint64_t end = ready_end();
  PLIMSOLL_DCHECK(first <= end);
  return end - first;
}

Result<std::unique_ptr<io::File>> Segments::open_file(std::uint64_t index, io::OpenMode mode) {
  return files_.open(path(index), mode, true);
}

Result<void> Segments::fill_with_zeroes(io::File& file, std::uint64_t from, std::uint64_t to) {
  PLIMSOLL_CHECK(from % io::block_bytes == 0 && to % io::block_bytes == 0);
  for (std::uint64_t at = from; at < to; at += zeroes_bytes) {
    const auto bytes = static_cast<std::size_t>(std::min<std::uint64_t>(zeroes_bytes, to - at));
    PLIMSOLL_TRY(file.write(at, {zeroes, bytes}));
  }
  return file.sync();
}

// Blocks that were written once need no change of metadata later: a flush is one write to the device.
Result<std::unique_ptr<io::File>> Segments::make_file(std::uint64_t index) {
  PLIMSOLL_ASSIGN(auto file, open_file(index, io::OpenMode::create));
  auto made = fill_with_zeroes(*file, 0, segment_bytes_);
  if (made) made = files_.sync_directory(directory_);
  if (made) return file;
  file.reset();
  static_cast<void>(files_.remove(path(index)));  // gives its blocks back; if that fails too, the next attempt removes it
  return std::unexpected(made.error());
}

Result<void> Segments::create(Lsn begin) {
  PLIMSOLL_CHECK(begin.value != 0 && begin.value % segment_bytes_ == 0);
  const Change change(*this);
  PLIMSOLL_ASSIGN(const auto leftovers, list_segments(files_, directory_));
  for (const std::uint64_t index : leftovers) PLIMSOLL_TRY(files_.remove(path(index)));
  const std::uint64_t index = begin.value / segment_bytes_;
  PLIMSOLL_ASSIGN(auto file, make_file(index));
  append({index, std::move(file)});
  return {};
}

// Takes an existing file into the run. One that a crash left unfinished is of no use, unless records lie in it.
Result<bool> Segments::adopt(std::uint64_t index, bool needed) {
  PLIMSOLL_ASSIGN(auto file, open_file(index, io::OpenMode::read_write));
  PLIMSOLL_ASSIGN(const std::uint64_t bytes, file->size());
  if (bytes != segment_bytes_ && !needed) return false;
  if (bytes > segment_bytes_)
    return fail(ErrorCode::corruption, "log segment {:016x} has {} bytes instead of {}", index, bytes, segment_bytes_);
  if (bytes < segment_bytes_)
    PLIMSOLL_TRY(fill_with_zeroes(*file, (bytes + io::block_bytes - 1) / io::block_bytes * io::block_bytes, segment_bytes_));
  if (auto allocated = file->allocate(0, segment_bytes_); !allocated) {
    if (needed) return std::unexpected(allocated.error());
    return false;
  }
  PLIMSOLL_TRY(file->sync());
  append({index, std::move(file)});
  return true;
}

Result<void> Segments::open(Lsn start, Lsn end, std::size_t spares) {
  PLIMSOLL_CHECK(start.value != 0 && start <= end);
  const Change change(*this);
  const std::uint64_t first = start.value / segment_bytes_;
  const std::uint64_t end_segments = (end.value + segment_bytes_ - 1) / segment_bytes_;  // those below hold records
  {
    const MutexLock lock(mutex_);
    limit_floor_ = (end_segments + 2) * segment_bytes_;
  }
  PLIMSOLL_ASSIGN(const auto indexes, list_segments(files_, directory_));
  std::uint64_t next = first;
  for (const std::uint64_t index : indexes) {
    bool adopted = false;
    if (index == next && index < end_segments + spares) { PLIMSOLL_ASSIGN(adopted, adopt(index, index < end_segments)); }
    if (adopted) {
      ++next;
    } else {
      PLIMSOLL_TRY(files_.remove(path(index)));
    }
  }
  if (next < end_segments) return fail(ErrorCode::corruption, "log segment {:016x} is missing", next);
  if (next == first) {  // the log ends where a segment that was never made begins
    PLIMSOLL_ASSIGN(auto file, make_file(first));
    append({first, std::move(file)});
  }
  return files_.sync_directory(directory_);
}

Result<void> Segments::wipe(std::uint64_t from, std::uint64_t to) {
  to = std::min(to, ready_end());
  while (from < to) {
    const std::uint64_t index = from / segment_bytes_;
    const std::uint64_t piece_end = std::min(to, (index + 1) * segment_bytes_);
    PLIMSOLL_TRY(fill_with_zeroes(file_for_writing(from), from - index * segment_bytes_, piece_end - index * segment_bytes_));
    from = piece_end;
  }
  return {};
}

Result<bool> Segments::extend(std::uint64_t wanted_end) {
  if (ready_end() >= wanted_end) return true;
  const Change change(*this);
  const std::uint64_t end = ready_end();  // moves only within a change
  if (end >= wanted_end) return true;
  if (end + segment_bytes_ > limit(Priority::checkpoint)) return false;
  const std::uint64_t index = end / segment_bytes_;
  PLIMSOLL_ASSIGN(const bool leftover, files_.exists(path(index)));
  if (leftover) PLIMSOLL_TRY(files_.remove(path(index)));
  PLIMSOLL_ASSIGN(auto file, make_file(index));
  append({index, std::move(file)});
  return true;
}

// Its new name becomes durable with the directory. Null: the old file is gone, or will be at the next open.
std::unique_ptr<io::File> Segments::recycle(std::uint64_t from, std::uint64_t to) {
  if (!files_.rename(path(from), path(to))) {
    static_cast<void>(files_.remove(path(from)));
    return nullptr;
  }
  auto file = open_file(to, io::OpenMode::read_write);
  if (file) return std::move(*file);
  static_cast<void>(files_.remove(path(to)));
  return nullptr;
}

void Segments::cut(Lsn position, std::uint64_t end) {
  const Change change(*this);
  const std::uint64_t keep = position.value / segment_bytes_;
  std::vector<Segment> spares;
  std::uint64_t first = 0, last = 0;
  {
    const MutexLock lock(mutex_);
    first = segments_.front().index;
    last = std::min(keep, segments_.back().index);  // one stays in any case
    while (segments_.front().index < last) segments_.pop_front();
  }
  if (first >= last) return;
  std::uint64_t next = ready_end() / segment_bytes_;
  const std::uint64_t spares_end =
      (end + segment_bytes_ - 1) / segment_bytes_ + std::min<std::uint64_t>(spares_max, bytes_max_ / segment_bytes_ / 2);
  const std::uint64_t disk_end = last + bytes_max_ / segment_bytes_;
  for (std::uint64_t index = first; index < last; ++index) {
    std::unique_ptr<io::File> file;
    if (next < std::min(spares_end, disk_end)) {
      file = recycle(index, next);
    } else {
      static_cast<void>(files_.remove(path(index)));
    }
    if (file != nullptr) spares.push_back({next++, std::move(file)});
  }
  if (!files_.sync_directory(directory_)) {  // their names may be lost
    for (const Segment& spare : spares) static_cast<void>(files_.remove(path(spare.index)));
    spares.clear();
  }
  const MutexLock lock(mutex_);
  for (Segment& spare : spares) segments_.push_back(std::move(spare));
  publish();
}

io::File& Segments::file_for_writing(std::uint64_t position) {
  const std::uint64_t index = position / segment_bytes_;
  const MutexLock lock(mutex_);
  PLIMSOLL_CHECK(!segments_.empty() && index >= segments_.front().index && index <= segments_.back().index);
  const std::size_t at = index - segments_.front().index;
  Segment& segment = segments_[at];
  PLIMSOLL_CHECK(segment.index == index && segment.file != nullptr);
  return *segment.file;
}

void Segments::close_below(std::uint64_t position) {
  const MutexLock lock(mutex_);
  for (Segment& segment : segments_) {
    if ((segment.index + 1) * segment_bytes_ > position) break;
    segment.file.reset();
  }
}

}  // namespace plimsoll::log
