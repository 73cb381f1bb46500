// Memory contexts as a user meets them: what a transaction, its cursors and its streams hold dies with them, on every way out; the
// view says who holds what; the cap of a transaction is everybody's below it.
#include <stdexcept>

#include "behaviour/support.hpp"

namespace plimsoll {
namespace {

using namespace std::chrono_literals;

class Contexts : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    options.background_threads = false;
  }
  // The transaction's line of the view.
  ContextInfo context_of(TxnId id) {
    for (const ContextInfo& one : db().memory_contexts())
      if (one.owner == id) return one;
    ADD_FAILURE() << "the view does not show transaction " << id.value;
    return {};
  }
  std::uint64_t used(std::string_view account) {
    for (const AccountStats& one : db().statistics().accounts)
      if (one.name == account) return one.used_bytes;
    ADD_FAILURE() << "no account " << account;
    return 0;
  }
  // Nobody holds anything but what rests.
  void expect_none_in_use() {
    for (const ContextInfo& one : db().memory_contexts())
      EXPECT_TRUE(one.resting) << one.label << " of transaction " << one.owner.value << " holds " << one.bytes << " bytes";
  }
};

TEST_F(Contexts, TheViewShowsWhoHoldsWhat) {
  const Table where = table();
  fill(where, 100, 500);
  expect_none_in_use();
  auto tx = begin(), other = begin();
  {
    auto held = tx.get(where, key_of(1));
    ASSERT_OK(held);
    auto cursor = tx.cursor(where);
    ASSERT_OK(cursor);
    ASSERT_OK(cursor->next());
    const ContextInfo shown = context_of(tx.id());
    EXPECT_EQ(shown.label, "transaction");
    EXPECT_GE(shown.live_bytes, 500u);
    EXPECT_EQ(shown.children, 1u);
    EXPECT_GE(shown.bytes, 8192u) << "the cursor's copy of a leaf counts";
    EXPECT_GE(shown.peak_bytes, shown.bytes);
    EXPECT_FALSE(shown.resting);
    EXPECT_EQ(context_of(other.id()).children, 0u);
  }
  EXPECT_EQ(context_of(tx.id()).children, 0u) << "a closed cursor stays below its transaction";
  EXPECT_LT(context_of(tx.id()).live_bytes, 500u);
  EXPECT_LT(context_of(tx.id()).bytes, context_of(tx.id()).peak_bytes);
  EXPECT_TRUE(eventually([&] { return context_of(tx.id()).age_ms > 0; }));
  ASSERT_OK(tx.commit());
  ASSERT_OK(other.abort());
  expect_none_in_use();
}

// A6 of the replaced system: memory that was asked for at an alignment and did not have it.
TEST_F(Contexts, AlignedMemoryIsAligned) {
  auto tx = begin();
  for (std::size_t alignment = 1; alignment <= 64; alignment *= 2)
    for (const std::size_t bytes : {1u, 3u, 8u, 63u, 64u, 300u, 1025u, 5000u, 70'000u}) {
      auto memory = tx.allocate(bytes, alignment);
      ASSERT_OK(memory);
      ASSERT_EQ(memory->size(), bytes);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory->data()) % alignment, 0u) << bytes << " bytes at " << alignment;
      std::memset(memory->data(), 1, bytes);
    }
  EXPECT_CODE(tx.allocate(8, 0), invalid_argument);
  EXPECT_CODE(tx.allocate(8, 24), invalid_argument);
  EXPECT_CODE(tx.allocate(8, 128), invalid_argument);
  EXPECT_CODE(tx.allocate(1_GiB), memory_budget_exceeded);
  ASSERT_OK(tx.abort());
  EXPECT_CODE(tx.allocate(8), transaction_aborted);
  expect_none_in_use();
}

// A7 of the replaced system, first part: ids of parents and children that collide.
TEST_F(Contexts, NoTwoContextsAreTakenForEachOther) {
  const Table where = table();
  fill(where, 10, 100);
  std::vector<Transaction> open;
  std::vector<Cursor> cursors;
  for (int i = 0; i < 20; ++i) {
    open.push_back(begin());
    ASSERT_OK(open.back().allocate(static_cast<std::size_t>(100 * (i + 1))));
    for (int n = 0; n < i % 3; ++n) cursors.push_back(std::move(*open.back().cursor(where)));
  }
  std::map<std::uint64_t, int> seen;
  for (const ContextInfo& one : db().memory_contexts())
    if (one.owner) ++seen[one.owner.value];
  EXPECT_EQ(seen.size(), open.size());
  for (int i = 0; i < 20; ++i) {
    const Transaction& tx = open[static_cast<std::size_t>(i)];
    EXPECT_EQ(seen[tx.id().value], 1);
    EXPECT_EQ(context_of(tx.id()).children, static_cast<std::uint64_t>(i % 3));
    EXPECT_GE(context_of(tx.id()).live_bytes, static_cast<std::uint64_t>(100 * (i + 1)));
  }
  cursors.clear();
  for (Transaction& tx : open) ASSERT_OK(tx.abort());
}

// A7, second part: a deleted child that stays in its parent.
TEST_F(Contexts, CursorsAndStreamsThatComeAndGoLeaveNothingInTheirTransaction) {
  const Table where = table();
  fill(where, 50, 300);
  put(where, "large", noise(100'000, 1));
  auto tx = begin();
  const auto round = [&] {
    auto first = tx.cursor(where), second = tx.cursor(where, {}, Direction::backward);
    ASSERT_OK(first->next());
    ASSERT_OK(second->next());
    first = tx.cursor(where);  // not in the reverse order
    auto reader = tx.open_reader(where, "large"), small = tx.open_reader(where, key_of(3));
    ASSERT_OK(reader);
    ASSERT_OK(small);
    auto writer = tx.open_writer(where, "w");
    ASSERT_OK(writer);
    ASSERT_OK(writer->write("some"));
    EXPECT_EQ(context_of(tx.id()).children, 5u);
    EXPECT_EQ(tx.open_reader(where, "absent")->has_value(), false);
    EXPECT_EQ(context_of(tx.id()).children, 5u);
  };
  round();
  const ContextInfo before = context_of(tx.id());
  const std::uint64_t extents = used("large_objects");
  EXPECT_EQ(before.children, 0u);
  for (int i = 0; i < 1000; ++i) round();
  const ContextInfo after = context_of(tx.id());
  EXPECT_EQ(after.children, 0u);
  EXPECT_EQ(after.live_bytes, before.live_bytes);
  EXPECT_EQ(after.bytes, before.bytes);
  EXPECT_EQ(used("large_objects"), extents);
  ASSERT_OK(tx.commit());
}

// A7, third part: a child that takes more than its parent may.
TEST_F(Contexts, TheCapOfATransactionCoversItsCursorsAndStreams) {
  const Table where = table();
  fill(where, 200, 1000);
  constexpr std::uint64_t cap = 100'000;
  auto tx = begin({.memory_bytes_max = cap});
  std::vector<Cursor> cursors;
  std::optional<Error> refusal;
  for (int i = 0; i < 100 && !refusal; ++i) {
    auto cursor = tx.cursor(where);
    if (cursor)
      cursors.push_back(std::move(*cursor));
    else
      refusal = cursor.error();
    EXPECT_LE(context_of(tx.id()).bytes, cap);
  }
  ASSERT_TRUE(refusal) << "100 copies of a leaf within a cap of 100,000 bytes";
  EXPECT_EQ(refusal->code(), ErrorCode::memory_budget_exceeded);
  EXPECT_GE(cursors.size(), 3u);
  EXPECT_EQ(context_of(tx.id()).children, cursors.size()) << "the one that was refused is not below";
  for (Cursor& cursor : cursors) {
    auto more = cursor.next();
    ASSERT_OK(more);
    EXPECT_TRUE(*more);
  }
  EXPECT_CODE(tx.allocate(cap), memory_budget_exceeded);
  cursors.pop_back();
  EXPECT_OK(tx.cursor(where));
  cursors.clear();
  EXPECT_OK(tx.allocate(cap / 2));  // what they held may be had again
  ASSERT_OK(tx.commit());
}

// The way out does not matter: commit, abort, a destructor, a reaper, an exception through all of them.
TEST_F(Contexts, WhatATransactionHeldGoesWithItOnEveryWayOut) {
  const Table where = table();
  fill(where, 50, 300);
  put(where, "large", noise(300'000, 1));
  struct Held {
    std::vector<Cursor> cursors;
    std::vector<Value> values;
    std::vector<ValueReader> readers;
    std::vector<ValueWriter> writers;
  };
  const auto take = [&](Transaction& tx, Held& held) {
    for (const Direction direction : {Direction::forward, Direction::backward}) {
      held.cursors.push_back(std::move(*tx.cursor(where, {}, direction)));
      ASSERT_OK(held.cursors.back().next());
    }
    held.values.push_back(std::move(**tx.get(where, key_of(7))));
    held.values.push_back(std::move(**tx.get(where, "large")));
    held.readers.push_back(std::move(**tx.open_reader(where, "large")));
    std::array<char, 1000> piece;
    ASSERT_OK(held.readers.back().read(piece));
    held.readers.push_back(std::move(**tx.open_reader(where, key_of(7))));
    held.writers.push_back(std::move(*tx.open_writer(where, "w")));
    ASSERT_OK(held.writers.back().write(noise(300'000, 2)));
    EXPECT_EQ(context_of(tx.id()).children, 5u);
  };
  const std::uint64_t extents = used("large_objects");
  const auto expect_gone = [&](const char* way) {
    SCOPED_TRACE(way);
    expect_none_in_use();
    EXPECT_EQ(used("large_objects"), extents);
  };
  {
    Held held;
    auto tx = begin();
    take(tx, held);
    ASSERT_OK(tx.commit());
    expect_gone("commit");
    EXPECT_CODE(held.cursors[0].next(), transaction_aborted);
    EXPECT_TRUE(held.cursors[0].key().empty());
    EXPECT_FALSE(held.writers[0].finish());
  }
  {
    Held held;
    auto tx = begin();
    take(tx, held);
    ASSERT_OK(tx.abort());
    expect_gone("abort");
  }
  {
    Held held;
    {
      auto tx = begin();
      take(tx, held);
    }
    expect_gone("destructor");
  }
  {
    Held held;
    {
      auto tx = begin();
      take(tx, held);
      ASSERT_OK(tx.set_deadline(1ms));
      ASSERT_TRUE(eventually([&] { return counter("transactions_reaped") == 1; }));
      EXPECT_EQ(held.values[0].bytes(), noise(300, 7)) << "valid until the handle lets go";
    }
    expect_gone("reaped");
  }
  for (const bool transact : {true, false}) {
    Held held;
    const auto fails = [&](Transaction& tx) -> Result<void> {
      take(tx, held);
      throw std::runtime_error("in the middle");
    };
    const auto call = [&] {
      if (transact) return static_cast<void>(db().transact({}, fails));
      auto tx = begin();
      static_cast<void>(fails(tx));
    };
    EXPECT_THROW(call(), std::runtime_error);
    expect_gone("exception");
  }
}

// A slot's context is used by one transaction after the other and keeps one small block; not even that when somebody needs it.
TEST_F(Contexts, WhatSlotsKeepBetweenTransactionsIsSmallAndGoesUnderPressure) {
  const Table where = table();
  put(where, "k", std::string(100, 'v'));
  std::vector<Transaction> open;
  for (int i = 0; i < 60; ++i) {
    open.push_back(begin());
    ASSERT_OK(open.back().allocate(100'000));
    ASSERT_OK(open.back().allocate(100));
  }
  for (Transaction& tx : open) ASSERT_OK(tx.commit());
  std::uint64_t kept = 0;
  for (const ContextInfo& one : db().memory_contexts()) {
    EXPECT_TRUE(one.resting);
    EXPECT_LE(one.bytes, 4_KiB);
    kept += one.bytes;
  }
  EXPECT_GE(kept, 60u * 4096);
  auto greedy = begin();
  std::optional<Error> refusal;
  while (!refusal)
    if (auto memory = greedy.allocate(1_MiB); !memory) refusal = memory.error();
  EXPECT_EQ(refusal->code(), ErrorCode::memory_budget_exceeded);
  for (const ContextInfo& one : db().memory_contexts()) EXPECT_FALSE(one.resting) << one.bytes << " bytes are kept by nobody";
  ASSERT_OK(greedy.abort());
  for (int i = 0; i < 60; ++i) EXPECT_EQ(now(where, "k"), std::string(100, 'v'));
}

}  // namespace
}  // namespace plimsoll
