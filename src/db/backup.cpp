#include "db/backup.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "base/fail.hpp"
#include "db/backup_file.hpp"

namespace plimsoll::db {

io::FileSystem& backup_files(Environment* environment) {
  static const std::unique_ptr<io::FileSystem> plain = io::make_plain_file_system();
  return environment != nullptr ? *environment->files : *plain;
}

namespace {

// A file that gets its name when it is complete. Until then, and if it never is, nothing of that name is there.
class PendingFile {
 public:
  PendingFile(io::FileSystem& files, std::string_view name) : files_(files), name_(name), partial_(name_ + ".partial") {}
  PendingFile(const PendingFile&) = delete;
  PendingFile& operator=(const PendingFile&) = delete;
  ~PendingFile() {
    if (!there_.empty()) static_cast<void>(files_.remove(there_));
  }

  Result<std::unique_ptr<io::File>> create() {
    PLIMSOLL_ASSIGN(const bool exists, files_.exists(name_));
    if (exists) return fail(ErrorCode::already_exists, "{} is there already; a backup replaces no file", name_);
    auto file = files_.open(partial_, io::OpenMode::create, true);
    if (!file && file.error().code() == ErrorCode::already_exists)
      return fail(ErrorCode::already_exists, "{} is there: another backup writes it, or was interrupted; then remove it", partial_);
    if (!file) return file;
    there_ = partial_;
    return file;
  }
  // All of it is on stable storage.
  Result<void> complete() {
    PLIMSOLL_TRY(files_.rename(partial_, name_));
    there_ = name_;
    PLIMSOLL_TRY(files_.sync_directory(io::folder_of(name_)));
    there_.clear();
    return {};
  }

 private:
  io::FileSystem& files_;
  const std::string name_, partial_;
  std::string there_;  // what is removed if it does not come to an end
};

struct Snapshot {
  Transaction transaction;
  Standing standing;
};

// Tables have no versions: one that is made is there at once, in all snapshots. If the list is the same before and after the
// snapshot is taken, it is that of the snapshot. Once the transaction runs, none of them can be dropped.
Result<Snapshot> take_snapshot(Store& store) {
  constexpr int tries_max = 1000;
  const TransactionOptions how{
      .read_only = true, .deadline = std::chrono::milliseconds(0), .with_position = true, .label = "backup"};
  PLIMSOLL_ASSIGN(Standing before, store.catalogue().standing());
  for (int tries = 0; tries < tries_max; ++tries) {
    PLIMSOLL_ASSIGN(Transaction transaction, store.begin(how));
    PLIMSOLL_ASSIGN(Standing after, store.catalogue().standing());
    if (before == after) return Snapshot{std::move(transaction), std::move(after)};
    before = std::move(after);
  }
  return fail(ErrorCode::busy, "tables are made or dropped all the time: no backup can begin");
}

class Walk {
 public:
  Walk(Store& store, Transaction& transaction, BackupWriter& writer, const BackupWatcher& watch)
      : store_(store), transaction_(transaction), writer_(writer), watch_(watch) {}

  Result<void> table(const TableInfo& info, std::uint32_t opened) {
    const Table table(info.tree, store_.salt(), opened);
    PLIMSOLL_TRY(writer_.add_table(info.name));
    PLIMSOLL_ASSIGN(Cursor cursor, transaction_.cursor(table));
    for (;;) {
      PLIMSOLL_ASSIGN(const bool more, cursor.next());
      if (!more) break;
      if (cursor.large()) {
        PLIMSOLL_TRY(large(table, cursor.key()));
      } else {
        PLIMSOLL_TRY(writer_.add_record(cursor.key(), static_cast<std::uint32_t>(cursor.value().size())));
        PLIMSOLL_TRY(writer_.write(cursor.value()));
      }
      PLIMSOLL_TRY(tell());
    }
    return {};
  }
  // Once for each piece of the file.
  Result<void> tell() {
    if (writer_.total().file_bytes == told_) return {};
    told_ = writer_.total().file_bytes;
    if (watch_ && !watch_(writer_.total())) return fail(ErrorCode::transaction_aborted, "the backup was called off");
    rest();
    return {};
  }

 private:
  Result<void> large(const Table& table, Bytes key) {
    PLIMSOLL_ASSIGN(auto reader, transaction_.open_reader(table, key));
    if (!reader) return fail(ErrorCode::corruption, "a value that the cursor has found is gone");
    PLIMSOLL_TRY(writer_.add_record(key, static_cast<std::uint32_t>(reader->size())));
    for (std::uint64_t left = reader->size(); left != 0;) {
      PLIMSOLL_ASSIGN(const std::span<char> room, writer_.room());
      PLIMSOLL_ASSIGN(const std::size_t got, reader->read(room.first(std::min<std::size_t>(room.size(), left))));
      if (got == 0) return fail(ErrorCode::corruption, "a value ends {} bytes early", left);
      writer_.used(got);
      left -= got;
      PLIMSOLL_TRY(tell());
    }
    return {};
  }

  // While others write, it leaves most of the processors and of the disk to them: after a piece it rests for twice as long as the
  // piece took, but not much longer than a quick one takes. For what pieces need more of is old versions, of which there are the
  // more, the longer the backup takes.
  void rest() {
    using std::chrono::steady_clock;
    constexpr steady_clock::duration rest_max = std::chrono::milliseconds(4);
    if (!store_.options().background_threads) return;
    const Lsn written = store_.log().end();
    if (std::exchange(written_, written) != written)
      std::this_thread::sleep_for(std::min(2 * (steady_clock::now() - rested_), rest_max));
    rested_ = steady_clock::now();
  }

  Store& store_;
  Transaction& transaction_;
  BackupWriter& writer_;
  const BackupWatcher& watch_;
  std::uint64_t told_ = 0;
  std::chrono::steady_clock::time_point rested_ = std::chrono::steady_clock::now();
  Lsn written_ = store_.log().end();
};

}  // namespace

Result<BackupReport> backup(Store& store, std::string_view file, const BackupWatcher& watch) {
  if (file.empty() || file.back() == '/')
    return fail(ErrorCode::invalid_argument, "a backup needs the name of a file, not '{}'", file);
  PendingFile pending(backup_files(store.options().environment), file);
  PLIMSOLL_ASSIGN(auto handle, pending.create());
  PLIMSOLL_ASSIGN(Snapshot snapshot, take_snapshot(store));
  const BackupHeader header{.id = store.back_off_random().next(),
                            .page_bytes = store.page_bytes(),
                            .salt = store.salt(),
                            .timestamp = snapshot.transaction.snapshot(),
                            .position = snapshot.transaction.position(),
                            .follow_from = snapshot.transaction.follow_from()};
  PLIMSOLL_ASSIGN(BackupWriter writer, BackupWriter::begin(std::move(handle), store.engine().provider, header));
  Walk walk(store, snapshot.transaction, writer, watch);
  for (const TableInfo& table : snapshot.standing.tables) PLIMSOLL_TRY(walk.table(table, snapshot.standing.drops));
  PLIMSOLL_TRY(snapshot.transaction.commit());  // the log is durable up to the position
  PLIMSOLL_TRY(writer.finish());
  PLIMSOLL_TRY(pending.complete());
  return BackupReport{header.position, header.follow_from, header.timestamp, header.salt, header.page_bytes, writer.total()};
}

}  // namespace plimsoll::db
