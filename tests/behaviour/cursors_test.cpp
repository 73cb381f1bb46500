// Cursors in both directions, their ranges and seeks, what they see of their own transaction's writes and of others', and
// multi_get.
#include "behaviour/support.hpp"

namespace plimsoll {
namespace {

class Cursors : public StoreTest {
 protected:
  static std::vector<std::string> keys(const Records& records) {
    std::vector<std::string> all;
    for (const auto& [key, value] : records) all.push_back(key);
    return all;
  }
  static std::vector<std::string> numbers(std::uint64_t from, std::uint64_t to) {
    std::vector<std::string> all;
    for (std::uint64_t i = from; i < to; ++i) all.push_back(key_of(i));
    return all;
  }
};

TEST_F(Cursors, BothDirectionsSeeEverythingInOrder) {
  const Table where = table();
  fill(where, 5000, 50);
  auto tx = begin();
  auto forward = scan(tx, where), backward = scan(tx, where, {}, Direction::backward);
  EXPECT_EQ(keys(forward), numbers(0, 5000));
  std::reverse(backward.begin(), backward.end());
  EXPECT_EQ(forward, backward);
  ASSERT_OK(tx.commit());
}

TEST_F(Cursors, RangesAreHalfOpen) {
  const Table where = table();
  fill(where, 1000, 50);
  auto tx = begin();
  for (const auto& [from, to] : {std::pair{0, 1}, {0, 1000}, {17, 18}, {500, 700}, {999, 1000}, {10, 10}, {20, 10}}) {
    const std::string low = key_of(static_cast<std::uint64_t>(from)), high = key_of(static_cast<std::uint64_t>(to));
    const Range range{low, high};
    auto expected =
        from < to ? numbers(static_cast<std::uint64_t>(from), static_cast<std::uint64_t>(to)) : std::vector<std::string>{};
    EXPECT_EQ(keys(scan(tx, where, range)), expected) << from << ".." << to;
    auto count = tx.count(where, range);
    ASSERT_OK(count);
    EXPECT_EQ(*count, expected.size());
    std::reverse(expected.begin(), expected.end());
    EXPECT_EQ(keys(scan(tx, where, range, Direction::backward)), expected) << from << ".." << to;
  }
  const std::string middle = key_of(400);
  EXPECT_EQ(keys(scan(tx, where, {.to = middle})), numbers(0, 400));
  EXPECT_EQ(keys(scan(tx, where, {.from = middle})), numbers(400, 1000));
  EXPECT_EQ(keys(scan(tx, where, {.from = "k00000010x", .to = "k00000012x"})), numbers(11, 13));
  ASSERT_OK(tx.commit());
}

TEST_F(Cursors, EmptyTablesAndRangesAreExhaustedAtOnceAndStaySo) {
  const Table where = table();
  auto tx = begin();
  for (const Direction direction : {Direction::forward, Direction::backward}) {
    auto cursor = tx.cursor(where, {}, direction);
    ASSERT_OK(cursor);
    for (int i = 0; i < 3; ++i) {
      auto more = cursor->next();
      ASSERT_OK(more);
      EXPECT_FALSE(*more);
    }
  }
  ASSERT_OK(tx.put(where, "b", "1"));
  EXPECT_TRUE(scan(tx, where, {.from = "c"}).empty());
  EXPECT_TRUE(scan(tx, where, {.to = "b"}).empty());
  EXPECT_TRUE(scan(tx, where, {.to = "b"}, Direction::backward).empty());
  ASSERT_OK(tx.commit());
}

TEST_F(Cursors, SeekGoesAnywhereInEitherDirection) {
  const Table where = table();
  for (std::uint64_t i = 0; i < 2000; i += 2) put(where, key_of(i), std::to_string(i));
  auto tx = begin();
  auto forward = tx.cursor(where), backward = tx.cursor(where, {}, Direction::backward);
  ASSERT_OK(forward);
  ASSERT_OK(backward);
  for (const std::uint64_t at : {1000u, 3u, 1998u, 0u, 777u, 776u}) {
    ASSERT_OK(forward->seek(key_of(at)));
    ASSERT_TRUE(forward->next().value_or(false));
    EXPECT_EQ(forward->key(), key_of((at + 1) / 2 * 2));
    ASSERT_OK(backward->seek(key_of(at)));
    ASSERT_TRUE(backward->next().value_or(false));
    EXPECT_EQ(backward->key(), key_of(at / 2 * 2));
  }
  ASSERT_OK(forward->seek("z"));
  EXPECT_FALSE(forward->next().value_or(true));
  ASSERT_OK(backward->seek("a"));
  EXPECT_FALSE(backward->next().value_or(true));
  ASSERT_OK(forward->seek(key_of(10)));  // an exhausted cursor can be positioned again
  ASSERT_TRUE(forward->next().value_or(false));
  EXPECT_EQ(forward->key(), key_of(10));
  ASSERT_OK(tx.commit());
}

TEST_F(Cursors, SeekStaysInsideTheRange) {
  const Table where = table();
  fill(where, 100, 10);
  const std::string low = key_of(20), high = key_of(40);
  auto tx = begin();
  auto forward = tx.cursor(where, {low, high}), backward = tx.cursor(where, {low, high}, Direction::backward);
  ASSERT_OK(forward);
  ASSERT_OK(backward);
  ASSERT_OK(forward->seek(key_of(5)));
  ASSERT_TRUE(forward->next().value_or(false));
  EXPECT_EQ(forward->key(), low);
  ASSERT_OK(forward->seek(key_of(50)));
  EXPECT_FALSE(forward->next().value_or(true));
  ASSERT_OK(backward->seek(key_of(90)));
  ASSERT_TRUE(backward->next().value_or(false));
  EXPECT_EQ(backward->key(), key_of(39));
  ASSERT_OK(backward->seek(key_of(10)));
  EXPECT_FALSE(backward->next().value_or(true));
  ASSERT_OK(tx.commit());
}

TEST_F(Cursors, AScanSeesItsOwnTransactionsLaterWrites) {
  const Table where = table();
  fill(where, 100, 10);
  auto tx = begin();
  auto cursor = tx.cursor(where);
  ASSERT_OK(cursor);
  std::vector<std::string> seen;
  while (cursor->next().value_or(false)) {
    const std::string at(cursor->key());
    seen.push_back(at);
    if (at == key_of(10)) {
      ASSERT_OK(tx.put(where, at + "+", "right after"));
      ASSERT_OK(tx.put(where, key_of(5) + "+", "behind: not seen"));
      ASSERT_OK(tx.erase(where, key_of(12)));
      ASSERT_OK(tx.update(where, key_of(13), "changed"));
    }
    if (at == key_of(13)) { EXPECT_EQ(cursor->value(), "changed"); }
  }
  std::vector<std::string> expected = numbers(0, 100);
  expected.insert(expected.begin() + 11, key_of(10) + "+");
  std::erase(expected, key_of(12));
  EXPECT_EQ(seen, expected);
  ASSERT_OK(tx.abort());
}

TEST_F(Cursors, ErasingWhatIsScannedEmptiesTheTable) {
  for (const Direction direction : {Direction::forward, Direction::backward}) {
    const Table where = table();
    fill(where, 5000, 100);
    auto tx = begin();
    auto cursor = tx.cursor(where, {}, direction);
    ASSERT_OK(cursor);
    std::uint64_t erased = 0;
    while (cursor->next().value_or(false)) {
      const std::string at(cursor->key());
      auto gone = tx.erase(where, at);
      ASSERT_OK(gone);
      ASSERT_TRUE(*gone);
      ++erased;
    }
    EXPECT_EQ(erased, 5000u);
    EXPECT_TRUE(scan(tx, where).empty());
    ASSERT_OK(tx.commit());
    EXPECT_TRUE(scan(where).empty());
  }
}

// Another transaction splits and empties leaves under the cursor: the snapshot's scan is exact all the same.
TEST_F(Cursors, SplitsAndMergesByOthersDoNotDisturbAScan) {
  const Table where = table();
  for (std::uint64_t i = 0; i < 4000; i += 2) put(where, key_of(i), "v");
  for (const Direction direction : {Direction::forward, Direction::backward}) {
    auto tx = begin();
    auto expected = scan(tx, where, {}, direction);
    auto cursor = tx.cursor(where, {}, direction);
    ASSERT_OK(cursor);
    Records seen;
    std::uint64_t step = 0;
    while (cursor->next().value_or(false)) {
      seen.emplace_back(cursor->key(), cursor->value());
      if (++step % 100 != 0) continue;
      auto other = begin();
      for (std::uint64_t i = 0; i < 60; ++i) {
        ASSERT_OK(other.put(where, key_of(step * 2 + i) + (direction == Direction::forward ? "f" : "b"), noise(300, i)));
        ASSERT_OK(other.erase(where, key_of((step * 2 + i) % 4000)));
      }
      ASSERT_OK(other.commit());
    }
    EXPECT_EQ(seen, expected);
    ASSERT_OK(tx.commit());
  }
}

TEST_F(Cursors, ACursorIsMovableAndEndsWithItsTransaction) {
  const Table where = table();
  fill(where, 10, 10);
  auto tx = begin();
  auto opened = tx.cursor(where);
  ASSERT_OK(opened);
  ASSERT_TRUE(opened->next().value_or(false));
  Cursor moved = std::move(*opened);
  EXPECT_EQ(moved.key(), key_of(0));
  ASSERT_TRUE(moved.next().value_or(false));
  EXPECT_EQ(moved.key(), key_of(1));
  EXPECT_CODE(opened->next(), transaction_aborted);  // moved from
  ASSERT_OK(tx.commit());
  EXPECT_CODE(moved.next(), transaction_aborted);
  EXPECT_CODE(moved.seek("k"), transaction_aborted);
}

TEST_F(Cursors, ManyOpenCursorsInOneTransaction) {
  const Table where = table();
  fill(where, 300, 10);
  auto tx = begin();
  std::vector<Cursor> open;
  for (int i = 0; i < 100; ++i) {
    auto cursor = tx.cursor(where);
    ASSERT_OK(cursor);
    open.push_back(std::move(*cursor));
  }
  for (std::uint64_t i = 0; i < 300; ++i)
    for (Cursor& cursor : open) {
      ASSERT_TRUE(cursor.next().value_or(false));
      ASSERT_EQ(cursor.key(), key_of(i));
    }
  open.clear();
  ASSERT_OK(tx.commit());
}

TEST_F(Cursors, MultiGetAnswersLikeGets) {
  const Table where = table();
  fill(where, 3000, 70);
  put(where, "large", noise(300_KiB, 1));
  auto tx = begin();
  ASSERT_OK(tx.put(where, key_of(5), "own"));
  ASSERT_OK(tx.erase(where, key_of(6)));
  std::vector<std::string> names;
  for (std::uint64_t i = 0; i < 400; ++i) names.push_back(key_of(i * 7919 % 4000));  // a quarter is absent
  names.insert(names.end(), {key_of(5), key_of(6), key_of(5), "large", "absent"});
  std::vector<Bytes> asked(names.begin(), names.end());
  std::vector<std::optional<Value>> answers(asked.size());
  ASSERT_OK(tx.multi_get(where, asked, answers));
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const auto single = text(tx.get(where, asked[i]));
    ASSERT_EQ(answers[i].has_value(), single.has_value()) << asked[i];
    if (single) { EXPECT_EQ(answers[i]->bytes(), *single); }
  }
  ASSERT_OK(tx.multi_get(where, {}, {}));
  EXPECT_CODE(tx.multi_get(where, asked, std::span(answers).first(3)), invalid_argument);
  answers.clear();
  ASSERT_OK(tx.commit());
}

}  // namespace
}  // namespace plimsoll
