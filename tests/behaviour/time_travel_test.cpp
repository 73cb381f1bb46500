// Reading the past: as_of inside the retention window, at published points and outside; the external floor; the clock.
#include "behaviour/support.hpp"

namespace plimsoll {
namespace {

using namespace std::chrono_literals;

class TimeTravel : public StoreTest {
 protected:
  std::optional<std::string> at(Timestamp when, Table where, Bytes key) {
    auto tx = db().begin({.as_of = when});
    EXPECT_OK(tx);
    if (!tx) return std::nullopt;
    EXPECT_EQ(tx->snapshot(), when);
    auto found = text(tx->get(where, key));
    EXPECT_OK(tx->commit());
    return found;
  }
};

TEST_F(TimeTravel, InsideTheWindowEveryMomentIsExact) {
  options.retention = 1h;
  const Table where = table();
  std::vector<std::pair<Timestamp, std::string>> moments;
  for (int i = 0; i < 300; ++i) {
    put(where, "k", std::to_string(i));
    moments.emplace_back(db().now(), std::to_string(i));
    if (i % 50 == 0) erase(where, "gone"), put(where, "gone", std::to_string(i));
  }
  settle();
  for (const auto& [when, value] : moments) ASSERT_EQ(at(when, where, "k"), value);
}

TEST_F(TimeTravel, WhatIsNotDurableYetIsWaitedFor) {
  options.background_threads = false;
  const Table where = table();
  put(where, "k", "old");
  auto writer = begin({});
  ASSERT_OK(writer.put(where, "k", "new"));
  std::atomic<int> called{0};
  ASSERT_OK(writer.commit_async([](void* count, Result<void>) { ++*static_cast<std::atomic<int>*>(count); }, &called));
  const Lsn before = db().durable_lsn();
  {
    auto tx = begin({.as_of = db().now()});
    EXPECT_EQ(text(tx.get(where, "k")), "new");
    EXPECT_EQ(tx.position(), Lsn{});
    EXPECT_EQ(db().durable_lsn(), before);
    ASSERT_OK(tx.commit());
  }
  EXPECT_GT(db().durable_lsn(), before) << "what it has read could be lost";
  EXPECT_TRUE(eventually([&] { return called == 1; }));
}

TEST_F(TimeTravel, OutsideTheWindowTheAnswerIsSnapshotTooOld) {
  const Table where = table();
  put(where, "k", "0");
  const Timestamp early = db().now();
  for (int i = 0; i < 100; ++i) put(where, "k", "later");
  settle();
  for (int i = 0; i < 100; ++i) put(where, "k", "later");
  EXPECT_CODE(db().begin({.as_of = early}), snapshot_too_old);
  EXPECT_CODE(db().begin({.as_of = Timestamp{1}}), snapshot_too_old);
}

TEST_F(TimeTravel, TheFutureIsRefused) {
  const Timestamp future{db().now().value + (std::uint64_t{3'600'000} << 16)};
  EXPECT_FALSE(db().begin({.as_of = future}));
}

TEST_F(TimeTravel, ALiveSnapshotIsAPublishedPoint) {
  const Table where = table();
  put(where, "k", "0");
  auto held = begin();
  const Timestamp point = held.snapshot();
  for (int i = 0; i < 200; ++i) put(where, "k", "later");
  EXPECT_EQ(at(point, where, "k"), "0");
  auto second = begin({.as_of = point});
  ASSERT_OK(held.commit());
  for (int i = 0; i < 200; ++i) put(where, "k", "later");
  EXPECT_EQ(text(second.get(where, "k")), "0");  // it holds the point on its own
  EXPECT_CODE(second.put(where, "k", "x"), read_only);
  ASSERT_OK(second.commit());
}

TEST_F(TimeTravel, TheExternalFloorKeepsEverythingAboveIt) {
  const Table where = table();
  put(where, "k", "0");
  const Timestamp floor = db().now();
  ASSERT_OK(db().set_external_floor(floor));
  std::vector<std::pair<Timestamp, std::string>> moments{{floor, "0"}};
  for (int i = 1; i < 200; ++i) {
    put(where, "k", std::to_string(i));
    moments.emplace_back(db().now(), std::to_string(i));
  }
  settle();
  for (const auto& [when, value] : moments) ASSERT_EQ(at(when, where, "k"), value);
  const Timestamp raised = moments[100].first;
  ASSERT_OK(db().set_external_floor(raised));
  EXPECT_EQ(at(raised, where, "k"), "100");
  EXPECT_EQ(at(moments[150].first, where, "k"), "150");
  ASSERT_OK(db().set_external_floor(Timestamp{}));
  for (int i = 0; i < 100; ++i) put(where, "k", "later");
  ASSERT_TRUE(eventually([&] { return gauge("version_entries_live") <= 2; }));
  EXPECT_CODE(db().begin({.as_of = raised}), snapshot_too_old);
  EXPECT_CODE(db().set_external_floor(raised), snapshot_too_old);  // what is gone cannot be kept
}

TEST_F(TimeTravel, TheClockIsMonotoneAndTakesOnlyPlausibleRemoteTimes) {
  const Table where = table();
  Timestamp last = db().now();
  for (int i = 0; i < 1000; ++i) {
    put(where, "k", "v");
    ASSERT_GT(db().now(), last);
    last = db().now();
  }
  const Timestamp near{last.value + (std::uint64_t{2'000} << 16)}, far{last.value + (std::uint64_t{60'000} << 16)};
  EXPECT_CODE(db().receive(far), invalid_argument);
  EXPECT_LT(db().now(), far);
  ASSERT_OK(db().receive(near));
  put(where, "k", "after");
  EXPECT_GT(db().now(), near);
  EXPECT_EQ(now(where, "k"), "after");
  last = db().now();
  reopen();
  put(table(), "k", "after reopen");
  EXPECT_GT(db().now(), last) << "the clock went back over a reopen";
  EXPECT_EQ(now(table(), "k"), "after reopen");
}

}  // namespace
}  // namespace plimsoll
