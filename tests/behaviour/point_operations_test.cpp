// get, exists, put, insert, update and erase: every one of them on keys that are absent, present, written by the transaction itself
// and erased by it; keys and values of every shape.
#include "behaviour/support.hpp"

namespace plimsoll {
namespace {

class PointOperations : public StoreTest {};

// How the key came to be what it is when the operation under test meets it.
enum class Before { never_there, committed, erased_and_committed, own_insert, own_update, own_erase, own_erase_of_own };

constexpr Before every_before[] = {Before::never_there, Before::committed, Before::erased_and_committed, Before::own_insert,
                                   Before::own_update,  Before::own_erase, Before::own_erase_of_own};

bool present(Before before) { return before == Before::committed || before == Before::own_insert || before == Before::own_update; }

class EveryBefore : public PointOperations {
 protected:
  Transaction arrange(Table where, Before before) {
    if (before == Before::committed || before == Before::own_update || before == Before::own_erase) put(where, "key", "old");
    if (before == Before::erased_and_committed) {
      put(where, "key", "old");
      erase(where, "key");
    }
    auto tx = begin();
    if (before == Before::own_insert || before == Before::own_update || before == Before::own_erase_of_own)
      EXPECT_OK(tx.put(where, "key", "old"));
    if (before == Before::own_erase || before == Before::own_erase_of_own) {
      auto erased = tx.erase(where, "key");
      EXPECT_OK(erased);
      EXPECT_TRUE(erased && *erased);
    }
    return tx;
  }
  void for_every(const std::function<void(Transaction&, Table, Before)>& body,
                 const std::function<std::optional<std::string>(Before)>& after) {
    int number = 0;
    for (const Before before : every_before) {
      SCOPED_TRACE(static_cast<int>(before));
      for (const bool commits : {true, false}) {
        const Table where = table("t" + std::to_string(number++));
        auto tx = arrange(where, before);
        body(tx, where, before);
        EXPECT_EQ(text(tx.get(where, "key")), after(before));
        EXPECT_OK(commits ? tx.commit() : tx.abort());
        const bool was_there = before == Before::committed || before == Before::own_update || before == Before::own_erase;
        EXPECT_EQ(now(where, "key"), commits ? after(before) : was_there ? std::optional<std::string>("old") : std::nullopt);
      }
    }
  }
};

TEST_F(EveryBefore, GetAndExistsAgree) {
  for_every(
      [](Transaction& tx, Table where, Before before) {
        EXPECT_EQ(text(tx.get(where, "key")), present(before) ? std::optional<std::string>("old") : std::nullopt);
        auto exists = tx.exists(where, "key");
        ASSERT_OK(exists);
        EXPECT_EQ(*exists, present(before));
        auto count = tx.count(where);
        ASSERT_OK(count);
        EXPECT_EQ(*count, present(before) ? 1u : 0u);
      },
      [](Before before) { return present(before) ? std::optional<std::string>("old") : std::nullopt; });
}

TEST_F(EveryBefore, PutAlwaysWrites) {
  for_every([](Transaction& tx, Table where, Before) { EXPECT_OK(tx.put(where, "key", "new")); }, [](Before) { return "new"; });
}

TEST_F(EveryBefore, InsertRefusesAPresentKey) {
  for_every(
      [](Transaction& tx, Table where, Before before) {
        auto inserted = tx.insert(where, "key", "new");
        if (present(before))
          EXPECT_CODE(inserted, already_exists);
        else
          EXPECT_OK(inserted);
      },
      [](Before before) { return present(before) ? "old" : "new"; });
}

TEST_F(EveryBefore, UpdateRefusesAnAbsentKey) {
  for_every(
      [](Transaction& tx, Table where, Before before) {
        auto updated = tx.update(where, "key", "new");
        if (present(before))
          EXPECT_OK(updated);
        else
          EXPECT_CODE(updated, not_found);
      },
      [](Before before) { return present(before) ? std::optional<std::string>("new") : std::nullopt; });
}

TEST_F(EveryBefore, EraseSaysWhetherTheKeyWasThere) {
  for_every(
      [](Transaction& tx, Table where, Before before) {
        auto erased = tx.erase(where, "key");
        ASSERT_OK(erased);
        EXPECT_EQ(*erased, present(before));
        auto again = tx.erase(where, "key");
        ASSERT_OK(again);
        EXPECT_FALSE(*again);
      },
      [](Before) { return std::nullopt; });
}

TEST_F(EveryBefore, GetForUpdateReadsLikeGet) {
  for_every(
      [](Transaction& tx, Table where, Before before) {
        EXPECT_EQ(text(tx.get_for_update(where, "key")), present(before) ? std::optional<std::string>("old") : std::nullopt);
      },
      [](Before before) { return present(before) ? std::optional<std::string>("old") : std::nullopt; });
}

TEST_F(PointOperations, AnEmptyValueIsNotAnAbsentOne) {
  const Table where = table();
  put(where, "empty", "");
  EXPECT_EQ(now(where, "empty"), "");
  EXPECT_EQ(now(where, "absent"), std::nullopt);
  auto tx = begin();
  EXPECT_EQ(scan(tx, where), (Records{{"empty", ""}}));
  EXPECT_OK(tx.update(where, "empty", "full"));
  EXPECT_OK(tx.update(where, "empty", ""));
  EXPECT_OK(tx.commit());
  EXPECT_EQ(now(where, "empty"), "");
}

TEST_F(PointOperations, KeysHoldAnyByteAndAreOrderedByUnsignedBytes) {
  const Table where = table();
  std::map<std::string, std::string> model;
  for (int high = 0; high < 256; ++high) {
    const char c = static_cast<char>(high);
    for (const std::string& key : {std::string(1, c), std::string(2, c), std::string{c, '\0'}, std::string{'\0', c}})
      model[key] = "of " + key;
  }
  auto tx = begin();
  for (const auto& [key, value] : model) ASSERT_OK(tx.put(where, key, value));
  ASSERT_OK(tx.commit());
  Records expected(model.begin(), model.end());  // std::string compares as unsigned char
  EXPECT_EQ(scan(where), expected);
  for (const auto& [key, value] : model) EXPECT_EQ(now(where, key), value);
}

TEST_F(PointOperations, KeysOfEverySizeUpToTheLongest) {
  const Table where = table();
  const std::size_t longest = db().key_bytes_max();
  EXPECT_EQ(longest, 1024u);
  auto tx = begin();
  for (std::size_t size = 1; size <= longest; ++size) ASSERT_OK(tx.put(where, std::string(size, 'x'), std::to_string(size)));
  ASSERT_OK(tx.commit());
  const Records all = scan(where);
  ASSERT_EQ(all.size(), longest);
  for (std::size_t size = 1; size <= longest; ++size) {
    EXPECT_EQ(all[size - 1].first.size(), size);
    EXPECT_EQ(all[size - 1].second, std::to_string(size));
  }
}

TEST_F(PointOperations, TheLongestKeyIsAnEighthOfAPage) {
  options.page_size = 4_KiB;
  EXPECT_EQ(db().key_bytes_max(), 512u);
  EXPECT_EQ(db().page_size(), 4096u);
}

TEST_F(PointOperations, KeysTooShortOrTooLongAreRefusedAndTheTransactionGoesOn) {
  const Table where = table();
  auto tx = begin();
  ASSERT_OK(tx.put(where, "key", "value"));
  for (const std::string& bad : {std::string(), std::string(db().key_bytes_max() + 1, 'x'), std::string(1_MiB, 'x')}) {
    EXPECT_CODE(tx.put(where, bad, "v"), invalid_argument);
    EXPECT_CODE(tx.insert(where, bad, "v"), invalid_argument);
    EXPECT_CODE(tx.update(where, bad, "v"), invalid_argument);
    EXPECT_CODE(tx.erase(where, bad), invalid_argument);
    EXPECT_CODE(tx.get_for_update(where, bad), invalid_argument);
    EXPECT_CODE(tx.open_writer(where, bad), invalid_argument);
    auto found = tx.get(where, bad);  // no such key can exist: absent or refused, but never present
    EXPECT_TRUE(!found || !*found);
    auto exists = tx.exists(where, bad);
    EXPECT_TRUE(!exists || !*exists);
  }
  EXPECT_OK(tx.commit());
  EXPECT_EQ(scan(where), (Records{{"key", "value"}}));
}

TEST_F(PointOperations, AReadOnlyTransactionCannotWrite) {
  const Table where = table();
  put(where, "key", "value");
  auto tx = reader();
  EXPECT_CODE(tx.put(where, "key", "v"), read_only);
  EXPECT_CODE(tx.insert(where, "other", "v"), read_only);
  EXPECT_CODE(tx.update(where, "key", "v"), read_only);
  EXPECT_CODE(tx.erase(where, "key"), read_only);
  EXPECT_CODE(tx.erase_range(where, {}), read_only);
  EXPECT_CODE(tx.get_for_update(where, "key"), read_only);
  EXPECT_CODE(tx.open_writer(where, "key"), read_only);
  EXPECT_EQ(text(tx.get(where, "key")), "value");
  EXPECT_OK(tx.commit());
}

TEST_F(PointOperations, ManyChangesOfOneKeyInOneTransaction) {
  const Table where = table();
  auto tx = begin();
  for (int i = 0; i < 5000; ++i) {
    ASSERT_OK(tx.put(where, "key", std::to_string(i) + std::string(static_cast<std::size_t>(i % 300), 'x')));
    if (i % 7 == 0) ASSERT_OK(tx.erase(where, "key"));
  }
  ASSERT_OK(tx.put(where, "key", "last"));
  EXPECT_EQ(text(tx.get(where, "key")), "last");
  ASSERT_OK(tx.commit());
  EXPECT_EQ(scan(where), (Records{{"key", "last"}}));
}

TEST_F(PointOperations, ValuesStayReadableWhileTheirRecordsChange) {
  const Table where = table();
  put(where, "a", "first");
  auto tx = begin();
  auto first = tx.get(where, "a");
  ASSERT_OK(first);
  ASSERT_OK(tx.put(where, "a", "second, longer than the first"));
  auto second = tx.get(where, "a");
  ASSERT_OK(second);
  ASSERT_OK(tx.erase(where, "a"));
  EXPECT_EQ((*first)->bytes(), "first");
  EXPECT_EQ((*second)->bytes(), "second, longer than the first");
  Value moved = std::move(**first);
  EXPECT_EQ(moved.bytes(), "first");
  ASSERT_OK(tx.abort());
}

TEST_F(PointOperations, ThingsCommittedAreThereAfterReopen) {
  fill(table(), 3000, 100);
  reopen();
  const Records all = scan(table());
  ASSERT_EQ(all.size(), 3000u);
  for (std::uint64_t i = 0; i < 3000; ++i) {
    EXPECT_EQ(all[i].first, key_of(i));
    EXPECT_EQ(all[i].second, noise(100, i));
  }
}

}  // namespace
}  // namespace plimsoll
