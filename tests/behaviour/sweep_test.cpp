// Sweeps of the version store: a sweep looks at each chain once, however many versions a key has, and at none for the sake of a
// version that is needed; it goes on over several rounds of the background, none of which is long.
#include "behaviour/support.hpp"

namespace plimsoll {
namespace {

class Sweep : public StoreTest {
 protected:
  static constexpr std::uint64_t rows = 400, versions = 60;

  void SetUp() override {
    StoreTest::SetUp();
    options.background_threads = false;
  }
  void update_all(Table where, std::uint64_t round) {
    auto tx = begin();
    for (std::uint64_t i = 0; i < rows; ++i) ASSERT_OK(tx.put(where, key_of(i), noise(50, i + round * rows)));
    ASSERT_OK(tx.commit());
  }
  void expect_round(Transaction& snapshot, Table where, std::uint64_t round) {
    for (std::uint64_t i = 0; i < rows; ++i) EXPECT_EQ(text(snapshot.get(where, key_of(i))), noise(50, i + round * rows));
  }
  // Answers how many rounds it took.
  int work_until_done() {
    constexpr int rounds_max = 1000;
    int rounds = 1;
    while (db().run_background() && rounds < rounds_max) ++rounds;
    EXPECT_LT(rounds, rounds_max);
    return rounds;
  }
};

TEST_F(Sweep, LooksAtALongChainOnce) {
  const Table where = table();
  std::vector<Transaction> snapshots;
  for (std::uint64_t round = 0; round < versions; ++round) {
    update_all(where, round);
    snapshots.push_back(reader());
    EXPECT_EQ(text(snapshots.back().get(where, key_of(0))), noise(50, round * rows));
  }
  const std::uint64_t live = gauge("version_entries_live");
  ASSERT_GE(live, rows * (versions - 1)) << "each is seen by a snapshot";
  const int rounds = work_until_done();
  EXPECT_GT(rounds, 1) << "so much is no work for one round";
  const std::uint64_t needed = counter("versions_swept");
  EXPECT_LE(needed, live / 4) << "what is needed is seen without a look at its chain";
  EXPECT_GE(gauge("version_entries_live"), rows * (versions - 1));

  snapshots.erase(snapshots.begin() + 1, snapshots.end() - 1);
  work_until_done();
  for (int again = 0; again < 16; ++again) work_until_done();  // it is not the first thing that the background does
  std::printf("%llu entries; looked at %llu while they were needed, in %d rounds, and %llu afterwards; %llu stay in %llu pages\n",
              static_cast<unsigned long long>(live), static_cast<unsigned long long>(needed), rounds,
              static_cast<unsigned long long>(counter("versions_swept") - needed),
              static_cast<unsigned long long>(gauge("version_entries_live")),
              static_cast<unsigned long long>(gauge("version_pages")));
  EXPECT_LE(gauge("version_entries_live"), 3 * rows);
  EXPECT_GE(counter("versions_swept") - needed, rows * (versions - 3)) << "garbage lies between versions that are needed";
  EXPECT_LE(counter("versions_swept") - needed, 8 * live) << "not once for each entry, which would be thirty times as much";
  expect_round(snapshots.front(), where, 0);
  expect_round(snapshots.back(), where, versions - 1);
  snapshots.clear();
  work_until_done();
  EXPECT_EQ(gauge("version_entries_live"), 0u);
}

// Rows that are updated once while a snapshot stands, in small transactions, as beside a backup: nothing of it is garbage, and
// looking for some must not read the leaves of all that was changed. The few rows that are updated again and again are collected.
TEST_F(Sweep, PassesOverWhatALongSnapshotSees) {
  constexpr std::uint64_t many = 5000, hot = 10;
  const Table where = table();
  const auto update = [&](std::uint64_t i, std::uint64_t round) {
    auto tx = begin();
    ASSERT_OK(tx.put(where, key_of(i), noise(50, i + round * many)));
    ASSERT_OK(tx.commit());
  };
  for (std::uint64_t i = 0; i < many; ++i) update(i, 0);
  auto snapshot = reader();
  EXPECT_EQ(text(snapshot.get(where, key_of(0))), noise(50, 0));
  work_until_done();
  const std::uint64_t before = counter("versions_swept");
  for (std::uint64_t i = 0; i < many; ++i) {
    update(i, 1);
    update(i % hot, 2 + i);
    if (i % 100 == 0) work_until_done();
  }
  for (int again = 0; again < 16; ++again) work_until_done();
  const std::uint64_t looked_at = counter("versions_swept") - before, live = gauge("version_entries_live");
  std::printf("%llu looked at, %llu entries stay\n", static_cast<unsigned long long>(looked_at),
              static_cast<unsigned long long>(live));
  EXPECT_GE(live, many);
  EXPECT_LE(live, many + many / 4);
  EXPECT_LE(looked_at, 2 * many);
  for (std::uint64_t i = hot; i < many; ++i) ASSERT_EQ(text(snapshot.get(where, key_of(i))), noise(50, i));
}

// No snapshot sees anything of a row that came and went while it stood, and nothing of it is kept: the row may have a new key each
// time.
TEST_F(Sweep, TemporaryRowsLeaveNothingBesideAnOldSnapshot) {
  constexpr std::uint64_t temporary = 20'000;
  const Table where = table();
  update_all(where, 0);
  auto snapshot = reader();
  expect_round(snapshot, where, 0);
  std::uint64_t peak = 0;
  for (std::uint64_t i = 0; i < temporary; ++i) {
    const std::string key = key_of(rows + i);
    auto come = begin();
    ASSERT_OK(come.put(where, key, noise(50, i)));
    ASSERT_OK(come.commit());
    auto go = begin();
    ASSERT_OK(go.erase(where, key));
    ASSERT_OK(go.commit());
    if (i % 100 == 0) work_until_done();
    peak = std::max(peak, gauge("version_pages"));
  }
  std::printf("%llu pages at most, %llu records purged\n", static_cast<unsigned long long>(peak),
              static_cast<unsigned long long>(counter("records_purged")));
  EXPECT_LE(peak, 300u);
  expect_round(snapshot, where, 0);
}

// The versions of erased rows that a snapshot sees lie thinly among others that become garbage. They are moved together, and
// nothing stays where they were.
TEST_F(Sweep, VersionsOfErasedRowsLeaveNothingWhereTheyWere) {
  constexpr std::uint64_t updates_between = 60;
  const Table where = table();
  update_all(where, 0);
  work_until_done();
  auto snapshot = reader();
  EXPECT_EQ(text(snapshot.get(where, key_of(0))), noise(50, 0));
  for (std::uint64_t i = 1; i < rows; ++i) {
    auto tx = begin();
    ASSERT_OK(tx.erase(where, key_of(i)));
    ASSERT_OK(tx.commit());
    for (std::uint64_t n = 0; n < updates_between; ++n) {
      auto update = begin();
      ASSERT_OK(update.put(where, key_of(0), noise(50, n)));
      ASSERT_OK(update.commit());
    }
    work_until_done();
  }
  for (int again = 0; again < 16; ++again) work_until_done();
  std::printf("%llu bytes moved, %llu pages stay\n", static_cast<unsigned long long>(counter("version_bytes_moved")),
              static_cast<unsigned long long>(gauge("version_pages")));
  EXPECT_GT(counter("version_bytes_moved"), 0u);
  EXPECT_LE(gauge("version_pages"), 128u);
  expect_round(snapshot, where, 0);
}

// A big transaction has segments of its own. One that holds nothing but room for changes that were not made is its own, too, until
// the transaction ends: the segments behind it are found through it.
TEST_F(Sweep, LeavesSegmentsOfHolesToTheirTransaction) {
  constexpr std::uint64_t absent = 100'000, more_than_a_segment = 3000;
  const Table where = table();
  update_all(where, 0);
  work_until_done();
  const auto change = [&](Transaction& tx, std::uint64_t from, std::uint64_t round) {
    for (std::uint64_t i = from; i < from + 100; ++i) ASSERT_OK(tx.put(where, key_of(i), noise(50, i + round * rows)));
  };
  const auto change_nothing = [&](Transaction& tx) {
    for (std::uint64_t i = 0; i < more_than_a_segment; ++i) {
      const Result<bool> erased = tx.erase(where, key_of(absent + i));
      ASSERT_OK(erased);
      ASSERT_FALSE(*erased);
    }
    work_until_done();
  };
  for (const bool commits : {false, true}) {
    auto tx = begin(), other = begin();
    change(tx, 0, 1);
    change_nothing(tx);
    change(tx, 100, 1);
    change_nothing(tx);
    change(other, 200, 1);
    change_nothing(other);
    change(other, 300, 1);
    work_until_done();
    ASSERT_OK(commits ? tx.commit() : tx.abort());
    work_until_done();
    ASSERT_OK(commits ? other.commit() : other.abort());
    auto snapshot = reader();
    expect_round(snapshot, where, commits ? 1 : 0);
    snapshot = {};
    for (int again = 0; again < 16; ++again) work_until_done();
    EXPECT_EQ(gauge("version_entries_live"), 0u);
    EXPECT_LE(gauge("version_pages"), 16u);
  }
}

}  // namespace
}  // namespace plimsoll
