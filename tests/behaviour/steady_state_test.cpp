// What must not grow: after any number of transactions everything that was held for them goes back, whether a snapshot is held or
// not.
#include "behaviour/support.hpp"
#include "sanitized.hpp"

namespace plimsoll {
namespace {

constexpr std::uint64_t million = sanitized ? 100'000 : 1'000'000;  // a sanitizer is ten times slower

class SteadyState : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    options.background_threads = false;  // every round of housekeeping is counted
  }
  void rounds(int count) {
    for (int i = 0; i < count; ++i) db().run_background();
  }
  std::map<std::string, std::uint64_t> accounts() {
    std::map<std::string, std::uint64_t> all;
    for (const AccountStats& one : db().statistics().accounts) all[one.name] = one.used_bytes;
    return all;
  }
  void commits(Table where, std::uint64_t count, std::uint64_t keys) {
    for (std::uint64_t i = 0; i < count; ++i) {
      auto tx = db().begin({.durability = Durability::relaxed});
      ASSERT_OK(tx);
      ASSERT_OK(tx->put(where, key_of(i * 7919 % keys), std::to_string(i)));
      if (i % 4 == 0) ASSERT_OK(tx->put(where, key_of(i * 31 % keys), std::to_string(i)));
      ASSERT_OK(tx->commit());
      if (i % 500 == 0) db().run_background();
    }
  }
  // The page that is being filled is not swept, one for each lane that appends; an entry of these tests takes 56 bytes and more.
  static constexpr std::uint64_t entries_of_open_pages = 3 * 8192 / 56;

  // Frames are a cache and may keep what they took; every other account must go back.
  void expect_back(const std::map<std::string, std::uint64_t>& before, std::uint64_t table_entries, std::uint64_t version_pages) {
    rounds(10);
    EXPECT_LE(gauge("commit_table_entries"), table_entries);
    EXPECT_LE(gauge("version_pages"), version_pages);
    for (const auto& [name, bytes] : accounts()) {
      if (name == "frames") continue;
      EXPECT_LE(bytes, before.at(name)) << "account " << name;
    }
  }
};

TEST_F(SteadyState, AMillionCommitsLeaveNothingBehind) {
  const Table where = table();
  commits(where, 2000, 1000);
  rounds(10);
  const auto before = accounts();
  const std::uint64_t table_entries = gauge("commit_table_entries"), pages = gauge("version_pages");
  commits(where, million, 1000);
  EXPECT_EQ(gauge("active_transactions"), 0u);
  expect_back(before, table_entries + 1, pages + 4);
  EXPECT_LE(gauge("version_entries_live"), entries_of_open_pages);
}

TEST_F(SteadyState, ASnapshotHeldOverAMillionCommitsKeepsOnlyWhatItCanSee) {
  const Table where = table();
  constexpr std::uint64_t keys = 1000;
  commits(where, 5000, keys);
  rounds(10);
  const auto before = accounts();
  const std::uint64_t table_entries = gauge("commit_table_entries"), pages = gauge("version_pages");
  auto held = reader();
  const Records seen = scan(held, where);
  commits(where, million / 2, keys);
  rounds(10);
  EXPECT_LE(gauge("version_entries_live"), keys * 3 / 2 + entries_of_open_pages) << "one old version a key is needed";
  EXPECT_EQ(gauge("active_transactions"), 1u);
  EXPECT_EQ(scan(held, where), seen);
  commits(where, million / 2, keys);
  EXPECT_EQ(scan(held, where), seen);
  ASSERT_OK(held.commit());
  commits(where, 10, keys);
  expect_back(before, table_entries + 16, pages + 4);
  EXPECT_LE(gauge("version_entries_live"), entries_of_open_pages);
}

TEST_F(SteadyState, VersionsOfAHotKeyAreBoundedByTheSnapshotsThatSeeThem) {
  const Table where = table();
  put(where, "hot", "0");
  std::vector<Transaction> held;
  std::uint64_t worst = 0;
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    if (i % 2000 == 0) held.push_back(reader());
    put(where, "hot", std::to_string(i));
    const std::uint64_t live = gauge("version_entries_live");
    worst = std::max(worst, live > held.size() ? live - held.size() : 0);
    ASSERT_LE(live, held.size() + 2) << "after " << i << " updates with " << held.size() << " snapshots";
  }
  for (std::size_t i = 0; i < held.size(); ++i) {
    EXPECT_EQ(text(held[i].get(where, "hot")), i == 0 ? "0" : std::to_string(i * 2000 - 1));
    ASSERT_OK(held[i].commit());
  }
  rounds(5);
  EXPECT_LE(gauge("version_entries_live"), 2u);
}

// Inserting and deleting the same keys over and over, as a queue does.
TEST_F(SteadyState, AQueueDoesNotGrow) {
  const Table where = table();
  const auto pass = [&](std::uint64_t from, std::uint64_t to) {
    for (std::uint64_t i = from; i < to; ++i) {
      put(where, key_of(i), noise(200, i));
      if (i >= 100) erase(where, key_of(i - 100));
      if (i % 200 == 0) rounds(1);
    }
    rounds(10);
  };
  pass(0, 3000);
  const std::uint64_t pages = gauge("data_file_pages");
  pass(3000, 3000 + scaled(27'000, 3000));
  EXPECT_LE(gauge("data_file_pages"), pages + 16);
  EXPECT_EQ(scan(where).size(), 100u);
}

TEST_F(SteadyState, DeletedRecordsGoEvenWhileAnUnrelatedSnapshotIsHeld) {
  const Table where = table();
  auto held = reader();
  fill(where, 2000, 100);  // the snapshot never saw them
  auto tx = begin();
  ASSERT_OK(tx.erase_range(where, {}));
  ASSERT_OK(tx.commit());
  rounds(20);
  fill(where, 10, 10, 50'000);
  rounds(20);
  EXPECT_TRUE(scan(held, where).empty());
  EXPECT_LE(gauge("version_entries_live"), entries_of_open_pages);
  EXPECT_GE(counter("records_purged"), 1900u);
  ASSERT_OK(held.commit());
}

TEST_F(SteadyState, AbortedTransactionsLeaveNothingBehind) {
  const Table where = table();
  fill(where, 500, 50);
  rounds(10);
  const auto before = accounts();
  const std::uint64_t table_entries = gauge("commit_table_entries"), pages = gauge("version_pages"),
                      file = gauge("data_file_pages");
  for (std::uint64_t i = 0; i < 3000; ++i) {
    auto tx = begin();
    for (std::uint64_t n = 0; n < 8; ++n) ASSERT_OK(tx.put(where, key_of(i * 13 % 700 + n), noise(60, n)));
    ASSERT_OK(tx.abort());
    if (i % 200 == 0) rounds(1);
  }
  expect_back(before, table_entries, pages + 4);
  EXPECT_LE(gauge("data_file_pages"), file + 32);
  EXPECT_EQ(scan(where).size(), 500u);
}

// Leaves are merged and freed in the background while verify looks at them; then their pages are used again.
TEST_F(SteadyState, RefillingAnErasedTableWhileItIsVerified) {
  options.background_threads = true;
  options.memory_budget = 16_MiB;
  const Table where = table();
  const std::uint64_t kept = scaled(20'000, 5000);
  fill(where, 3 * kept, 200);
  for (int round = 0; round < 3; ++round) {
    auto tx = begin();
    ASSERT_OK(tx.erase_range(where, {}));
    ASSERT_OK(tx.commit());
    for (int i = 0; i < 20; ++i) expect_sound();
    fill(where, kept, 200);
  }
  EXPECT_EQ(scan(where).size(), kept);
}

TEST_F(SteadyState, ReopeningManyTimesDoesNotGrowAnything) {
  fill(table(), 500, 100);
  reopen();
  const std::uint64_t pages = gauge("data_file_pages");
  for (int i = 0; i < 20; ++i) {
    put(table(), "k", std::to_string(i));
    reopen();
    ASSERT_TRUE(db().recovery_report().was_clean);
  }
  EXPECT_LE(gauge("data_file_pages"), pages + 1);
  std::size_t version_files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(path()))
    version_files += entry.path().filename().string().starts_with("versions");
  EXPECT_EQ(version_files, 1u);
}

}  // namespace
}  // namespace plimsoll
