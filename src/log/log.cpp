#include "log/log.hpp"

#include <array>
#include <bit>

#include "base/check.hpp"
#include "base/crc32c.hpp"
#include "base/fail.hpp"

namespace plimsoll::log {

namespace {

constexpr std::size_t staging_bytes = 64u << 10;

Result<void> check_options(const LogOptions& options) {
  if (!std::has_single_bit(options.ring_bytes) || options.ring_bytes < 4 * io::block_bytes) {
    return fail(ErrorCode::invalid_argument, "log ring of {} bytes: must be a power of two, at least {}", options.ring_bytes,
                4 * io::block_bytes);
  }
  if (options.segment_bytes == 0 || options.segment_bytes % io::block_bytes != 0) {
    return fail(ErrorCode::invalid_argument, "log segments of {} bytes: must be a multiple of {}", options.segment_bytes,
                std::size_t{io::block_bytes});
  }
  if (options.bytes_max / options.segment_bytes < 2) {
    return fail(ErrorCode::invalid_argument, "log of {} bytes: must hold at least two segments of {}", options.bytes_max,
                options.segment_bytes);
  }
  return {};
}

}  // namespace

Log::Log(io::FileSystem& files, memory::PageProvider& provider, Metrics& metrics, TimeSource& time, LogOptions options,
         memory::Mapping ring, memory::Mapping staging)
    : files_(files),
      provider_(provider),
      metrics_(metrics),
      time_(time),
      options_(std::move(options)),
      segments_(files, options_.directory, options_.segment_bytes, options_.bytes_max),
      staging_(std::move(staging)),
      ring_(std::move(ring)) {}

Log::~Log() {
  PLIMSOLL_CHECK(room_waiters_.load() == 0 && space_waiters_.load() == 0);
  PLIMSOLL_DCHECK(promised_.load() == end_.load());  // no credit outlives its log
}

Result<std::unique_ptr<Log>> Log::make(io::FileSystem& files, memory::PageProvider& provider, Metrics& metrics, TimeSource& time,
                                       const LogOptions& options) {
  PLIMSOLL_TRY(check_options(options));
  PLIMSOLL_ASSIGN(memory::Mapping ring, provider.map(memory::Account::log_ring, options.ring_bytes));
  PLIMSOLL_ASSIGN(memory::Mapping staging, provider.map(memory::Account::log_ring, staging_bytes));
  return std::unique_ptr<Log>(new Log(files, provider, metrics, time, options, std::move(ring), std::move(staging)));
}

Result<std::unique_ptr<Log>> Log::create(io::FileSystem& files, memory::PageProvider& provider, Metrics& metrics, TimeSource& time,
                                         const LogOptions& options, Lsn begin) {
  PLIMSOLL_ASSIGN(std::unique_ptr<Log> log, make(files, provider, metrics, time, options));
  PLIMSOLL_TRY(log->segments_.create(begin));
  log->start_.store(begin.value);
  PLIMSOLL_TRY(log->begin_at(begin));
  return log;
}

Result<std::unique_ptr<Log>> Log::open(io::FileSystem& files, memory::PageProvider& provider, Metrics& metrics, TimeSource& time,
                                       const LogOptions& options, Lsn start, Lsn end) {
  PLIMSOLL_ASSIGN(std::unique_ptr<Log> log, make(files, provider, metrics, time, options));
  PLIMSOLL_TRY(log->segments_.open(start, end, start == end ? Segments::spares_max : 1));
  log->start_.store(start.value);
  PLIMSOLL_TRY(log->load_tail(end));
  PLIMSOLL_TRY(log->begin_at(end));
  return log;
}

// Before a crash records may have reached the disk beyond `end` while one before them did not. They are valid at their positions:
// were they left, then a new record that ends where one of them begins would call it back to life. A flush writes less than a
// ring's length beyond what is durable, and everything durable lies below `end`. But nobody knows how large the ring was that time:
// all that is there is wiped, before anything is appended (and of the spare segments but one is left, to have less to wipe). A log
// that begins where it ends was closed in order; then only an opening that did not come to its end can have left something, and
// that is no more than a checkpoint.
Result<void> Log::load_tail(Lsn end) {
  PLIMSOLL_CHECK(end.value % 8 == 0);
  const std::uint64_t begin = block_begin(end.value);
  const std::size_t used = end.value - begin;
  if (used != 0) {
    io::File& file = segments_.file_for_writing(begin);
    const std::span<char> block{staging_.data(), io::block_bytes};
    const std::uint64_t offset = begin % options_.segment_bytes;
    PLIMSOLL_TRY(file.read(offset, block));
    std::memset(block.data() + used, 0, block.size() - used);
    PLIMSOLL_TRY(file.write_durable(offset, block));
  }
  const bool in_order = start() == end;
  return segments_.wipe(block_end(end.value),
                        in_order ? block_end(end.value) + ring_.bytes() + io::block_bytes : segments_.ready_end());
}

// The used part of the block at `end` is in the staging buffer.
Result<void> Log::begin_at(Lsn end) {
  ring_.start(end.value, {staging_.data(), static_cast<std::size_t>(end.value - block_begin(end.value))});
  segments_.close_below(end.value);
  end_.store(end.value);
  promised_.store(end.value);
  durable_.store(end.value);
  announced_.store(end.value);
  PLIMSOLL_CHECK(start_.load() <= end.value && ring_.published(end.value) == end.value);
  return {};
}

Log::Span Log::claim(Credit& credit, std::size_t payload_bytes) {
  const std::uint64_t bytes = record_bytes(payload_bytes);
  PLIMSOLL_CHECK(credit.log_ == this && bytes <= credit.bytes_);
  PLIMSOLL_CHECK(bytes <= record_bytes_max);
  credit.bytes_ -= bytes;
  const std::uint64_t begin = end_.fetch_add(bytes, std::memory_order_seq_cst);
  return {Lsn{begin}, Lsn{begin + bytes}};
}

void Log::fill(Span at, Kind kind, std::span<const std::string_view> payload) {
  std::size_t payload_bytes = 0;
  for (const std::string_view piece : payload) payload_bytes += piece.size();
  const std::uint64_t bytes = at.end.value - at.begin.value;
  PLIMSOLL_CHECK(record_bytes(payload_bytes) == bytes);

  std::array<char, header_bytes - 8> head{static_cast<char>(kind)};
  const auto stored_bytes = static_cast<std::uint32_t>(payload_bytes);
  std::memcpy(head.data() + 4, &stored_bytes, sizeof stored_bytes);
  std::uint64_t position = at.begin.value + 8;
  std::uint32_t crc = record_crc(options_.salt, at.begin, {head.data(), head.size()});
  ring_.copy(position, {head.data(), head.size()});
  position += head.size();
  for (const std::string_view piece : payload) {
    crc = crc32c(crc, piece);
    ring_.copy(position, piece);
    position += piece.size();
  }
  static constexpr char padding[8] = {};
  PLIMSOLL_DCHECK(at.end.value - position < sizeof padding);
  crc = crc32c(crc, padding, at.end.value - position);  // the ring is zero there already
  ring_.publish(at.begin.value, static_cast<std::uint32_t>(bytes), crc);
  metrics_.add(Counter::log_records);
  metrics_.add(Counter::log_bytes, bytes);
}

Log::Span Log::append(Credit& credit, Kind kind, std::span<const std::string_view> payload) {
  std::size_t payload_bytes = 0;
  for (const std::string_view piece : payload) payload_bytes += piece.size();
  const Span at = claim(credit, payload_bytes);
  fill(at, kind, payload);
  return at;
}

void Log::cut(Lsn lsn) {
  PLIMSOLL_CHECK(lsn <= durable());
  std::uint64_t start = start_.load();
  while (start < lsn.value && !start_.compare_exchange_weak(start, lsn.value)) {}
  segments_.cut(lsn, promised_.load());
  wake_room_waiters();
}

bool Log::wants_cut(double share) const {
  if (space_waiters_.load(std::memory_order_seq_cst) != 0) return true;
  const std::uint64_t first = start().value / options_.segment_bytes * options_.segment_bytes;
  return static_cast<double>(end().value - first) > share * static_cast<double>(options_.bytes_max);
}

std::uint64_t Log::bytes_on_disk() const { return segments_.bytes_on_disk(); }

std::optional<Error> Log::failure() const {
  const MutexLock lock(room_mutex_);
  return failure_;
}

}  // namespace plimsoll::log
