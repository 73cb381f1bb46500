// Reading backups: check_backup, and restore_backup, which loads one into a new store.
#include <fmt/format.h>

#include <cstring>
#include <optional>

#include "base/fail.hpp"
#include "db/backup.hpp"
#include "db/backup_file.hpp"

namespace plimsoll {

namespace db {
namespace {

using Kind = BackupReader::Kind;

// Tells of each piece of the file that has been read.
class Watched {
 public:
  explicit Watched(const BackupWatcher& watch) : watch_(watch) {}
  Result<void> look(const BackupProgress& progress, std::string_view what) {
    if (progress.file_bytes == told_) return {};
    told_ = progress.file_bytes;
    if (watch_ && !watch_(progress)) return fail(ErrorCode::transaction_aborted, "the {} was called off", what);
    return {};
  }

 private:
  const BackupWatcher& watch_;
  std::uint64_t told_ = 0;
};

BackupReport report_of(const BackupReader& reader) {
  const BackupHeader& header = reader.header();
  return {header.position, header.follow_from, header.timestamp, header.salt, header.page_bytes, reader.total()};
}

// Puts records into the store, in the order of the backup, in transactions of a bounded size.
class Loading {
 public:
  static Result<Loading> begin(Store& store) {
    Loading loading(store);
    PLIMSOLL_ASSIGN(loading.whole_, store.engine().provider.map(memory::Account::io_buffers, backup_block_bytes));
    return loading;
  }

  Result<void> table(Bytes name) {
    PLIMSOLL_ASSIGN(const TreeId tree, store_->catalogue().create(name));
    table_ = Table(tree, store_->salt(), store_->engine().drops.load());
    return {};
  }
  Result<void> record(BackupReader& reader, const BackupReader::Entry& entry, const std::function<Result<void>()>& look) {
    if (!transaction_.active()) {
      PLIMSOLL_ASSIGN(
          transaction_,
          store_->begin({.durability = Durability::relaxed, .deadline = std::chrono::milliseconds(0), .label = "restore"}));
      records_ = bytes_ = 0;
    }
    PLIMSOLL_TRY(entry.value_bytes <= whole_.bytes() ? put(reader, entry) : stream(reader, entry, look));
    bytes_ += entry.name.size() + entry.value_bytes;
    return ++records_ == records_max || bytes_ >= bytes_max ? commit() : Result<void>{};
  }
  Result<void> finish() { return transaction_.active() ? commit() : Result<void>{}; }

 private:
  static constexpr std::uint64_t records_max = 1000, bytes_max = 1u << 20;
  explicit Loading(Store& store) : store_(&store) {}

  Result<void> put(BackupReader& reader, const BackupReader::Entry& entry) {
    PLIMSOLL_ASSIGN(Bytes value, reader.piece());
    if (value.size() < entry.value_bytes) {  // it goes on in the next block
      std::size_t filled = 0;
      while (!value.empty()) {
        std::memcpy(whole_.data() + filled, value.data(), value.size());
        filled += value.size();
        PLIMSOLL_ASSIGN(value, reader.piece());
      }
      value = {whole_.data(), filled};
    }
    return transaction_.insert(table_, entry.name, value);
  }
  Result<void> stream(BackupReader& reader, const BackupReader::Entry& entry, const std::function<Result<void>()>& look) {
    PLIMSOLL_ASSIGN(ValueWriter writer, transaction_.open_writer(table_, entry.name));
    for (;;) {
      PLIMSOLL_ASSIGN(const Bytes piece, reader.piece());
      if (piece.empty()) return writer.finish();
      PLIMSOLL_TRY(writer.write(piece));
      PLIMSOLL_TRY(look());
    }
  }
  Result<void> commit() {
    PLIMSOLL_TRY(transaction_.commit());
    if (!store_->options().background_threads) store_->run_background();
    return {};
  }

  Store* store_;
  memory::Mapping whole_;  // a value that lies in two blocks
  Table table_;
  Transaction transaction_;
  std::uint64_t records_ = 0, bytes_ = 0;  // of the transaction
};

Result<BackupReport> load(Store& store, BackupReader& reader, const BackupWatcher& watch) {
  PLIMSOLL_ASSIGN(Loading loading, Loading::begin(store));
  Watched watched(watch);
  const std::function<Result<void>()> look = [&] { return watched.look(reader.total(), "restore"); };
  for (;;) {
    PLIMSOLL_ASSIGN(const BackupReader::Entry entry, reader.next());
    if (entry.kind == Kind::end) break;
    PLIMSOLL_TRY(entry.kind == Kind::table ? loading.table(entry.name) : loading.record(reader, entry, look));
    PLIMSOLL_TRY(look());
  }
  PLIMSOLL_TRY(loading.finish());
  return report_of(reader);
}

Result<void> verify(Store& store, const BackupReport& report) {
  PLIMSOLL_ASSIGN(const VerifyReport found, store.verify({}));
  if (!found.problems.empty())
    return fail(ErrorCode::corruption, "the restored store has problems, the first on page {}: {}", found.problems.front().page,
                found.problems.front().what);
  if (found.records != report.total.records)
    return fail(ErrorCode::corruption, "the restored store has {} records, the backup {}", found.records, report.total.records);
  return {};
}

// A store below a name of its own until it is complete. Removes what there is if it never is.
class PendingStore {
 public:
  PendingStore(io::FileSystem& files, std::string_view path)
      : files_(files), path_(io::without_trailing_slashes(path)), partial_(path_ + ".partial") {}
  PendingStore(const PendingStore&) = delete;
  PendingStore& operator=(const PendingStore&) = delete;
  ~PendingStore() {
    store_.reset();
    if (begun_) remove(partial_);
  }

  Result<Store*> open(const Options& options) {
    for (const std::string* name : {&path_, &partial_}) {
      PLIMSOLL_ASSIGN(const bool exists, files_.exists(*name));
      if (exists && name == &path_) return fail(ErrorCode::already_exists, "{} is there already; restore makes a new store", path_);
      if (exists)
        return fail(ErrorCode::already_exists, "{} is there: another restore fills it, or was interrupted; then remove it",
                    partial_);
    }
    auto opened = Store::open(partial_, options);
    // Somebody else may have been first: then nothing there is ours.
    begun_ = opened || (opened.error().code() != ErrorCode::busy && opened.error().code() != ErrorCode::already_exists);
    PLIMSOLL_ASSIGN(store_, std::move(opened));
    return store_.get();
  }
  Result<void> complete() {
    PLIMSOLL_TRY(store_->close());
    store_.reset();
    PLIMSOLL_TRY(files_.rename(partial_, path_));
    partial_ = path_;
    PLIMSOLL_TRY(files_.sync_directory(io::folder_of(path_)));
    begun_ = false;
    return {};
  }

 private:
  void remove(const std::string& folder) {
    if (auto names = files_.list(folder))
      for (const std::string& name : *names) {
        const std::string path = folder + "/" + name;
        if (name == storage::log_directory_name) {
          remove(path);
        } else {
          static_cast<void>(files_.remove(path));
        }
      }
    static_cast<void>(files_.remove(folder));
  }

  io::FileSystem& files_;
  std::string path_, partial_;
  bool begun_ = false;
  std::unique_ptr<Store> store_;
};

}  // namespace
}  // namespace db

Result<BackupReport> check_backup(std::string_view file, const BackupWatcher& watch, Environment* environment) {
  memory::MemoryBudget budget(memory::MemoryBudget::least_bytes);
  memory::PageProvider provider(budget);
  PLIMSOLL_ASSIGN(auto reader, db::BackupReader::open(db::backup_files(environment), provider, std::string(file)));
  db::Watched watched(watch);
  for (;;) {
    PLIMSOLL_ASSIGN(const db::BackupReader::Entry entry, reader.next());
    if (entry.kind == db::Kind::end) return db::report_of(reader);
    PLIMSOLL_TRY(watched.look(reader.total(), "check"));
  }
}

Result<BackupReport> restore_backup(std::string_view file, std::string_view path, const Options& options,
                                    const BackupWatcher& watch) {
  if (path.empty()) return fail(ErrorCode::invalid_argument, "a restore needs the name of the new store");
  io::FileSystem& files = db::backup_files(options.environment);
  Options how = options;
  {  // what is no backup makes no store
    memory::MemoryBudget budget(memory::MemoryBudget::least_bytes);
    memory::PageProvider provider(budget);
    PLIMSOLL_ASSIGN(const auto reader, db::BackupReader::open(files, provider, std::string(file)));
    how.page_size = reader.header().page_bytes;
  }
  how.create_if_missing = how.error_if_exists = true;
  how.control_socket = false;
  db::PendingStore pending(files, path);
  PLIMSOLL_ASSIGN(db::Store* const store, pending.open(how));
  BackupReport report;
  {
    PLIMSOLL_ASSIGN(auto reader, db::BackupReader::open(files, store->engine().provider, std::string(file)));
    PLIMSOLL_ASSIGN(report, db::load(*store, reader, watch));
  }
  PLIMSOLL_TRY(db::verify(*store, report));
  PLIMSOLL_TRY(pending.complete());
  return report;
}

}  // namespace plimsoll
