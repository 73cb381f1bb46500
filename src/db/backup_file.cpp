#include "db/backup_file.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.hpp"
#include "base/crc32c.hpp"
#include "base/fail.hpp"
#include "base/optimistic.hpp"

namespace plimsoll::db {
namespace {

// A block: magic | CRC32C of all that follows it | kind | id | number | bytes of payload | payload, then zeroes.
namespace field {
constexpr std::size_t magic = 0, crc = 8, kind = 12, id = 16, number = 24, used = 32, payload = 36;
}
// The payload of the header, and that of the end.
namespace head {
constexpr std::size_t version = field::payload, page_bytes = version + 4, zero = version + 8, salt = version + 12,
                      timestamp = version + 20, position = version + 28, follow_from = version + 36, bytes = 44;
}
namespace tail {
constexpr std::size_t tables = field::payload, records = tables + 8, record_bytes = tables + 16, bytes = 24;
}
constexpr std::string_view magic = "PLIMBAK1";
constexpr std::size_t payload_bytes = backup_block_bytes - field::payload;
constexpr std::size_t blocks_at_once = 4;

// Of the stream: a byte that says what comes, the sizes, the text; a record's value follows its key.
constexpr char table_follows = 1, record_follows = 2;
constexpr std::size_t table_head_bytes = 3, record_head_bytes = 7;
constexpr std::size_t name_bytes_max = 255;

bool has_magic(const char* block) { return std::memcmp(block + field::magic, magic.data(), magic.size()) == 0; }
std::uint32_t crc_of(const char* block) { return crc32c(0, block + field::kind, backup_block_bytes - field::kind); }

}  // namespace

// --- writing ---

Result<BackupWriter> BackupWriter::begin(std::unique_ptr<io::File> file, memory::PageProvider& provider,
                                         const BackupHeader& header) {
  PLIMSOLL_ASSIGN(memory::Mapping buffer, provider.map(memory::Account::io_buffers, blocks_at_once * backup_block_bytes));
  BackupWriter writer(std::move(file), std::move(buffer), header.id);
  char* const block = writer.payload() - field::payload;
  page_store<std::uint32_t>(block + head::version, backup_format_version);
  page_store<std::uint32_t>(block + head::page_bytes, header.page_bytes);
  page_store<std::uint32_t>(block + head::zero, 0);
  page_store<std::uint64_t>(block + head::salt, header.salt);
  page_store<std::uint64_t>(block + head::timestamp, header.timestamp.value);
  page_store<std::uint64_t>(block + head::position, header.position.value);
  page_store<std::uint64_t>(block + head::follow_from, header.follow_from.value);
  writer.used_ = head::bytes;
  PLIMSOLL_TRY(writer.close_block(BackupBlock::header));
  return writer;
}

char* BackupWriter::payload() { return buffer_.data() + ready_ * backup_block_bytes + field::payload; }

Result<void> BackupWriter::close_block(BackupBlock kind) {
  char* const block = payload() - field::payload;
  std::memset(payload() + used_, 0, payload_bytes - used_);
  std::memcpy(block + field::magic, magic.data(), magic.size());
  page_store<std::uint32_t>(block + field::kind, static_cast<std::uint32_t>(kind));
  page_store<std::uint64_t>(block + field::id, id_);
  page_store<std::uint64_t>(block + field::number, block_++);
  page_store<std::uint32_t>(block + field::used, static_cast<std::uint32_t>(used_));
  page_store<std::uint32_t>(block + field::crc, crc_of(block));
  used_ = 0;
  return ++ready_ == blocks_at_once ? flush() : Result<void>{};
}

Result<void> BackupWriter::flush() {
  PLIMSOLL_TRY(file_->write(total_.file_bytes, {buffer_.data(), ready_ * backup_block_bytes}));
  total_.file_bytes += ready_ * backup_block_bytes;
  ready_ = 0;
  return {};
}

Result<std::span<char>> BackupWriter::room() {
  if (used_ == payload_bytes) PLIMSOLL_TRY(close_block(BackupBlock::records));
  return std::span(payload() + used_, payload_bytes - used_);
}

void BackupWriter::used(std::size_t bytes) {
  PLIMSOLL_CHECK(bytes <= payload_bytes - used_);
  used_ += bytes;
}

Result<void> BackupWriter::write(Bytes bytes) {
  while (!bytes.empty()) {
    PLIMSOLL_ASSIGN(const std::span<char> into, room());
    const std::size_t now = std::min(bytes.size(), into.size());
    std::memcpy(into.data(), bytes.data(), now);
    used(now);
    bytes.remove_prefix(now);
  }
  return {};
}

Result<void> BackupWriter::add_table(Bytes name) {
  PLIMSOLL_CHECK(name.size() <= name_bytes_max);
  std::array<char, table_head_bytes> start{table_follows};
  page_store<std::uint16_t>(start.data() + 1, static_cast<std::uint16_t>(name.size()));
  PLIMSOLL_TRY(write({start.data(), start.size()}));
  ++total_.tables;
  return write(name);
}

Result<void> BackupWriter::add_record(Bytes key, std::uint32_t value_bytes) {
  std::array<char, record_head_bytes> start{record_follows};
  page_store<std::uint16_t>(start.data() + 1, static_cast<std::uint16_t>(key.size()));
  page_store<std::uint32_t>(start.data() + 3, value_bytes);
  PLIMSOLL_TRY(write({start.data(), start.size()}));
  ++total_.records;
  total_.record_bytes += key.size() + value_bytes;
  return write(key);
}

Result<void> BackupWriter::finish() {
  if (used_ != 0) PLIMSOLL_TRY(close_block(BackupBlock::records));
  char* const block = payload() - field::payload;
  page_store<std::uint64_t>(block + tail::tables, total_.tables);
  page_store<std::uint64_t>(block + tail::records, total_.records);
  page_store<std::uint64_t>(block + tail::record_bytes, total_.record_bytes);
  used_ = tail::bytes;
  PLIMSOLL_TRY(close_block(BackupBlock::end));
  if (ready_ != 0) PLIMSOLL_TRY(flush());
  return file_->sync();
}

// --- reading ---

std::unexpected<Error> BackupReader::damaged(std::string_view what) const {
  return fail(ErrorCode::corruption, "block {} of {} {}, in the backup {}", block_, blocks_, what, name_);
}

Result<BackupReader> BackupReader::open(io::FileSystem& files, memory::PageProvider& provider, std::string name) {
  PLIMSOLL_ASSIGN(auto file, files.open(name, io::OpenMode::read_only, false));
  PLIMSOLL_ASSIGN(memory::Mapping buffer, provider.map(memory::Account::io_buffers, backup_block_bytes));
  BackupReader reader(std::move(file), std::move(buffer), std::move(name));
  PLIMSOLL_TRY(reader.read_header());
  return reader;
}

// The magic and the version stand where they are in every version; all else may differ.
Result<void> BackupReader::read_header() {
  PLIMSOLL_ASSIGN(const std::uint64_t bytes, file_->size());
  blocks_ = bytes / backup_block_bytes;
  const char* const block = buffer_.data();
  PLIMSOLL_TRY(file_->read(0, {buffer_.data(), backup_block_bytes}));
  if (!has_magic(block))
    return fail(ErrorCode::invalid_argument, "no backup of Plimsoll, it does not begin with {}: {}", magic, name_);
  if (const auto version = page_load<std::uint32_t>(block + head::version); version != backup_format_version)
    return fail(ErrorCode::version_mismatch, "a backup of format version {}, this program reads version {}: {}", version,
                backup_format_version, name_);
  if (bytes % backup_block_bytes != 0)
    return fail(ErrorCode::corruption, "the backup is cut off: {} bytes are no whole blocks of {}: {}", bytes, backup_block_bytes,
                name_);
  header_.id = page_load<std::uint64_t>(block + field::id);
  PLIMSOLL_ASSIGN(const BackupBlock kind, check_block());
  if (kind != BackupBlock::header || used_ != head::bytes) return damaged("is no header");
  header_.page_bytes = page_load<std::uint32_t>(block + head::page_bytes);
  header_.salt = page_load<std::uint64_t>(block + head::salt);
  header_.timestamp = Timestamp{page_load<std::uint64_t>(block + head::timestamp)};
  header_.position = Lsn{page_load<std::uint64_t>(block + head::position)};
  header_.follow_from = Lsn{page_load<std::uint64_t>(block + head::follow_from)};
  at_ = used_;
  return {};
}

Result<BackupBlock> BackupReader::check_block() {
  const char* const block = buffer_.data();
  if (!has_magic(block) || page_load<std::uint32_t>(block + field::crc) != crc_of(block)) return damaged("is damaged (checksum)");
  if (page_load<std::uint64_t>(block + field::id) != header_.id) return damaged("belongs to another backup");
  if (const auto number = page_load<std::uint64_t>(block + field::number); number != block_)
    return damaged(fmt::format("is out of place (it is number {})", number));
  used_ = page_load<std::uint32_t>(block + field::used);
  if (used_ > payload_bytes) return damaged("holds more than fits");
  at_ = 0;
  total_.file_bytes += backup_block_bytes;
  return BackupBlock{page_load<std::uint32_t>(block + field::kind)};
}

Result<BackupBlock> BackupReader::read_block() {
  if (++block_ >= blocks_)
    return fail(ErrorCode::corruption, "the backup is cut off behind block {}, its end is missing: {}", blocks_ - 1, name_);
  PLIMSOLL_TRY(file_->read(block_ * backup_block_bytes, {buffer_.data(), backup_block_bytes}));
  return check_block();
}

// There are bytes of the stream left, and they are in the buffer now.
Result<void> BackupReader::more() {
  if (at_ != used_) return {};
  PLIMSOLL_ASSIGN(const BackupBlock kind, read_block());
  if (kind != BackupBlock::records || used_ == 0) return damaged("comes in the middle of a record");
  return {};
}

Result<void> BackupReader::fetch(std::span<char> into) {
  while (!into.empty()) {
    PLIMSOLL_TRY(more());
    const std::size_t now = std::min(into.size(), used_ - at_);
    std::memcpy(into.data(), buffer_.data() + field::payload + at_, now);
    at_ += now;
    into = into.subspan(now);
  }
  return {};
}

Result<Bytes> BackupReader::piece() {
  if (value_left_ == 0) return Bytes{};
  PLIMSOLL_TRY(more());
  const std::size_t now = std::min<std::size_t>(value_left_, used_ - at_);
  const Bytes found(buffer_.data() + field::payload + at_, now);
  at_ += now;
  value_left_ -= static_cast<std::uint32_t>(now);
  return found;
}

Result<BackupReader::Entry> BackupReader::next() {
  while (value_left_ != 0) PLIMSOLL_TRY(piece());
  if (at_ == used_) {  // only between entries may the end come
    PLIMSOLL_ASSIGN(const BackupBlock kind, read_block());
    if (kind == BackupBlock::end) return end();
    if (kind != BackupBlock::records || used_ == 0) return damaged("holds no records");
  }
  std::array<char, record_head_bytes> start;
  PLIMSOLL_TRY(fetch(std::span(start).first(1)));
  const bool is_record = start[0] == record_follows;
  if (!is_record && start[0] != table_follows) return damaged("holds neither a table nor a record");
  PLIMSOLL_TRY(fetch(std::span(start).subspan(1, (is_record ? record_head_bytes : table_head_bytes) - 1)));
  const std::size_t text_bytes = page_load<std::uint16_t>(start.data() + 1);
  if (text_bytes > text_.size() || (is_record && (text_bytes == 0 || total_.tables == 0)))
    return damaged("holds no possible record");
  PLIMSOLL_TRY(fetch(std::span(text_).first(text_bytes)));
  Entry entry{is_record ? Kind::record : Kind::table, {text_.data(), text_bytes}, 0};
  if (is_record) entry.value_bytes = value_left_ = page_load<std::uint32_t>(start.data() + 3);
  (is_record ? total_.records : total_.tables) += 1;
  total_.record_bytes += is_record ? text_bytes + value_left_ : 0;
  return entry;
}

Result<BackupReader::Entry> BackupReader::end() {
  const char* const block = buffer_.data();
  if (used_ != tail::bytes || page_load<std::uint64_t>(block + tail::tables) != total_.tables ||
      page_load<std::uint64_t>(block + tail::records) != total_.records ||
      page_load<std::uint64_t>(block + tail::record_bytes) != total_.record_bytes)
    return damaged("says other totals than were found");
  if (block_ + 1 != blocks_) return damaged("is the end, but others follow");
  return Entry{Kind::end, {}, 0};
}

}  // namespace plimsoll::db
