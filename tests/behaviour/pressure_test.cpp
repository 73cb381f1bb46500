// What a host sees of memory pressure: a budget that moves, memory released on demand, levels, newcomers held back, the largest
// transaction sacrificed, the container's limit followed.
#include "memory/pressure.hpp"
#include "behaviour/support.hpp"
#include "db/environment.hpp"
#include "io/plain_file_system.hpp"
#include "test_time.hpp"
#include "unit/memory_support.hpp"

namespace plimsoll {
namespace {

using namespace std::chrono_literals;

using memory::resident_bytes;

class Pressure : public StoreTest {
 protected:
  static constexpr std::uint64_t rows = 40'000;
  static constexpr std::size_t row_bytes = 1000;

  std::uint64_t fired(const std::string& rung) {
    for (const RungStats& one : db().statistics().pressure.rungs)
      if (one.name == rung) return one.fired;
    ADD_FAILURE() << rung;
    return 0;
  }
  void expect_rows(Table where, std::uint64_t step) {
    auto tx = begin();
    for (std::uint64_t i = 0; i < rows; i += step) EXPECT_EQ(text(tx.get(where, key_of(i))), noise(row_bytes, i));
    EXPECT_OK(tx.abort());
  }
  // Memory that this transaction owns and nobody else looks at; how much it got before it was refused.
  static std::size_t take_all(Transaction& tx, std::size_t piece) {
    std::size_t bytes = 0;
    while (tx.allocate(piece)) bytes += piece;
    return bytes;
  }
};

TEST_F(Pressure, TheBudgetMovesDownAndUpAndMemoryGoesWithIt) {
  options.memory_budget = 96_MiB;
  const Table where = table();
  fill(where, rows, row_bytes);
  expect_rows(where, 1);
  const std::size_t before = resident_bytes();
  ASSERT_GT(db().statistics().memory_used, 40_MiB);
  ASSERT_OK(db().set_memory_budget(24_MiB));
  const Statistics lowered = db().statistics();
  EXPECT_EQ(lowered.memory_budget, 24_MiB);
  EXPECT_LE(lowered.memory_used, 24_MiB);
  EXPECT_TRUE(!memory::resident_is_exact || resident_bytes() + 16_MiB < before);
  expect_rows(where, 7);
  fill(where, 2000, row_bytes);
  EXPECT_LE(db().statistics().memory_used, 24_MiB);
  ASSERT_OK(db().set_memory_budget(96_MiB));
  expect_rows(where, 7);
  EXPECT_CODE(db().set_memory_budget(16_MiB - 1), invalid_argument);
  EXPECT_CODE(db().set_memory_budget(96_MiB + 1), invalid_argument);
}

TEST_F(Pressure, ABudgetThatIsInUseStaysWhereItIs) {
  options.memory_budget = 48_MiB;
  options.memory_deadline = 100ms;
  const Table where = table();
  const std::string big = noise(1_MiB, 7);
  put(where, "big", big);
  auto tx = begin();
  std::vector<Value> held;
  for (auto found = tx.get(where, "big"); found && held.size() < 25; found = tx.get(where, "big"))
    held.push_back(std::move(**found));
  ASSERT_EQ(held.size(), 25u);
  EXPECT_CODE(db().set_memory_budget(20_MiB), memory_budget_exceeded);  // what users hold cannot be taken
  EXPECT_EQ(db().statistics().memory_budget, 48_MiB);
  for (const Value& one : held) EXPECT_EQ(one.bytes(), big);
  EXPECT_FALSE(tx.active()) << "it was sacrificed, in vain";
  held.clear();
  { const Transaction gone = std::move(tx); }
  EXPECT_OK(db().set_memory_budget(20_MiB));
}

TEST_F(Pressure, MemoryIsReleasedOnDemandAndTakenAgain) {
  const Table where = table();
  fill(where, rows, row_bytes);
  const std::uint64_t used = db().statistics().memory_used;
  const std::size_t released = db().release_memory(8_MiB);
  EXPECT_GE(released, 8_MiB);
  EXPECT_LE(db().statistics().memory_used, used - 6_MiB);  // the background may have taken a little meanwhile
  expect_rows(where, 13);
  EXPECT_GT(fired("pool"), 0u);
}

// The system before this one stayed at its highest level when memory was freed, and counted more than its budget.
TEST_F(Pressure, TheLevelRisesWithWhatIsHeldAndFallsWhenItGoes) {
  options.memory_deadline = 100ms;
  table();
  const auto used = [&] {
    settle();
    std::map<std::string, std::uint64_t> all;
    const Statistics now = db().statistics();
    EXPECT_LE(now.memory_used, now.memory_budget);
    for (const AccountStats& one : now.accounts)
      if (one.leaf && one.name != "frames") all[one.name] = std::max(one.used_bytes, one.floor_bytes);
    return all;
  };
  static_cast<void>(db().release_memory(options.memory_budget));
  const auto before = used();
  EXPECT_EQ(db().pressure_level(), PressureLevel::normal);
  for (int round = 0; round < 3; ++round) {
    auto large = begin();
    EXPECT_GT(take_all(large, 1_MiB), 10_MiB);
    EXPECT_GE(db().pressure_level(), PressureLevel::warning);
    EXPECT_LE(db().statistics().memory_used, options.memory_budget);
    { const Transaction gone = std::move(large); }
    static_cast<void>(db().release_memory(options.memory_budget));
    EXPECT_EQ(used(), before);
    EXPECT_EQ(db().pressure_level(), PressureLevel::normal);
  }
}

// Its memory is gone only when its owner has been told and lets go: until then what was handed out stays as it is.
TEST_F(Pressure, TheLargestTransactionIsSacrificedForTheOthers) {
  options.memory_deadline = 5s;
  const Table where = table();
  put(where, "k", "v");
  std::atomic<bool> large_has_all{false};
  std::thread owner([&] {
    auto large = begin();
    EXPECT_OK(large.put(where, "large", "uncommitted"));
    std::vector<std::span<char>> pieces;
    for (auto piece = large.allocate(1_MiB); piece; piece = large.allocate(1_MiB)) {
      std::ranges::fill(*piece, 'L');
      pieces.push_back(*piece);
    }
    EXPECT_GT(pieces.size(), 10u);
    large_has_all = true;
    Result<bool> asked = large.exists(where, "k");
    while (asked) asked = large.exists(where, "k");
    EXPECT_CODE(asked, memory_budget_exceeded);
    EXPECT_FALSE(large.active());
    for (const std::span<char> piece : pieces) EXPECT_TRUE(memory::all_are(piece.data(), piece.size(), 'L'));
  });
  while (!large_has_all) std::this_thread::yield();
  auto other = begin();
  std::size_t got = 0;
  while (got < 8_MiB && other.allocate(1_MiB)) got += 1_MiB;
  EXPECT_EQ(got, 8_MiB) << "it waits for memory, and gets that of the larger one";
  owner.join();
  EXPECT_EQ(counter("transactions_sacrificed"), 1u);
  EXPECT_GT(fired("victim"), 0u);
  ASSERT_OK(other.commit());
  EXPECT_EQ(now(where, "k"), "v");
  EXPECT_EQ(now(where, "large"), std::nullopt);
}

TEST_F(Pressure, WhoHoldsMostIsRefusedAndKeepsWhatItHas) {
  options.memory_deadline = 100ms;
  const Table where = table();
  put(where, "k", "v");
  auto large = begin();
  ASSERT_GT(take_all(large, 1_MiB), 10_MiB);
  EXPECT_EQ(text(large.get(where, "k")), "v");
  ASSERT_OK(large.put(where, "k", "w"));
  ASSERT_OK(large.commit());
  EXPECT_EQ(now(where, "k"), "w");
  EXPECT_EQ(counter("transactions_sacrificed"), 0u);
  const MemoryPressure seen = db().statistics().pressure;
  EXPECT_GT(seen.refusals, 0u);
  EXPECT_EQ(seen.refused_with_room, 0u);
}

TEST_F(Pressure, NewTransactionsWaitAtAnEmergencyAndOldOnesGoOn) {
  options.memory_deadline = 100ms;
  options.max_transactions = 1000;
  const Table where = table();
  put(where, "k", "v");
  auto old = begin();
  db().set_pressure_level(PressureLevel::emergency);
  EXPECT_EQ(db().pressure_level(), PressureLevel::emergency);
  std::optional<Error> refusal;
  std::vector<Transaction> inside;
  while (inside.size() < 900 && !refusal) {  // some may come in for what others have given back
    auto tx = db().begin();
    if (tx) {
      inside.push_back(std::move(*tx));
    } else {
      refusal = tx.error();
    }
  }
  inside.clear();
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->code(), ErrorCode::memory_budget_exceeded);
  EXPECT_TRUE(is_retryable(refusal->code()));
  ASSERT_OK(old.put(where, "k", "w"));
  ASSERT_OK(old.commit());
  db().set_pressure_level(PressureLevel::normal);
  EXPECT_EQ(now(where, "k"), "w");
  EXPECT_GT(fired("admission"), 0u);
}

// With all other rungs off: a rung frees what it can, so that what is charged fits, and when it can no more, the history says why.
class OneRung : public Pressure, public testing::WithParamInterface<memory::Rung> {
 protected:
  void SetUp() override {
    Pressure::SetUp();
    environment_ = {.files = files_.get(), .time = &system_time(), .seed = 1};
    environment_.rungs_off = ~(1u << static_cast<unsigned>(GetParam()));
    options.environment = &environment_;
    options.memory_deadline = 100ms;
    options.memory_budget = 16_MiB;
  }
  static constexpr std::uint64_t few_rows = 15'000;
  std::unique_ptr<io::FileSystem> files_ = io::make_plain_file_system();
  Environment environment_;
};

TEST_P(OneRung, HelpsAloneAndSaysWhyItCanNoMore) {
  const Table where = table();
  fill(where, few_rows, row_bytes);
  auto large = begin();
  auto small = begin();
  ASSERT_OK(small.put(where, "small", "v"));
  std::size_t got = take_all(large, 256u << 10);
  while (got != 0 && small.allocate(64u << 10)) {}
  if (GetParam() == memory::Rung::admission) db().set_pressure_level(PressureLevel::emergency);
  for (int i = 0; i < 50; ++i)
    if (const auto newcomer = db().begin(); !newcomer) break;
  for (int i = 0; i < 20 && db().release_memory(options.memory_budget) != 0; ++i) {}  // until it has nothing left
  const MemoryPressure seen = db().statistics().pressure;
  EXPECT_LE(db().statistics().memory_used, options.memory_budget);
  for (std::size_t i = 0; i < memory::rung_count; ++i) {
    const RungStats& rung = seen.rungs[i];
    if (static_cast<memory::Rung>(i) != GetParam()) {
      EXPECT_EQ(rung.fired, 0u) << rung.name << " is off";
      continue;
    }
    EXPECT_GT(rung.fired, 0u);
    std::string_view why;
    for (const PressureEvent& event : seen.events)
      if (event.what == rung.name) why = event.why;
    std::printf("%s alone: taken %llu times, freed %llu bytes, in vain %llu times: %s\n", rung.name.c_str(),
                static_cast<unsigned long long>(rung.fired), static_cast<unsigned long long>(rung.freed_bytes),
                static_cast<unsigned long long>(rung.in_vain), std::string(why).c_str());
    EXPECT_GT(rung.in_vain, 0u);
    EXPECT_FALSE(why.empty());
    EXPECT_TRUE(GetParam() != memory::Rung::pool || rung.freed_bytes > 2_MiB);
  }
  db().set_pressure_level(PressureLevel::normal);
  { const Transaction gone = std::move(large); }
  if (small.active()) EXPECT_OK(small.commit());
  auto after = begin();
  for (std::uint64_t i = 0; i < few_rows; i += 101) EXPECT_EQ(text(after.get(where, key_of(i))), noise(row_bytes, i));
  EXPECT_OK(after.abort());
}

INSTANTIATE_TEST_SUITE_P(Of, OneRung,
                         testing::Values(memory::Rung::caches, memory::Rung::contexts, memory::Rung::pool, memory::Rung::versions,
                                         memory::Rung::admission, memory::Rung::victim),
                         [](const auto& one) { return std::string(name(one.param)); });

TEST_F(Pressure, ChangesOfTheLevelAreEvents) {
  options.background_threads = false;
  table();
  db().set_pressure_level(PressureLevel::critical);
  db().set_pressure_level(PressureLevel::normal);
  db().run_background();
  std::size_t told = 0;
  for (const std::string& event : db().statistics().events) told += event.find("level by the") != std::string::npos ? 1 : 0;
  EXPECT_EQ(told, 2u);
  const auto history = db().statistics().pressure.events;
  ASSERT_GE(history.size(), 2u);
  EXPECT_EQ(history[0].level, PressureLevel::critical);
  EXPECT_EQ(history[0].what, "level");
}

// The store believes what a folder says about its container.
class InAContainer : public Pressure {
 protected:
  void SetUp() override {
    Pressure::SetUp();
    root_ = folder() + "/root";
    std::filesystem::create_directories(root_ + "/sys/fs/cgroup/group");
    std::filesystem::create_directories(root_ + "/proc/self");
    std::ofstream(root_ + "/proc/self/cgroup") << "0::/group\n";
    std::ofstream(root_ + "/sys/fs/cgroup/cgroup.controllers") << "memory\n";
    std::ofstream(root_ + "/proc/meminfo") << "MemTotal: 8388608 kB\nMemAvailable: 8000000 kB\n";
    environment_ = {.files = files_.get(), .time = &clock_, .seed = 1, .memory_root = root_.c_str()};
    options.environment = &environment_;
    options.background_threads = false;
    options.follow_container_limit = true;
    options.log_bytes_max = 256_MiB;
    options.memory_budget = 96_MiB;
  }
  // The container's limit, and how much of it is taken; the store looks.
  void container(std::uint64_t limit, std::uint64_t usage) {
    std::ofstream(root_ + "/sys/fs/cgroup/group/memory.max") << limit << "\n";
    std::ofstream(root_ + "/sys/fs/cgroup/group/memory.current") << usage << "\n";
    clock_.advance(2'000'000'000);
    db().run_background();
  }

  std::string root_;
  TestTime clock_{TestTime::Runs::by_itself};
  std::unique_ptr<io::FileSystem> files_ = io::make_plain_file_system();
  Environment environment_;
};

TEST_F(InAContainer, TheLimitFollowsWhatTheContainerHasLeft) {
  const Table where = table();
  fill(where, rows, row_bytes);
  container(1024_MiB, 100_MiB);
  EXPECT_EQ(db().statistics().memory_budget, 96_MiB);
  const std::uint64_t used = db().statistics().memory_used;
  container(1024_MiB, 1024_MiB);  // nothing is left: not a byte more than now
  EXPECT_LE(db().statistics().memory_budget, used);
  EXPECT_GE(db().pressure_level(), PressureLevel::critical);
  expect_rows(where, 17);
  EXPECT_LE(db().statistics().memory_used, used);
  container(1024_MiB, 1000_MiB);
  EXPECT_LE(db().pressure_level(), PressureLevel::warning);
  container(1024_MiB, 100_MiB);
  EXPECT_EQ(db().statistics().memory_budget, 96_MiB);
  EXPECT_EQ(db().pressure_level(), PressureLevel::normal);
}

TEST_F(InAContainer, IsOnlyWatchedUnlessAskedToFollow) {
  options.follow_container_limit = false;
  table();
  container(1024_MiB, 1024_MiB);
  EXPECT_EQ(db().statistics().memory_budget, 96_MiB);
  EXPECT_GE(db().pressure_level(), PressureLevel::critical);
  std::filesystem::remove_all(root_);  // no figures: no opinion
  container(1, 1);
  EXPECT_EQ(db().pressure_level(), PressureLevel::normal);
}

}  // namespace
}  // namespace plimsoll
