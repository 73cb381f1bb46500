// Backups and restores on a disk that fails, fills up or loses power: no file and no store looks complete that is not, and the
// store that the backup is made of goes on.
#include <gtest/gtest.h>

#include <map>

#include "io/simulation/simulated_file_system.hpp"
#include "model/simulated_store.hpp"

namespace plimsoll::test {
namespace {

using io::simulation::Operation;
using io::simulation::SimulatedFileSystem;

constexpr const char *file = "/backup", *copy_path = "/copy";

using Records = std::map<std::string, std::string>;

class BackupFaultsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    environment_ = {&disk_, &time_, 9};
    open();
    auto table = db_->open_table("t", {.create_if_missing = true});
    ASSERT_TRUE(table);
    for (int n = 0; n < 200; ++n) expected_[std::to_string(n)] = std::string(static_cast<std::size_t>(300 + n), 'v');
    expected_["large"] = std::string(300'000, 'L');
    for (const auto& [key, value] : expected_)
      ASSERT_TRUE(db_->transact({}, [&](Transaction& tx) { return tx.put(*table, key, value); }));
    ASSERT_TRUE(db_->checkpoint());
  }
  Options options(Environment& environment) {
    Options how = tiny_store(environment);
    how.log_bytes_max = 2_MiB;
    return how;
  }
  void open() {
    auto opened = Database::open(store_path, options(environment_));
    ASSERT_TRUE(opened) << opened.error().message();
    db_.emplace(std::move(*opened));
  }
  bool is_there(const std::string& name, SimulatedFileSystem* disk = nullptr) {
    auto exists = (disk != nullptr ? disk : &disk_)->exists(name);
    EXPECT_TRUE(exists);
    return exists && *exists;
  }
  static Records records(Database& db) {
    Records all;
    auto table = db.open_table("t");
    EXPECT_TRUE(table);
    auto tx = db.begin({.read_only = true});
    auto cursor = tx->cursor(*table);
    for (auto more = cursor->next(); more && *more; more = cursor->next()) {
      auto value = tx->get(*table, cursor->key());
      EXPECT_TRUE(value && *value);
      all.emplace(cursor->key(), std::string((*value)->bytes()));
    }
    return all;
  }
  void expect_usable_and_without_a_file() {
    EXPECT_FALSE(is_there(file));
    EXPECT_FALSE(is_there(std::string(file) + ".partial"));
    EXPECT_EQ(records(*db_), expected_);
    auto report = db_->verify();
    ASSERT_TRUE(report);
    EXPECT_TRUE(report->problems.empty());
  }

  SimulatedFileSystem disk_;
  SteppingTime time_;
  Environment environment_{};
  std::optional<Database> db_;
  Records expected_;
};

TEST_F(BackupFaultsTest, ABackupThatFailsAnywhereLeavesNoFile) {
  for (const Operation operation : {Operation::look, Operation::create, Operation::write, Operation::sync, Operation::rename,
                                    Operation::sync_directory, Operation::read}) {
    for (const bool from_then_on : {false, true}) {
      std::uint64_t nth = 1;
      for (;; ++nth) {
        SCOPED_TRACE(std::string(name(operation)) + " " + std::to_string(nth));
        disk_.clear_faults();
        const std::uint64_t fired = disk_.faults_fired();
        disk_.inject({.operation = operation, .nth = nth, .from_then_on = from_then_on});
        const auto made = db_->backup(file);
        disk_.clear_faults();
        if (disk_.faults_fired() == fired) {
          ASSERT_TRUE(made) << made.error().message();
          break;
        }
        if (!made) {
          EXPECT_EQ(made.error().code(), ErrorCode::io_error) << made.error().message();
          expect_usable_and_without_a_file();
        } else {  // it was not the backup's own
          ASSERT_TRUE(check_backup(file, {}, &environment_));
          ASSERT_TRUE(disk_.remove(file));
        }
        if (HasFailure()) return;
      }
      if (operation != Operation::read) { EXPECT_GT(nth, 1u) << name(operation); }
      ASSERT_TRUE(check_backup(file, {}, &environment_));
      ASSERT_TRUE(disk_.remove(file));
    }
  }
}

TEST_F(BackupFaultsTest, AFullDiskIsSaidToBeFull) {
  for (const std::uint64_t room : {0, 4096, 65'536, 262'144, 300'000}) {
    disk_.set_disk_bytes(disk_.disk_bytes_used() + room);
    const auto made = db_->backup(file);
    disk_.set_disk_bytes(std::numeric_limits<std::uint64_t>::max());
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code(), ErrorCode::no_space) << made.error().message();
    expect_usable_and_without_a_file();
  }
  ASSERT_TRUE(db_->backup(file));
}

TEST_F(BackupFaultsTest, ARestoreThatFailsAnywhereLeavesNoStore) {
  ASSERT_TRUE(db_->backup(file));
  for (const Operation operation :
       {Operation::look, Operation::create, Operation::open, Operation::make_directory, Operation::write, Operation::sync,
        Operation::read, Operation::allocate, Operation::rename, Operation::sync_directory}) {
    bool met = false;
    for (std::uint64_t nth = 1;; nth += 1 + nth / 8) {
      SCOPED_TRACE(std::string(name(operation)) + " " + std::to_string(nth));
      const std::uint64_t fired = disk_.faults_fired();
      disk_.inject({.operation = operation, .nth = nth});
      const auto done = restore_backup(file, copy_path, options(environment_));
      disk_.clear_faults();
      EXPECT_FALSE(is_there(std::string(copy_path) + ".partial"));
      EXPECT_EQ(is_there(copy_path), done.has_value());
      met |= disk_.faults_fired() != fired;
      if (done) {
        auto copy = Database::open(copy_path, options(environment_));
        ASSERT_TRUE(copy) << copy.error().message();
        EXPECT_EQ(records(*copy), expected_);
        ASSERT_TRUE(copy->close());
        auto names = disk_.list(copy_path);
        ASSERT_TRUE(names);
        ASSERT_TRUE(disk_.rename(copy_path, "/done " + std::to_string(static_cast<int>(operation)) + " " + std::to_string(nth)));
      }
      if (HasFailure()) return;
      if (disk_.faults_fired() == fired) break;
    }
    EXPECT_TRUE(met) << name(operation);
  }
  disk_.set_disk_bytes(disk_.disk_bytes_used() + 200'000);
  const auto full = restore_backup(file, copy_path, options(environment_));
  disk_.set_disk_bytes(std::numeric_limits<std::uint64_t>::max());
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code(), ErrorCode::no_space) << full.error().message();
  EXPECT_FALSE(is_there(copy_path) || is_there(std::string(copy_path) + ".partial"));
}

// Whatever a power failure leaves under the name of a backup is one.
TEST_F(BackupFaultsTest, APowerFailureLeavesACompleteFileOrNone) {
  Random random(5);
  bool complete = false, none = false;
  for (std::uint64_t nth = 1;; ++nth) {
    const auto before = disk_.crash_copy(random);
    Environment environment{before.get(), &time_, 9};
    auto db = Database::open(store_path, options(environment));
    ASSERT_TRUE(db) << db.error().message();
    const std::uint64_t changes = before->changes();
    before->power_fails_at(nth);
    const auto made = db->backup(file);
    if (before->powered()) {
      ASSERT_TRUE(made);
      EXPECT_LT(before->changes() - changes, nth);
      break;
    }
    for (int state = 0; state < 8; ++state) {
      const auto after = before->crash_copy(random);
      Environment then{after.get(), &time_, 9};
      (is_there(file, after.get()) ? complete : none) = true;
      if (!is_there(file, after.get())) continue;
      const auto checked = check_backup(file, {}, &then);
      EXPECT_TRUE(checked) << "change " << nth << ": " << checked.error().message();
    }
  }
  EXPECT_TRUE(complete);
  EXPECT_TRUE(none);
}

// Whatever a power failure leaves under the name of a restored store is all of it.
TEST_F(BackupFaultsTest, APowerFailureLeavesAWholeStoreOrNone) {
  ASSERT_TRUE(db_->backup(file));
  Random random(6);
  bool whole = false, none = false, done = false;
  const std::uint64_t step = scaled(1) >= 1 ? 7 : 40;
  for (std::uint64_t nth = 1; !done; nth += whole || none ? step : 1) {
    const auto before = disk_.crash_copy(random);
    Environment environment{before.get(), &time_, 9};
    before->power_fails_at(nth);
    const auto restored = restore_backup(file, copy_path, options(environment));
    done = before->powered();
    EXPECT_EQ(restored.has_value(), done);
    for (int state = 0; state < 3; ++state) {
      const auto after = before->crash_copy(random);
      Environment then{after.get(), &time_, 9};
      (is_there(copy_path, after.get()) ? whole : none) = true;
      if (!is_there(copy_path, after.get())) {
        EXPECT_FALSE(done);
        continue;
      }
      auto copy = Database::open(copy_path, options(then));
      ASSERT_TRUE(copy) << "change " << nth << ": " << copy.error().message();
      EXPECT_EQ(records(*copy), expected_) << "change " << nth;
      ASSERT_TRUE(copy->close());
    }
    if (HasFailure()) return;
  }
  EXPECT_TRUE(whole);
  EXPECT_TRUE(none);
}

// Another backup comes to its end right after it was asked whether the file is there.
class OvertakenFileSystem final : public io::FileSystem {
 public:
  explicit OvertakenFileSystem(io::FileSystem& disk) : disk_(disk) {}
  Result<std::unique_ptr<io::File>> open(std::string_view path, io::OpenMode mode, bool direct) override {
    return disk_.open(path, mode, direct);
  }
  Result<void> rename(std::string_view from, std::string_view to) override { return disk_.rename(from, to); }
  Result<void> remove(std::string_view path) override { return disk_.remove(path); }
  Result<void> make_directory(std::string_view path) override { return disk_.make_directory(path); }
  Result<bool> exists(std::string_view path) override {
    auto there = disk_.exists(path);
    if (path == file && there && !*there) { EXPECT_TRUE(disk_.open(path, io::OpenMode::create, true)); }
    return there;
  }
  Result<std::vector<std::string>> list(std::string_view directory) override { return disk_.list(directory); }
  Result<void> sync_directory(std::string_view directory) override { return disk_.sync_directory(directory); }
  Result<std::unique_ptr<Lock>> lock(std::string_view path) override { return disk_.lock(path); }
  Result<std::uint64_t> lock_holder(std::string_view path) override { return disk_.lock_holder(path); }

 private:
  io::FileSystem& disk_;
};

TEST_F(BackupFaultsTest, ABackupThatIsOvertakenReplacesNothing) {
  ASSERT_TRUE(db_->close());
  OvertakenFileSystem overtaken(disk_);
  environment_.files = &overtaken;
  open();
  const auto made = db_->backup(file);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code(), ErrorCode::already_exists);
  EXPECT_TRUE(is_there(file));
  EXPECT_FALSE(is_there(std::string(file) + ".partial"));
  ASSERT_TRUE(db_->close());
}

}  // namespace
}  // namespace plimsoll::test
