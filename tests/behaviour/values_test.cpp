// Values of every size: inside the leaf, out of line, streamed; and what happens to the space of those that are overwritten or
// erased.
#include "behaviour/support.hpp"

namespace plimsoll {
namespace {

class Values : public StoreTest {
 protected:
  void stream_in(Transaction& tx, Table where, Bytes key, std::uint64_t pieces, std::size_t piece_bytes) {
    auto writer = tx.open_writer(where, key);
    ASSERT_OK(writer);
    for (std::uint64_t i = 0; i < pieces; ++i) ASSERT_OK(writer->write(noise(piece_bytes, i)));
    ASSERT_OK(writer->finish());
  }
  void expect_stream(Transaction& tx, Table where, Bytes key, std::uint64_t pieces, std::size_t piece_bytes) {
    auto opened = tx.open_reader(where, key);
    ASSERT_OK(opened);
    ASSERT_TRUE(*opened);
    EXPECT_EQ((*opened)->size(), pieces * piece_bytes);
    std::string piece(piece_bytes, '\0');
    for (std::uint64_t i = 0; i < pieces; ++i) {
      std::size_t have = 0;
      while (have < piece_bytes) {
        auto got = (*opened)->read(std::span(piece).subspan(have));
        ASSERT_OK(got);
        ASSERT_GT(*got, 0u) << "ended early";
        have += *got;
      }
      ASSERT_EQ(piece, noise(piece_bytes, i)) << "piece " << i;
    }
    auto end = (*opened)->read(piece);
    ASSERT_OK(end);
    EXPECT_EQ(*end, 0u);
  }
  // The pages that deferred frees still hold come back with the background.
  void overwrite(Table where, Bytes key, int times, std::size_t bytes) {
    for (int i = 0; i < times; ++i) {
      put(where, key, noise(bytes, static_cast<std::uint64_t>(i)));
      if (!options.background_threads)
        db().run_background();
      else if (i % 10 == 9)
        settle();
    }
  }
};

TEST_F(Values, EverySizeAroundTheInlineLimits) {
  const Table where = table();
  std::vector<std::size_t> sizes;
  for (std::size_t size = 0; size <= 300; ++size) sizes.push_back(size);
  for (const std::size_t middle : {1024, 2048, 2700, 3000, 4096, 5440, 8192, 16384, 32768, 65536})
    for (std::size_t size = middle - 40; size <= middle + 40; ++size) sizes.push_back(size);
  for (std::size_t i = 0; i < sizes.size(); ++i) put(where, key_of(i), noise(sizes[i], i));
  for (std::size_t i = 0; i < sizes.size(); ++i) ASSERT_EQ(now(where, key_of(i)), noise(sizes[i], i)) << sizes[i];
  // Each takes the size of its neighbour from the other end: grows and shrinks through every limit.
  for (std::size_t i = 0; i < sizes.size(); ++i) put(where, key_of(i), noise(sizes[sizes.size() - 1 - i], i));
  reopen();
  for (std::size_t i = 0; i < sizes.size(); ++i) ASSERT_EQ(now(table(), key_of(i)), noise(sizes[sizes.size() - 1 - i], i)) << i;
}

TEST_F(Values, EverySizeUnderTheLongestKey) {
  const Table where = table();
  const std::size_t longest = db().key_bytes_max();
  for (std::size_t size = 0; size < 8192; size += 61) {
    std::string key = key_of(size) + std::string(longest - 9, 'x');
    put(where, key, noise(size, size));
    ASSERT_EQ(now(where, key), noise(size, size)) << size;
  }
}

TEST_F(Values, SomeMebibytes) {
  const Table where = table();
  for (const std::size_t size : {1_MiB, 3_MiB + 17, 4_MiB - 1}) {
    put(where, std::to_string(size), noise(size, size));
    EXPECT_EQ(now(where, std::to_string(size)), noise(size, size));
  }
  auto tx = begin();
  auto cursor = tx.cursor(where);
  ASSERT_OK(cursor);
  int seen = 0;
  while (cursor->next().value_or(false)) {
    EXPECT_TRUE(cursor->large());
    EXPECT_TRUE(cursor->value().empty());
    ++seen;
  }
  EXPECT_EQ(seen, 3);
  ASSERT_OK(tx.commit());
}

TEST_F(Values, AStreamOfTwiceTheBudget) {
  const Table where = table();
  auto tx = begin();
  stream_in(tx, where, "stream", 1024, 64_KiB);
  expect_stream(tx, where, "stream", 1024, 64_KiB);
  ASSERT_OK(tx.commit());
  EXPECT_LE(db().statistics().memory_used, options.memory_budget);
  auto whole = reader();
  EXPECT_CODE(whole.get(where, "stream"), memory_budget_exceeded);  // whole it cannot fit
  expect_stream(whole, where, "stream", 1024, 64_KiB);
  ASSERT_OK(whole.commit());
  reopen();
  auto after = reader();
  expect_stream(after, table(), "stream", 1024, 64_KiB);
  ASSERT_OK(after.commit());
}

TEST_F(Values, AStreamInOddPiecesAndASmallOne) {
  const Table where = table();
  auto tx = begin();
  stream_in(tx, where, "odd", 300, 7919);
  stream_in(tx, where, "small", 3, 5);
  stream_in(tx, where, "none", 0, 1);
  expect_stream(tx, where, "odd", 300, 7919);
  ASSERT_OK(tx.commit());
  auto after = reader();
  expect_stream(after, where, "odd", 300, 7919);
  expect_stream(after, where, "small", 3, 5);
  expect_stream(after, where, "none", 0, 1);
  auto absent = after.open_reader(where, "absent");
  ASSERT_OK(absent);
  EXPECT_FALSE(*absent);
  EXPECT_EQ(text(after.get(where, "none")), "");
  ASSERT_OK(after.commit());
}

TEST_F(Values, AReaderWorksOnValuesInsideTheLeaf) {
  const Table where = table();
  put(where, "key", "small");
  auto tx = reader();
  auto opened = tx.open_reader(where, "key");
  ASSERT_OK(opened);
  ASSERT_TRUE(*opened);
  EXPECT_EQ((*opened)->size(), 5u);
  char bytes[16];
  auto got = (*opened)->read(bytes);
  ASSERT_OK(got);
  EXPECT_EQ(Bytes(bytes, *got), "small");
  ASSERT_OK(tx.commit());
}

TEST_F(Values, NothingIsVisibleBeforeFinishAndAnAbandonedWriterLeavesNothing) {
  const Table where = table();
  put(where, "key", "old");
  const std::uint64_t pages = gauge("data_file_pages");
  for (int i = 0; i < 10; ++i) {
    auto tx = begin();
    {
      auto writer = tx.open_writer(where, "key");
      ASSERT_OK(writer);
      for (int n = 0; n < 64; ++n) ASSERT_OK(writer->write(noise(64_KiB, 1)));
      EXPECT_EQ(text(tx.get(where, "key")), "old");
    }
    EXPECT_EQ(text(tx.get(where, "key")), "old");
    ASSERT_OK(tx.commit());
    EXPECT_EQ(now(where, "key"), "old");
  }
  EXPECT_LE(gauge("data_file_pages"), pages + 2 * 4_MiB / db().page_size() + 64) << "abandoned values were not given back";
}

// What is read may have been freed and used again: by then it is an error, never other bytes.
TEST_F(Values, AReaderEndsWithWhatKeepsItsValue) {
  options.background_threads = false;
  const Table where = table();
  put(where, "large", noise(300_KiB, 1));
  std::string piece(64_KiB, '\0');
  for (const Isolation isolation : {Isolation::snapshot, Isolation::read_committed}) {
    auto tx = begin({.isolation = isolation});
    auto opened = tx.open_reader(where, "large");
    ASSERT_TRUE(opened && *opened);
    auto read = (*opened)->read(piece);
    ASSERT_OK(read);
    put(where, "large", noise(300_KiB, 1));  // another copy of it
    EXPECT_EQ(now(where, "large"), noise(300_KiB, 1));
    auto other = tx.get(where, "other");  // the next statement
    ASSERT_OK(other);
    auto next = (*opened)->read(piece);
    if (isolation == Isolation::snapshot) {
      ASSERT_OK(next);
      EXPECT_EQ(piece, noise(300_KiB, 1).substr(*read, piece.size()));
    } else {
      EXPECT_CODE(next, snapshot_too_old);
    }
    const auto gone = std::move(*opened);
    ASSERT_OK(tx.abort());
  }
  auto tx = begin({.isolation = Isolation::read_committed});
  ASSERT_OK(tx.put(where, "kept", noise(300_KiB, 4)));
  auto kept = tx.open_reader(where, "kept");
  ASSERT_TRUE(kept && *kept);
  put(where, "large", noise(300_KiB, 1));
  ASSERT_OK(tx.get(where, "other"));
  EXPECT_OK((*kept)->read(piece));  // its own: until it rolls back
  auto point = tx.savepoint();
  ASSERT_OK(point);
  ASSERT_OK(tx.put(where, "mine", noise(300_KiB, 2)));
  auto mine = tx.open_reader(where, "mine");
  ASSERT_TRUE(mine && *mine);
  ASSERT_OK((*mine)->read(piece));
  ASSERT_OK(tx.rollback_to(*point));
  ASSERT_OK(tx.put(where, "others", noise(300_KiB, 3)));
  EXPECT_CODE((*mine)->read(piece), invalid_argument);
}

TEST_F(Values, AWriterThatOutlivesItsTransactionIsHarmless) {
  const Table where = table();
  auto tx = begin();
  auto writer = tx.open_writer(where, "key");
  ASSERT_OK(writer);
  ASSERT_OK(writer->write(noise(1_MiB, 1)));
  ASSERT_OK(tx.abort());
  EXPECT_CODE(writer->write("more"), transaction_aborted);
  EXPECT_CODE(writer->finish(), transaction_aborted);
  EXPECT_EQ(now(where, "key"), std::nullopt);
}

// Only pages whose release is not durable yet make a value wait for the log.
TEST_F(Values, ManyValuesOutOfLineShareTheFlushesOfTheLog) {
  options.background_threads = false;
  const Table where = table();
  auto tx = begin();
  const std::uint64_t before = counter("log_flushes");
  for (std::uint64_t i = 0; i < 200; ++i) ASSERT_OK(tx.put(where, key_of(i), noise(20'000, i)));
  EXPECT_LE(counter("log_flushes"), before + 2);
  ASSERT_OK(tx.commit());
  EXPECT_LE(counter("log_flushes"), before + 4);
  for (std::uint64_t i = 0; i < 200; ++i) ASSERT_EQ(now(where, key_of(i)), noise(20'000, i));
}

// Reverted and freed extents are used again, however late their release became durable.
TEST_F(Values, ExtentsOfARevertedValueAreUsedAgainAtOnce) {
  const Table where = table();
  put(where, "key", noise(1_MiB, 0));
  const std::uint64_t pages = gauge("data_file_pages");
  for (std::uint64_t i = 0; i < 100; ++i) {
    auto tx = begin();
    ASSERT_OK(tx.put(where, "other", noise(1_MiB, i)));
    ASSERT_OK(tx.abort());
  }
  EXPECT_LE(gauge("data_file_pages"), pages + 2 * 1_MiB / db().page_size());
  EXPECT_EQ(now(where, "key"), noise(1_MiB, 0));
}

TEST_F(Values, ASnapshotKeepsTheOldLargeValue) {
  const Table where = table();
  put(where, "key", noise(1_MiB, 1));
  auto old = reader();
  for (std::uint64_t i = 2; i < 20; ++i) {
    put(where, "key", noise(1_MiB, i));
    ASSERT_EQ(text(old.get(where, "key")), noise(1_MiB, 1)) << i;
  }
  erase(where, "key");
  EXPECT_EQ(text(old.get(where, "key")), noise(1_MiB, 1));
  EXPECT_EQ(now(where, "key"), std::nullopt);
  ASSERT_OK(old.commit());
}

TEST_F(Values, OverwritingALargeValueAHundredTimesDoesNotGrowTheFile) {
  const Table where = table();
  overwrite(where, "key", 100, 1_MiB);
  constexpr std::uint64_t values_at_once = 11;  // overwrite() waits for the background after every tenth
  EXPECT_LE(gauge("data_file_pages"), (values_at_once + 3) * 1_MiB / db().page_size());
  EXPECT_EQ(now(where, "key"), noise(1_MiB, 99));
}

TEST_F(Values, ErasedLargeValuesGiveTheirPagesBack) {
  const Table where = table();
  const auto cycle = [&] {
    for (std::uint64_t i = 0; i < 8; ++i) put(where, key_of(i), noise(1_MiB, i));
    for (std::uint64_t i = 0; i < 8; ++i) erase(where, key_of(i));
    settle();
  };
  cycle();
  const std::uint64_t pages = gauge("data_file_pages");
  for (int i = 0; i < 8; ++i) cycle();
  EXPECT_LE(gauge("data_file_pages"), pages + 2 * 1_MiB / db().page_size());
}

TEST_F(Values, AnAbortedLargeValueGivesItsPagesBack) {
  const Table where = table();
  const auto cycle = [&] {
    auto tx = begin();
    for (std::uint64_t i = 0; i < 8; ++i) ASSERT_OK(tx.put(where, key_of(i), noise(1_MiB, i)));
    ASSERT_OK(tx.abort());
    settle();
  };
  cycle();
  const std::uint64_t pages = gauge("data_file_pages");
  for (int i = 0; i < 8; ++i) cycle();
  EXPECT_LE(gauge("data_file_pages"), pages + 2 * 1_MiB / db().page_size());
}

// A held snapshot needs the first value of each key only: what comes between it and the newest must go all the same.
TEST_F(Values, AHeldSnapshotDoesNotKeepLaterLargeValuesAlive) {
  const Table where = table();
  constexpr std::uint64_t keys = 200;
  for (std::uint64_t i = 0; i < keys; ++i) put(where, key_of(i), noise(80_KiB, i));
  auto held = reader();
  for (std::uint64_t i = 0; i < keys; ++i) put(where, key_of(i), noise(80_KiB, i + 1000));  // these the snapshot needs
  overwrite(where, "hot", 10, 1_MiB);
  const std::uint64_t pages = gauge("data_file_pages");
  overwrite(where, "hot", 60, 1_MiB);
  EXPECT_LE(gauge("data_file_pages"), pages + 12 * 1_MiB / db().page_size());
  for (std::uint64_t i = 0; i < keys; ++i) ASSERT_TRUE(text(held.get(where, key_of(i))) == noise(80_KiB, i)) << i;
  ASSERT_OK(held.commit());
}

}  // namespace
}  // namespace plimsoll
