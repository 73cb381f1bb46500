// `plimsoll stress` finds nothing in a sound store, and every kind of wrong answer that is planted in one.
#include "bench/stress/stress_run.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/work_folder.hpp"

namespace plimsoll::bench {
namespace {

using Change = Result<void> (*)(Transaction&, Table table, const std::string& key, std::string value);

class StressTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto folder = WorkFolder::make("", false);
    ASSERT_TRUE(folder) << folder.error().message();
    folder_ = std::move(*folder);
    settings_.path = folder_->path() + "/store";
    settings_.keys_per_thread = 300;
    settings_.seconds_per_open = 0.3;
    settings_.seconds = 1;
    settings_.memory_budget = 32_MiB;
  }

  // What the run says when every record of the table has been changed like this behind its back.
  std::string complaint(bool accounts, Change change) {
    settings_.sabotage = [&](Database& database, Table rows, Table accounts_table) -> Result<void> {
      Table table = accounts ? accounts_table : rows;
      return database.transact({}, [&](Transaction& transaction) -> Result<void> {
        for (const auto& [key, value] : records(transaction, table))
          if (auto done = change(transaction, table, key, value); !done) return done;
        return {};
      });
    };
    const Result<StressTotals> totals = run_stress(settings_);
    EXPECT_FALSE(totals) << "nothing was noticed in " << totals->checks << " checks";
    return totals ? std::string() : totals.error().message();
  }

  static std::vector<std::pair<std::string, std::string>> records(Transaction& transaction, Table table) {
    std::vector<std::pair<std::string, std::string>> found;
    auto cursor = transaction.cursor(table);
    EXPECT_TRUE(cursor);
    while (true) {
      const auto more = cursor->next();
      EXPECT_TRUE(more);
      if (!more || !*more) break;
      found.emplace_back(cursor->key(), cursor->large() ? std::string() : std::string(cursor->value()));
    }
    EXPECT_GT(found.size(), 0u);
    return found;
  }

  std::unique_ptr<WorkFolder> folder_;  // removes itself
  StressSettings settings_;
};

bool contains_one_of(const std::string& text, const std::vector<std::string>& phrases) {
  return std::ranges::any_of(phrases, [&](const std::string& phrase) { return text.find(phrase) != std::string::npos; });
}

TEST_F(StressTest, ASoundStoreAnswersRightly) {
  const auto totals = run_stress(settings_);
  ASSERT_TRUE(totals) << totals.error().message();
  EXPECT_GE(totals->opens, 2u);
  EXPECT_GT(totals->commits, 0u);
  EXPECT_GT(totals->checks, 0u);
}

TEST_F(StressTest, LostRowsAreNoticed) {
  const std::string said =
      complaint(false, [](Transaction& transaction, Table table, const std::string& key, std::string) -> Result<void> {
        const auto erased = transaction.erase(table, key);
        return erased ? Result<void>{} : std::unexpected(erased.error());
      });
  EXPECT_TRUE(contains_one_of(
      said, {"missing", "another value", "another number", "ended before", "another row", "told wrongly", "accepted", "not_found"}))
      << said;
}

TEST_F(StressTest, ChangedValuesAreNoticed) {
  const std::string said =
      complaint(false, [](Transaction& transaction, Table table, const std::string& key, std::string value) -> Result<void> {
        if (value.empty()) value = "x";
        value.back() = static_cast<char>(value.back() ^ 1);
        return transaction.put(table, key, value);
      });
  EXPECT_TRUE(contains_one_of(said, {"another value", "a large value is another one"})) << said;
}

TEST_F(StressTest, RowsFromNowhereAreNoticed) {
  const std::string said =
      complaint(false, [](Transaction& transaction, Table table, const std::string& key, std::string value) -> Result<void> {
        return transaction.put(table, key + "+", value);  // no thread ever chooses such a key
      });
  EXPECT_TRUE(contains_one_of(said, {"another row", "went on", "another number", "nobody committed"})) << said;
}

TEST_F(StressTest, MoneyFromNowhereIsNoticed) {
  const std::string said =
      complaint(true, [](Transaction& transaction, Table table, const std::string& key, std::string value) -> Result<void> {
        if (key != StressThread::account_key(7)) return {};
        value[0] = static_cast<char>(value[0] ^ 1);
        return transaction.put(table, key, value);
      });
  EXPECT_TRUE(contains_one_of(said, {"does not add up"})) << said;
}

}  // namespace
}  // namespace plimsoll::bench
