// The statistics: counters move exactly as the operations say, accounts add up, reset starts anew.
#include "behaviour/support.hpp"

namespace plimsoll {
namespace {

class StatisticsOf : public StoreTest {
 protected:
  std::map<std::string, std::uint64_t> counters() {
    std::map<std::string, std::uint64_t> all;
    for (const NamedValue& one : db().statistics().counters) all[one.name] = one.value;
    return all;
  }
  // How far the named counters moved since `before`.
  std::uint64_t moved(const std::map<std::string, std::uint64_t>& before, const std::string& name) {
    return counter(name) - before.at(name);
  }
};

TEST_F(StatisticsOf, CountersMoveAsTheOperationsSay) {
  const Table where = table();
  fill(where, 10, 10);
  const auto before = counters();
  auto tx = begin();
  for (std::uint64_t i = 0; i < 7; ++i) ASSERT_OK(tx.get(where, key_of(i)));
  ASSERT_OK(tx.exists(where, key_of(99)));
  const std::string a = key_of(1), b = key_of(2);
  const Bytes asked[] = {a, b};
  std::optional<Value> answers[2];
  ASSERT_OK(tx.multi_get(where, asked, answers));
  EXPECT_EQ(scan(tx, where).size(), 10u);
  ASSERT_OK(tx.put(where, "new", "v"));
  ASSERT_OK(tx.update(where, key_of(0), "v"));
  ASSERT_OK(tx.erase(where, key_of(3)));
  ASSERT_OK(tx.erase(where, "absent"));
  EXPECT_CODE(tx.insert(where, "new", "v"), already_exists);
  ASSERT_OK(tx.commit());
  ASSERT_OK(begin().abort());
  EXPECT_EQ(moved(before, "point_reads"), 10u);
  EXPECT_EQ(moved(before, "records_scanned"), 10u);
  EXPECT_EQ(moved(before, "records_written"), 3u);
  EXPECT_EQ(moved(before, "transactions_begun"), 2u);
  EXPECT_EQ(moved(before, "transactions_committed"), 1u);
  EXPECT_EQ(moved(before, "transactions_aborted"), 1u);
  EXPECT_EQ(moved(before, "write_conflicts"), 0u);
}

TEST_F(StatisticsOf, ConflictsAndLargeValuesAreCounted) {
  const Table where = table();
  const auto before = counters();
  auto loser = begin();
  put(where, "k", "v");
  EXPECT_CODE(loser.put(where, "k", "x"), conflict);
  ASSERT_OK(loser.abort());
  put(where, "large", noise(200_KiB, 1));
  EXPECT_EQ(moved(before, "write_conflicts"), 1u);
  EXPECT_EQ(moved(before, "large_values_written"), 1u);
  EXPECT_EQ(moved(before, "large_value_bytes"), 200_KiB);
}

TEST_F(StatisticsOf, SumsOverManyThreadsAreExact) {
  const Table where = table();
  const auto before = counters();
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 20; ++t)  // more threads than shards
    threads.emplace_back([&, t] {
      for (std::uint64_t i = 0; i < 50; ++i) {
        auto tx = begin();
        ASSERT_OK(tx.put(where, key_of(t * 1000 + i), "v"));
        ASSERT_OK(tx.get(where, key_of(t * 1000 + i)));
        ASSERT_OK(tx.commit());
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(moved(before, "records_written"), 1000u);
  EXPECT_EQ(moved(before, "point_reads"), 1000u);
  EXPECT_EQ(moved(before, "transactions_begun"), 1000u);
  EXPECT_EQ(moved(before, "transactions_committed"), 1000u);
}

TEST_F(StatisticsOf, EveryTransactionThatBeganHasEnded) {
  const Table where = table();
  for (std::uint64_t i = 0; i < 300; ++i) {
    auto tx = begin(i % 4 == 3 ? TransactionOptions{.read_only = true} : TransactionOptions{.durability = Durability::relaxed});
    if (i % 4 != 3) EXPECT_OK(tx.put(where, key_of(i), "v"));
    if (i % 4 == 0) EXPECT_OK(tx.abort());
    if (i % 4 == 1) EXPECT_OK(db().kill(tx.id()));
    if (i % 4 == 2) EXPECT_OK(tx.commit());
  }  // the fourth kind is dropped
  const auto all = counters();
  EXPECT_EQ(all.at("transactions_begun"), all.at("transactions_committed") + all.at("transactions_aborted"));
  EXPECT_EQ(all.at("transactions_reaped"), 75u);
  EXPECT_EQ(gauge("active_transactions"), 0u);
}

TEST_F(StatisticsOf, ResetStartsTheCountersAnewAndLeavesTheGauges) {
  const Table where = table();
  fill(where, 100, 10);
  const std::uint64_t pages = gauge("data_file_pages");
  db().reset_statistics();
  EXPECT_EQ(counter("records_written"), 0u);
  EXPECT_EQ(counter("transactions_committed"), 0u);
  EXPECT_EQ(gauge("data_file_pages"), pages);
  put(where, "k", "v");
  EXPECT_EQ(counter("records_written"), 1u);
}

TEST_F(StatisticsOf, AccountsAddUpAndEveryNumberIsNamed) {
  fill(table(), 3000, 500);
  const Statistics all = db().statistics();
  EXPECT_EQ(all.memory_budget, options.memory_budget);
  EXPECT_LE(all.memory_used, all.memory_budget);
  std::uint64_t sum = 0;
  for (const AccountStats& one : all.accounts) {
    EXPECT_FALSE(one.name.empty());
    EXPECT_GE(one.peak_bytes, one.used_bytes) << one.name;
    if (one.leaf) sum += one.used_bytes;
  }
  EXPECT_EQ(sum, all.memory_used);
  std::map<std::string, int> names;
  for (const auto* list : {&all.counters, &all.gauges})
    for (const NamedValue& one : *list) {
      EXPECT_EQ(++names[one.name], 1) << one.name << " is there twice";
      EXPECT_FALSE(one.unit.empty() || one.help.empty()) << one.name;
    }
}

TEST_F(StatisticsOf, EventsReachTheSinkAndTheRing) {
  static std::atomic<int> told{0};
  options.events = {[](void* context, const Event& event) {
                      EXPECT_EQ(context, &told);
                      EXPECT_GT(event.wall_ms, 0u);
                      ++told;
                    },
                    &told};
  open();
  auto tx = begin();
  ASSERT_OK(db().kill(tx.id()));
  EXPECT_GT(told, 0);
  EXPECT_FALSE(db().statistics().events.empty());
}

}  // namespace
}  // namespace plimsoll
