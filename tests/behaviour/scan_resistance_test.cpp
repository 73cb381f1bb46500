// Scans, dumps and loads of ten times the pool beside a point workload that fits it: they must not push its pages out. Judged by
// the counters, not by time. One thread works at a time, through paths that other tests take too: nothing for sanitizers.
// ctest-labels: medium
// ctest-timeout: 900
#include "behaviour/support.hpp"

namespace plimsoll {
namespace {

class ScanResistance : public StoreTest {
 protected:
  static constexpr std::uint64_t hot_records = 10'000;  // 5 MB, a third of the pool
  static constexpr std::uint64_t cold_records = 160'000;
  static constexpr std::size_t value_bytes = 500, cold_bytes = 1000;  // 160 MB, ten times the budget
  static constexpr int gets_a_batch = 4000;

  void SetUp() override {
    StoreTest::SetUp();
    options.memory_budget = 16_MiB;
    options.background_threads = false;
  }
  static std::string cold(std::uint64_t i) {
    std::string out(cold_bytes, 'c');
    const std::string mark = std::to_string(i * 2654435761u);
    return out.replace(0, mark.size(), mark);
  }
  void load(Table where, std::uint64_t from, std::uint64_t to) {
    for (std::uint64_t i = from; i < to;) {
      auto tx = begin();
      for (int n = 0; n < 200 && i < to; ++n, ++i) ASSERT_OK(tx.put(where, key_of(i), cold(i)));
      ASSERT_OK(tx.commit());
    }
    db().run_background();
  }
  // One batch of the point workload; the share of its gets that found their pages in the pool.
  void point_reads(Table hot) {
    auto tx = reader();
    const std::uint64_t misses = counter("pool_misses");
    for (int i = 0; i < gets_a_batch; ++i) {
      state_ = state_ * 6364136223846793005ull + 1442695040888963407ull;
      auto found = tx.get(hot, key_of((state_ >> 33) % hot_records));
      ASSERT_OK(found);
      ASSERT_TRUE(*found);
    }
    missed_ += counter("pool_misses") - misses;
    gets_ += gets_a_batch;
    ASSERT_OK(tx.commit());
  }
  double hit_rate() {
    const double rate = 1 - static_cast<double>(missed_) / static_cast<double>(gets_);
    missed_ = gets_ = 0;
    return rate;
  }
  // The hit rate of the point workload alone, and while `step` is called `steps` times between its batches.
  void expect_undisturbed(Table hot, int steps, const std::function<void(int)>& step) {
    for (int i = 0; i < 10; ++i) point_reads(hot);
    hit_rate();
    for (int i = 0; i < 10; ++i) point_reads(hot);
    const double alone = hit_rate();
    EXPECT_GT(alone, 0.95) << "the workload does not fit, the test shows nothing";
    const std::uint64_t misses = counter("pages_read") + counter("pages_allocated");
    for (int i = 0; i < steps; ++i) {
      step(i);
      ASSERT_FALSE(HasFatalFailure());
      point_reads(hot);
    }
    const double beside = hit_rate();
    EXPECT_GE(counter("pages_read") + counter("pages_allocated") - misses, cold_records * cold_bytes / 8192);
    EXPECT_GE(beside, alone - 0.05);
    RecordProperty("hit_rate_alone", std::to_string(alone));
    RecordProperty("hit_rate_beside", std::to_string(beside));
  }

 private:
  std::uint64_t state_ = 1, missed_ = 0, gets_ = 0;
};

TEST_F(ScanResistance, ScansDumpsAndLoadsLeaveThePointWorkloadItsPages) {
  constexpr int steps = 160;
  const Table hot = table("hot"), big = table("big");
  fill(hot, hot_records, value_bytes);
  {
    SCOPED_TRACE("load");
    expect_undisturbed(hot, steps, [&](int i) {
      const auto from = static_cast<std::uint64_t>(i) * (cold_records / steps);
      load(big, from, from + cold_records / steps);
    });
  }
  ASSERT_FALSE(HasFatalFailure());
  for (const Direction direction : {Direction::forward, Direction::backward}) {
    SCOPED_TRACE("scan");
    auto tx = reader();
    auto cursor = tx.cursor(big, {}, direction);
    ASSERT_OK(cursor);
    std::uint64_t seen = 0;
    expect_undisturbed(hot, steps, [&](int) {
      for (std::uint64_t n = 0; n < cold_records / steps; ++n, ++seen) ASSERT_TRUE(cursor->next().value_or(false));
      db().run_background();
    });
    EXPECT_EQ(seen, cold_records);
    ASSERT_OK(tx.commit());
  }
  {
    SCOPED_TRACE("dump");  // as the command line program does it: each value through a stream
    auto tx = reader();
    auto cursor = tx.cursor(big);
    ASSERT_OK(cursor);
    std::string piece(cold_bytes, '\0');
    expect_undisturbed(hot, steps, [&](int) {
      for (std::uint64_t n = 0; n < cold_records / steps; ++n) {
        ASSERT_TRUE(cursor->next().value_or(false));
        auto value = tx.open_reader(big, cursor->key());
        ASSERT_OK(value);
        ASSERT_TRUE(*value);
        ASSERT_EQ((*value)->read(piece).value_or(0), cold_bytes);
      }
      db().run_background();
    });
    ASSERT_OK(tx.commit());
  }
  {
    SCOPED_TRACE("count");
    auto tx = reader();
    expect_undisturbed(hot, steps, [&](int i) {
      const std::string from = key_of(static_cast<std::uint64_t>(i) * (cold_records / steps)),
                        to = key_of(static_cast<std::uint64_t>(i + 1) * (cold_records / steps));
      auto count = tx.count(big, {.from = from, .to = to});
      ASSERT_OK(count);
      ASSERT_EQ(*count, cold_records / steps);
    });
    ASSERT_OK(tx.commit());
  }
}

}  // namespace
}  // namespace plimsoll
