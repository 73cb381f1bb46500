// No exception crosses the C interface: not those of the caller's functions, and not those of an allocator that has nothing left.
#include <gtest/gtest.h>
#include <plimsoll/c.h>

#include <cstdlib>
#include <new>
#include <stdexcept>

namespace {
thread_local bool no_memory = false;
}

// The library's operator new is this one.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  void* memory = no_memory ? nullptr : std::malloc(bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

class CapiExceptions : public testing::Test {
 protected:
  void SetUp() override {
    plimsoll_options options{};
    options.size = sizeof options;
    options.memory_budget = 64u << 20;
    ASSERT_EQ(plimsoll_open_in_memory(&options, &db, &error), PLIMSOLL_OK) << error.message;
    ASSERT_EQ(plimsoll_table_open(db, "t", 1, PLIMSOLL_TABLE_CREATE, &table, &error), PLIMSOLL_OK);
  }
  void TearDown() override { EXPECT_EQ(plimsoll_close(db, &error), PLIMSOLL_OK); }

  plimsoll_error error{sizeof error, 0, 0, {}, {}};
  plimsoll_db* db = nullptr;
  plimsoll_table table{};
};

// Writes, then throws what `context` says.
plimsoll_status throwing_body(void* context, plimsoll_txn* txn, plimsoll_error* error) {
  const auto table = *static_cast<plimsoll_table*>(context);
  if (const auto put = plimsoll_put(txn, table, "k", 1, "v", 1, error); put != PLIMSOLL_OK) return put;
  throw std::runtime_error("thrown by the body");
}

TEST_F(CapiExceptions, ABodyThatThrowsIsAborted) {
  EXPECT_EQ(plimsoll_transact(db, nullptr, throwing_body, &table, &error), PLIMSOLL_INTERNAL);
  EXPECT_STREQ(error.message, "thrown by the body");
  plimsoll_txn* txn = nullptr;
  ASSERT_EQ(plimsoll_begin(db, nullptr, &txn, &error), PLIMSOLL_OK);
  int found = 1;
  EXPECT_EQ(plimsoll_exists(txn, table, "k", 1, &found, &error), PLIMSOLL_OK);
  EXPECT_EQ(found, 0);
  plimsoll_txn_close(txn);
}

TEST_F(CapiExceptions, AnOutcomeThatIsTakenWithAnExceptionIsTheLastOfNone) {
  int told = 0;
  for (int i = 0; i < 3; ++i) {
    plimsoll_txn_options options{};
    options.size = sizeof options;
    options.durability = PLIMSOLL_RELAXED;
    plimsoll_txn* txn = nullptr;
    ASSERT_EQ(plimsoll_begin(db, &options, &txn, &error), PLIMSOLL_OK) << error.message;
    ASSERT_EQ(plimsoll_put(txn, table, "k", 1, "v", 1, &error), PLIMSOLL_OK);
    const auto done = [](void* context, plimsoll_status, const plimsoll_error*) {
      ++*static_cast<int*>(context);
      throw std::runtime_error("thrown by who is told");
    };
    EXPECT_EQ(plimsoll_commit_async(txn, done, &told, &error), PLIMSOLL_OK);
    plimsoll_txn_close(txn);
  }
  EXPECT_EQ(told, 3);
}

TEST_F(CapiExceptions, AWalkThatThrows) {
  EXPECT_EQ(plimsoll_tables(
                db, [](void*, const char*, std::size_t, plimsoll_table) -> int { throw 17; }, nullptr, &error),
            PLIMSOLL_INTERNAL);
  EXPECT_NE(error.message[0], '\0');
  EXPECT_EQ(plimsoll_memory_accounts(
                db, [](void*, const plimsoll_account*) -> int { throw std::bad_alloc(); }, nullptr, nullptr),
            PLIMSOLL_OUT_OF_MEMORY);
}

TEST_F(CapiExceptions, NoMemoryForAHandle) {
  plimsoll_txn *txn = nullptr, *second = nullptr;
  plimsoll_value* value = nullptr;
  plimsoll_cursor* cursor = nullptr;
  ASSERT_EQ(plimsoll_begin(db, nullptr, &txn, &error), PLIMSOLL_OK);
  ASSERT_EQ(plimsoll_put(txn, table, "k", 1, "v", 1, &error), PLIMSOLL_OK);
  no_memory = true;
  const auto get = plimsoll_get(txn, table, "k", 1, &value, &error);
  const auto open = plimsoll_cursor_open(txn, table, nullptr, PLIMSOLL_FORWARD, &cursor, &error);
  const auto begin = plimsoll_begin(db, nullptr, &second, &error);
  const auto json = plimsoll_statistic(db, "transactions_begun", nullptr, &error);
  no_memory = false;
  EXPECT_EQ(get, PLIMSOLL_OUT_OF_MEMORY);
  EXPECT_EQ(open, PLIMSOLL_OUT_OF_MEMORY);
  EXPECT_EQ(begin, PLIMSOLL_OUT_OF_MEMORY);
  EXPECT_EQ(json, PLIMSOLL_INVALID_ARGUMENT);  // its message needs memory too, and is cut to the code's name
  EXPECT_STREQ(error.message, "invalid_argument");
  EXPECT_EQ(value, nullptr);
  EXPECT_EQ(cursor, nullptr);
  EXPECT_EQ(second, nullptr);
  ASSERT_EQ(plimsoll_get(txn, table, "k", 1, &value, &error), PLIMSOLL_OK) << error.message;  // the transaction goes on
  EXPECT_EQ(plimsoll_value_size(value), 1u);
  plimsoll_value_free(value);
  EXPECT_EQ(plimsoll_commit(txn, &error), PLIMSOLL_OK);
  plimsoll_txn_close(txn);
}

}  // namespace
