// Reading records: of a closed log up to its first invalid record, and of a running one up to what is durable.
#include <limits>

#include "base/check.hpp"
#include "base/fail.hpp"
#include "log/log.hpp"
#include "log/segment_reader.hpp"

namespace plimsoll::log {

Result<ScanEnd> scan(io::FileSystem& files, memory::PageProvider& provider, const LogOptions& options, Lsn from,
                     const std::function<Result<bool>(const Record&)>& each) {
  constexpr std::uint64_t no_limit = std::numeric_limits<std::uint64_t>::max() / 2;
  if (from.value >= no_limit) return fail(ErrorCode::invalid_argument, "log position {} is out of range", from.value);
  PLIMSOLL_ASSIGN(SegmentReader reader, SegmentReader::make(files, provider, options));
  ScanEnd end{.end = from, .why = Validity::valid};
  bool goes_on = true;
  while (goes_on) {
    Record record;
    PLIMSOLL_ASSIGN(end.why, reader.record_at(end.end.value, no_limit, record));
    if (end.why != Validity::valid) break;
    PLIMSOLL_DCHECK(record.begin == end.end);
    end.end = record.end;
    PLIMSOLL_ASSIGN(goes_on, each(record));
  }
  end.segment_missing = end.why == Validity::incomplete && reader.segment_missing();
  return end;
}

Result<Lsn> first_position(io::FileSystem& files, const LogOptions& options) {
  PLIMSOLL_ASSIGN(const auto indexes, list_segments(files, options.directory));
  if (indexes.empty()) return fail(ErrorCode::not_found, "no log segment in {}", options.directory);
  return Lsn{indexes.front() * options.segment_bytes};
}

Result<Lsn> Log::read(Lsn from, const std::function<bool(const Record&)>& each) {
  const Lsn limit = durable();
  if (from > limit) return fail(ErrorCode::invalid_argument, "log position {} is not durable yet, {} is", from.value, limit.value);
  PLIMSOLL_ASSIGN(SegmentReader reader, SegmentReader::make(files_, provider_, options_));
  Lsn at = from;
  while (at < limit) {
    Record record;
    PLIMSOLL_ASSIGN(const Validity validity, reader.record_at(at.value, limit.value, record));
    // Looked at after reading: what a cut took away meanwhile may have been overwritten.
    if (at < start())
      return fail(ErrorCode::not_found, "log position {} has been cut, the log begins at {}", at.value, start().value);
    if (validity != Validity::valid) return fail(ErrorCode::corruption, "no valid log record at position {}", at.value);
    PLIMSOLL_DCHECK(record.end <= limit);
    at = record.end;
    if (!each(record)) break;
  }
  if (from < start() && at == from) return fail(ErrorCode::not_found, "log position {} has been cut", from.value);
  return at;
}

}  // namespace plimsoll::log
