// Database::open_in_memory: the same engine over files that are part of the budget.
#include "behaviour/support.hpp"

namespace plimsoll {
namespace {

Options small() {
  Options options;
  options.memory_budget = 32_MiB;
  options.max_transactions = 64;
  options.lock_deadline = std::chrono::milliseconds(100);
  return options;
}

std::uint64_t account(const Database& db, std::string_view name) {
  for (const AccountStats& one : db.statistics().accounts)
    if (one.name == name) return one.used_bytes;
  ADD_FAILURE() << "no account " << name;
  return 0;
}

TEST(InMemory, IsAStoreOfItsOwnThatLeavesNothingBehind) {
  auto one = Database::open_in_memory(small());
  auto other = Database::open_in_memory(small());
  ASSERT_OK(one);
  ASSERT_OK(other);
  auto table = one->open_table("rows", {.create_if_missing = true});
  ASSERT_OK(table);
  EXPECT_CODE(other->open_table("rows"), not_found);
  for (int i = 0; i < 2000; ++i)
    EXPECT_OK(
        one->transact({}, [&](Transaction& tx) { return tx.put(*table, key_of(static_cast<std::uint64_t>(i)), noise(100, 1)); }));
  EXPECT_GT(account(*one, "memory_files"), 0u);
  EXPECT_FALSE(std::filesystem::exists("memory"));
  auto report = one->verify();
  ASSERT_OK(report);
  EXPECT_TRUE(report->problems.empty());
  EXPECT_OK(one->close());
  auto again = Database::open_in_memory(small());
  ASSERT_OK(again);
  EXPECT_CODE(again->open_table("rows"), not_found);  // nothing survives the handle
}

// More than the pool holds, with checkpoints that cut the log; then until nothing more fits; then room is made.
TEST(InMemory, AFullOneRefusesWritesLosesNothingAndGoesOnWhenRoomIsMade) {
  auto db = Database::open_in_memory(small());
  ASSERT_OK(db);
  auto table = db->open_table("rows", {.create_if_missing = true});
  ASSERT_OK(table);
  const auto write = [&](std::uint64_t first) {
    return db->transact({.durability = Durability::relaxed}, [&](Transaction& tx) -> Result<void> {
      for (std::uint64_t i = first; i < first + 100; ++i)
        if (auto put = tx.put(*table, key_of(i), noise(1000, i)); !put) return put;
      return {};
    });
  };
  std::uint64_t written = 0;
  Result<void> last;
  for (; written < 64'000 && last; written += last ? 100 : 0) last = write(written);
  ASSERT_FALSE(last.has_value()) << "64 MB fit into a budget of 32 MiB";
  EXPECT_TRUE(last.error().code() == ErrorCode::no_space || last.error().code() == ErrorCode::log_full) << told(last);
  EXPECT_GT(written, 10'000u) << "less than 10 MB fit";
  EXPECT_LE(db->statistics().memory_used, db->statistics().memory_budget);
  EXPECT_OK(db->transact({}, [&](Transaction& tx) -> Result<void> {
    for (std::uint64_t i = 0; i < written; ++i) {
      auto found = tx.get(*table, key_of(i));
      if (!found) return std::unexpected(found.error());
      EXPECT_TRUE(*found && (*found)->bytes() == noise(1000, i)) << i;
    }
    return {};
  }));
  // One transaction that erases half of it would need more room for old versions than there is. It is refused, and undone.
  const auto erase = [&](std::uint64_t first, std::uint64_t end) {
    return db->transact({}, [&](Transaction& tx) -> Result<void> {
      for (std::uint64_t i = first; i < end; ++i)
        if (auto gone = tx.erase(*table, key_of(i)); !gone) return std::unexpected(gone.error());
      return {};
    });
  };
  EXPECT_CODE(erase(0, written / 2), no_space);
  for (std::uint64_t first = 0; first < written / 2; first += 100) {
    bool erased = false;
    for (int attempts = 0; attempts < 50 && !erased; ++attempts) {  // the collector makes room in the background
      erased = erase(first, first + 100).has_value();
      if (!erased) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    ASSERT_TRUE(erased) << first;
  }
  bool wrote = false;
  for (int attempts = 0; attempts < 50 && !wrote; ++attempts) {
    wrote = write(written).has_value();
    if (!wrote) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_TRUE(wrote) << "no room came of erasing half";
}

TEST(InMemory, ABudgetThatIsTooSmallIsTold) {
  Options options = small();
  options.memory_budget = 20_MiB;
  options.page_size = 32_KiB;
  EXPECT_CODE(Database::open_in_memory(options), memory_budget_exceeded);
}

}  // namespace
}  // namespace plimsoll
