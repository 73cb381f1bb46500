// The file of a backup (docs/backup-format.md): a row of blocks of 64 KiB, each with its number, the backup's id and a checksum.
// The first one says what the backup is of, the last one how much it holds; those between carry a stream of tables and records.
//
// A file is a backup if and only if its size is a multiple of the block, each block is intact, has the number of its place and the
// id of the first one, the first one is the only header, the last one is the only end, the stream is made of whole entries, and the
// totals are those of the stream. Whatever else lies there is refused, and the error names the block.
//
// A writer or reader is used by one thread. Its buffer comes from the provider (Account::io_buffers).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "io/file.hpp"
#include "memory/page_provider.hpp"
#include "plimsoll/backup.hpp"

namespace plimsoll::db {

inline constexpr std::size_t backup_block_bytes = 64u << 10;
inline constexpr std::uint32_t backup_format_version = 2;

enum class BackupBlock : std::uint32_t { header = 1, records = 2, end = 3 };

struct BackupHeader {
  std::uint64_t id = 0;  // drawn for this backup
  std::uint32_t page_bytes = 0;
  std::uint64_t salt = 0;
  Timestamp timestamp{};
  Lsn position{};
  Lsn follow_from{};
};

class BackupWriter {
 public:
  // `file` is new and empty.
  static Result<BackupWriter> begin(std::unique_ptr<io::File> file, memory::PageProvider& provider, const BackupHeader& header);

  Result<void> add_table(Bytes name);
  // The value's bytes follow, all of them: through write(), or into what room() answers, of which used() tells how much.
  Result<void> add_record(Bytes key, std::uint32_t value_bytes);
  Result<void> write(Bytes bytes);
  Result<std::span<char>> room();
  void used(std::size_t bytes);
  // Writes what is left and the end, and syncs.
  Result<void> finish();

  const BackupProgress& total() const { return total_; }

 private:
  BackupWriter(std::unique_ptr<io::File> file, memory::Mapping buffer, std::uint64_t id)
      : file_(std::move(file)), buffer_(std::move(buffer)), id_(id) {}
  char* payload();
  Result<void> close_block(BackupBlock kind);
  Result<void> flush();

  std::unique_ptr<io::File> file_;
  memory::Mapping buffer_;  // blocks_at_once of them
  std::uint64_t id_;
  std::uint64_t block_ = 0;  // number of the one that is being filled
  std::size_t ready_ = 0;    // blocks before it in the buffer
  std::size_t used_ = 0;     // of its payload
  BackupProgress total_;
};

class BackupReader {
 public:
  enum class Kind : std::uint8_t { table, record, end };
  struct Entry {
    Kind kind{};
    Bytes name{};  // of the table, or the record's key; valid until the next call
    std::uint32_t value_bytes = 0;
  };

  // `name` is for messages.
  static Result<BackupReader> open(io::FileSystem& files, memory::PageProvider& provider, std::string name);

  const BackupHeader& header() const { return header_; }
  // The next table or record; what is left of the value before it is passed over.
  Result<Entry> next();
  // The next piece of the record's value, valid until the next call; empty: the end.
  Result<Bytes> piece();
  // What has been read so far; at the end, it is what the end block says.
  const BackupProgress& total() const { return total_; }

 private:
  BackupReader(std::unique_ptr<io::File> file, memory::Mapping buffer, std::string name)
      : file_(std::move(file)), buffer_(std::move(buffer)), name_(std::move(name)) {}
  Result<void> read_header();
  Result<BackupBlock> read_block();
  Result<BackupBlock> check_block();
  Result<void> more();
  Result<void> fetch(std::span<char> into);
  Result<Entry> end();
  std::unexpected<Error> damaged(std::string_view what) const;

  std::unique_ptr<io::File> file_;
  memory::Mapping buffer_;  // one block
  std::string name_;
  BackupHeader header_;
  std::uint64_t blocks_ = 0;  // of the file
  std::uint64_t block_ = 0;   // number of the one in the buffer
  std::size_t at_ = 0, used_ = 0;
  std::uint32_t value_left_ = 0;
  BackupProgress total_;
  std::array<char, 1024> text_{};  // a key or a name
};

}  // namespace plimsoll::db
