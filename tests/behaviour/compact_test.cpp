// Database::compact: free pages give their blocks back while the store is used; what is taken again has blocks first; nothing that
// is needed is lost, by nobody's reading, by no reopening.
#include "behaviour/support.hpp"

namespace plimsoll {
namespace {

class Compact : public StoreTest {
 protected:
  const std::uint64_t rows = scaled(20'000, 5'000);
  static constexpr std::size_t row_bytes = 200;

  void erase_rows(Table where, std::uint64_t from, std::uint64_t to) {
    auto tx = begin();
    for (std::uint64_t i = from; i < to; ++i) ASSERT_OK(tx.erase(where, key_of(i)));
    ASSERT_OK(tx.commit());
  }
  void expect_rows(Table where, std::uint64_t from, std::uint64_t to) {
    auto tx = reader();
    for (std::uint64_t i = from; i < to; ++i) ASSERT_EQ(text(tx.get(where, key_of(i))), noise(row_bytes, i)) << i;
  }
  CompactReport compact() {
    auto report = db().compact();
    EXPECT_OK(report);
    return report.value_or(CompactReport{});
  }
};

TEST_F(Compact, GivesBackWhatWasDeletedAndKeepsTheRest) {
  const Table where = table();
  fill(where, rows, row_bytes);
  put(where, "large", noise(8'000'000, 1));
  const CompactReport full = compact();
  EXPECT_GE(full.after_bytes, rows * row_bytes + 8'000'000);
  erase_rows(where, 1000, rows);
  {
    auto tx = begin();
    ASSERT_OK(tx.erase(where, "large"));
    ASSERT_OK(tx.commit());
  }
  const CompactReport report = compact();
  EXPECT_LT(report.after_bytes, full.after_bytes / 5) << "a fifth of the records at most is left, and no large value";
  EXPECT_GT(report.free_pages * 8192, rows * row_bytes);
  EXPECT_EQ(compact().after_bytes, report.after_bytes) << "again there is nothing to give back";
  expect_rows(where, 0, 1000);
  reopen();
  const Table again = table();
  expect_rows(again, 0, 1000);
  for (std::uint64_t i = 1000; i < rows; ++i) put(again, key_of(i), noise(row_bytes, i));
  expect_rows(again, 0, rows);
  EXPECT_GT(compact().after_bytes, report.after_bytes);
  std::printf("%llu bytes on disk, then %llu, with %llu pages free\n", static_cast<unsigned long long>(full.after_bytes),
              static_cast<unsigned long long>(report.after_bytes), static_cast<unsigned long long>(report.free_pages));
}

// The collector knows nothing of what was deleted before the store was opened.
TEST_F(Compact, PurgesWhatWasDeletedBeforeTheStoreWasOpened) {
  options.background_threads = false;
  const Table where = table();
  constexpr std::uint64_t many = 40'000;  // more than the last round of the collector purges
  fill(where, many, row_bytes);
  erase_rows(where, 1000, many);
  reopen();
  auto before = db().verify();
  ASSERT_OK(before);
  ASSERT_GT(before->records, many / 4) << "there is nothing left to purge";
  const CompactReport report = compact();
  EXPECT_LT(report.after_bytes, many * row_bytes / 4);
  auto verified = db().verify();
  ASSERT_OK(verified);
  EXPECT_TRUE(verified->problems.empty());
  EXPECT_EQ(verified->records, 1000u);
  expect_rows(table(), 0, 1000);
}

// An aborted insert leaves empty leaves behind; a neighbour of one may be full.
TEST_F(Compact, LeavesThatAreEmptyGo) {
  const Table where = table();
  fill(where, 1000, row_bytes);
  const CompactReport few = compact();
  for (const bool among : {false, true}) {
    auto tx = begin();
    for (std::uint64_t i = 0; i < rows; ++i)
      ASSERT_OK(tx.insert(where, among ? key_of(i % 999) + "/" + key_of(i) : key_of(1000 + i), noise(row_bytes, i)));
    ASSERT_OK(tx.abort());
    const CompactReport report = compact();
    std::printf("%llu bytes on disk, then %llu\n", static_cast<unsigned long long>(few.after_bytes),
                static_cast<unsigned long long>(report.after_bytes));
    EXPECT_LE(report.after_bytes, few.after_bytes * 5 / 2) << "leaves that are less than two fifths full find a neighbour";
    expect_rows(where, 0, 1000);
  }
}

TEST_F(Compact, ASnapshotKeepsWhatItSees) {
  const Table where = table();
  fill(where, 2000, row_bytes);
  auto old = reader();
  EXPECT_EQ(text(old.get(where, key_of(0))), noise(row_bytes, 0));
  erase_rows(where, 0, 2000);
  compact();
  for (std::uint64_t i = 0; i < 2000; i += 7) EXPECT_EQ(text(old.get(where, key_of(i))), noise(row_bytes, i));
  EXPECT_OK(old.abort());
}

TEST_F(Compact, BesideWritersNothingIsLost) {
  std::vector<Table> tables;
  for (int t = 0; t < 2; ++t) tables.push_back(table("t" + std::to_string(t)));
  std::atomic<std::uint64_t> done{0};
  std::vector<std::map<std::uint64_t, std::uint64_t>> expected(tables.size());
  {
    std::vector<std::jthread> writers;
    for (std::size_t t = 0; t < tables.size(); ++t) {
      writers.emplace_back([&, t](const std::stop_token& stop) {
        std::uint64_t state = t + 1;
        const auto random = [&](std::uint64_t below) {
          state = state * 6364136223846793005ull + 1442695040888963407ull;
          return (state >> 33) % below;
        };
        while (!stop.stop_requested()) {
          auto tx = begin();
          const std::uint64_t from = random(3000);
          if (random(3) == 0) {
            for (std::uint64_t i = from; i < from + 300; ++i) {
              EXPECT_OK(tx.erase(tables[t], key_of(i)));
              expected[t].erase(i);
            }
          } else {
            for (std::uint64_t i = from; i < from + 20; ++i) {
              EXPECT_OK(tx.put(tables[t], key_of(i), noise(random(20) == 0 ? 30'000 : 300, i + done)));
              expected[t][i] = 0;
            }
          }
          EXPECT_OK(tx.commit());
          ++done;
        }
      });
    }
    constexpr std::uint64_t rounds = 20, transactions_a_round = 10;
    std::uint64_t given_back = 0;
    for (std::uint64_t round = 0; round < rounds && !HasFailure(); ++round) {
      const std::uint64_t before = done;
      given_back += compact().free_pages;
      EXPECT_TRUE(eventually([&] { return done >= before + transactions_a_round; }));
    }
    EXPECT_GT(given_back, 0u);
    std::printf("%llu transactions, %llu pages given back\n", static_cast<unsigned long long>(done.load()),
                static_cast<unsigned long long>(given_back));
  }
  auto tx = reader();
  for (std::size_t t = 0; t < tables.size(); ++t)
    for (std::uint64_t i = 0; i < 3300; ++i) {
      auto found = tx.get(tables[t], key_of(i));
      ASSERT_OK(found);
      EXPECT_EQ(found->has_value(), expected[t].contains(i)) << "table " << t << ", row " << i;
    }
}

TEST_F(Compact, ItsWatcherCallsItOffAndTheSocketRunsIt) {
  const Table where = table();
  fill(where, rows, row_bytes);
  EXPECT_CODE(db().compact([](const CompactReport&) { return false; }), transaction_aborted);
  const auto ask = [&](const std::string& request) { return db().answer(R"({"version":1,"request":")" + request + "\"}"); };
  EXPECT_NE(ask("compact_state").find("\"none\""), std::string::npos);
  EXPECT_NE(ask("compact").find(R"({"number":1})"), std::string::npos);
  EXPECT_TRUE(eventually([&] { return ask("compact_state").find("\"done\"") != std::string::npos; }));
  expect_rows(where, 0, rows);
}

}  // namespace
}  // namespace plimsoll
