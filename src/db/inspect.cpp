#include "plimsoll/inspect.hpp"

#include <fmt/format.h>

#include <array>

#include "base/fail.hpp"
#include "base/optimistic.hpp"
#include "io/file.hpp"
#include "log/log.hpp"
#include "memory/page_provider.hpp"
#include "storage/superblock.hpp"

namespace plimsoll {

namespace {

std::string_view describe(log::Validity why) {
  switch (why) {
    case log::Validity::valid: return "end of log";
    case log::Validity::zero: return "end of log";
    case log::Validity::incomplete: return "the record is cut off: recovery ends the log here";
    case log::Validity::bad_header: return "the header makes no sense: recovery ends the log here";
    case log::Validity::bad_checksum:
      return "the checksum is wrong: recovery ends the log here (a torn tail, an older use of the segment, or damage)";
    case log::Validity::unknown_kind: return "the record's kind is unknown: recovery ends the log here";
  }
  return "";
}

log::LogOptions log_options(std::string_view path, const storage::Superblock& super) {
  log::LogOptions options;
  options.directory = fmt::format("{}/{}", path, storage::log_directory_name);
  options.salt = super.salt;
  options.segment_bytes = super.segment_bytes;
  return options;
}

Result<std::uint64_t> file_bytes(io::FileSystem& files, const std::string& name) {
  PLIMSOLL_ASSIGN(const auto handle, files.open(name, io::OpenMode::read_only, false));
  return handle->size();
}

}  // namespace

Result<StoreIdentity> identify(std::string_view path) {
  const auto files = io::make_plain_file_system();
  StoreIdentity what;
  PLIMSOLL_ASSIGN(const bool exists, files->exists(path));
  if (!exists) return fail(ErrorCode::not_found, "nothing at {}", path);
  auto super = storage::read_superblock(*files, path);
  if (!super && super.error().code() == ErrorCode::version_mismatch) {  // the version stands at the same place in every version
    PLIMSOLL_ASSIGN(const auto block,
                    files->open(fmt::format("{}/{}", path, storage::superblock_name), io::OpenMode::read_only, false));
    std::array<char, 12> head{};
    PLIMSOLL_TRY(block->read(0, head));
    what.format_version = page_load<std::uint32_t>(head.data() + 8);
  }
  if (!super) {
    what.description = fmt::format("{}: no Plimsoll store ({})", path, super.error().message());
    return what;
  }
  what.is_store = true;
  what.format_version = storage::format_version;
  what.page_size = super->page_bytes;
  what.log_segment_bytes = super->segment_bytes;
  what.salt = super->salt;
  what.clean = super->clean;
  what.checkpoint_lsn = super->checkpoint_lsn;
  if (auto bytes = file_bytes(*files, fmt::format("{}/{}", path, storage::data_name))) what.data_bytes = *bytes;
  const std::string log_directory = fmt::format("{}/{}", path, storage::log_directory_name);
  if (auto segments = files->list(log_directory))
    for (const std::string& segment : *segments)
      if (auto bytes = file_bytes(*files, log_directory + "/" + segment)) what.log_bytes += *bytes;
  if (auto holder = files->lock_holder(fmt::format("{}/{}", path, storage::lock_name))) what.holder_pid = *holder;
  what.description = fmt::format("{}: Plimsoll store, format {}, {} byte pages, {}{}", path, what.format_version, what.page_size,
                                 what.clean ? "closed in order" : "to be recovered",
                                 what.holder_pid != 0 ? fmt::format(", open in process {}", what.holder_pid) : "");
  return what;
}

Result<LogDumpReport> dump_log(std::string_view path, Lsn from, const std::function<bool(const LogRecordInfo&)>& each) {
  const auto files = io::make_plain_file_system();
  PLIMSOLL_ASSIGN(const storage::Superblock super, storage::read_superblock(*files, path));
  memory::MemoryBudget budget(memory::MemoryBudget::least_bytes);
  memory::PageProvider provider(budget);
  const log::LogOptions options = log_options(path, super);
  LogDumpReport report;
  // Records begin anywhere in the stream: a checkpoint, or where the log was cut, is a place where one is known to begin.
  const std::uint64_t known = super.clean ? super.log_end : super.checkpoint_lsn;
  report.begin = from ? from : Lsn{known};
  bool wanted = true;
  PLIMSOLL_ASSIGN(const log::ScanEnd end,
                  log::scan(*files, provider, options, report.begin, [&](const log::Record& record) -> Result<bool> {
                    const std::string text = log::describe(record);
                    LogRecordInfo info;
                    info.lsn = record.begin;
                    info.bytes = static_cast<std::uint32_t>(record.end.value - record.begin.value);
                    info.kind = log::name(record.kind);
                    info.summary = text;
                    if (record.kind != log::Kind::pages && record.kind != log::Kind::checkpoint)
                      info.transaction = TxnId{log::Reader(record.payload).number<std::uint64_t>()};
                    ++report.records;
                    wanted = each(info);
                    return wanted;
                  }));
  report.end = end.end;
  report.end_reason = !wanted               ? "stopped by the caller"
                      : end.segment_missing ? "end of log: no further segment"
                                            : std::string(describe(end.why));
  return report;
}

}  // namespace plimsoll
