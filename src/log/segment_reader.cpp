#include "log/segment_reader.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "base/fail.hpp"

namespace plimsoll::log {

Result<SegmentReader> SegmentReader::make(io::FileSystem& files, memory::PageProvider& provider, const LogOptions& options) {
  PLIMSOLL_ASSIGN(memory::Mapping buffer, provider.map(memory::Account::io_buffers, buffer_bytes));
  return SegmentReader(files, options, std::move(buffer));
}

Result<bool> SegmentReader::open_segment(std::uint64_t index) {
  if (file_ != nullptr && open_index_ == index) return true;
  file_.reset();
  auto file = files_->open(segment_path(options_.directory, index), io::OpenMode::read_only, true);
  if (!file && file.error().code() == ErrorCode::not_found) return false;
  if (!file) return std::unexpected(file.error());
  file_ = std::move(*file);
  open_index_ = index;
  return true;
}

// Fills the buffer from the block of `position` on, over as many segments as it takes.
Result<void> SegmentReader::load(std::uint64_t position, std::uint64_t limit) {
  begin_ = end_ = block_begin(position);
  missing_ = false;
  const std::uint64_t wanted_end = std::min(begin_ + buffer_bytes, block_end(limit));
  while (end_ < wanted_end) {
    const std::uint64_t index = end_ / options_.segment_bytes;
    PLIMSOLL_ASSIGN(const bool there, open_segment(index));
    missing_ = !there;
    if (missing_) break;
    const std::size_t bytes = std::min(wanted_end, (index + 1) * options_.segment_bytes) - end_;
    PLIMSOLL_TRY(file_->read(end_ % options_.segment_bytes, {buffer_.data() + (end_ - begin_), bytes}));
    end_ += bytes;
  }
  PLIMSOLL_DCHECK(end_ - begin_ <= buffer_.bytes());
  return {};
}

Result<std::string_view> SegmentReader::at(std::uint64_t position, std::size_t wanted, std::uint64_t limit) {
  PLIMSOLL_CHECK(position <= limit && wanted <= record_bytes_max);
  const std::uint64_t wanted_end = std::min(position + wanted, limit);
  if (position < begin_ || wanted_end > end_) PLIMSOLL_TRY(load(position, limit));
  const std::uint64_t have = std::min(end_, limit);
  if (have <= position) return std::string_view{};
  return std::string_view(buffer_.data() + (position - begin_), have - position);
}

bool SegmentReader::holds_record_at(std::uint64_t position) const {
  std::uint32_t record_size = 0;
  if (position < begin_ || position + sizeof record_size > end_) return false;
  std::memcpy(&record_size, buffer_.data() + (position - begin_), sizeof record_size);
  return position + std::max<std::uint64_t>(record_size, header_bytes) <= end_;
}

Result<Validity> SegmentReader::record_at(std::uint64_t position, std::uint64_t limit, Record& record) {
  PLIMSOLL_ASSIGN(std::string_view bytes, at(position, header_bytes, limit));
  Validity validity = validate(bytes, Lsn{position}, options_.salt, record);
  if (validity == Validity::incomplete && bytes.size() >= sizeof(std::uint32_t)) {
    std::uint32_t record_size = 0;
    std::memcpy(&record_size, bytes.data(), sizeof record_size);
    PLIMSOLL_ASSIGN(bytes, at(position, record_size, limit));
    validity = validate(bytes, Lsn{position}, options_.salt, record);
  }
  return validity;
}

}  // namespace plimsoll::log
