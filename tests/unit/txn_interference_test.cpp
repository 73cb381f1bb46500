// Another transaction gets in between when one has found a record and has not read it yet: at each moment in turn, by the same
// thread. Database::open has threads of its own besides.
#include "behaviour/support.hpp"
#include "interference.hpp"

namespace plimsoll {
namespace {

class TxnInterferences : public StoreTest {
 protected:
  void SetUp() override {
    if (!can_interfere) GTEST_SKIP() << "only with PLIMSOLL_PERTURB";
    StoreTest::SetUp();
    options.page_size = 4096;
  }
  // Whatever lies in the leaf around `key` moves.
  void crowd(Table where, Bytes key, int round) {
    for (int i = 0; i < 12; ++i) put(where, std::string(key) + "/" + std::to_string(i), noise(100 + 50 * (round + i) % 400, i));
    for (int i = 0; i < 12; ++i) erase(where, std::string(key) + "/" + std::to_string(i));
  }
  // The collector sweeps at once only if much has come together, else in every eighth round.
  void sweep() {
    for (int rounds = 0; rounds < 8; ++rounds) db().run_background();
  }
};

TEST_F(TxnInterferences, ASnapshotReadsWhatItSees) {
  const Table where = table();
  int happened = 0;
  for (const Window window : {Window::sampled, Window::validating})
    for (int versions = 0; versions < 3; ++versions)
      for (int n = 0; n < 40; ++n, ++happened) {
        const std::string before = noise(200, static_cast<std::uint64_t>(n));
        put(where, "k", before);
        auto held = reader();
        for (int i = 0; i < versions; ++i) put(where, "k", noise(150, 7));
        bool over = false;
        {
          const Interference interference(window, n, [&] {
            put(where, "k", noise(333, 5));
            crowd(where, "j", n);
            crowd(where, "k", n);
            return true;
          });
          ASSERT_EQ(text(held.get(where, "k")), before) << n;
          over = !interference.happened();
        }
        ASSERT_OK(held.commit());
        if (over) break;
      }
  EXPECT_GT(happened, 6);
}

// The collector moves the version to another page, and other versions come into the frame where it was. A transaction with so many
// writes does not stamp them; so what it has left behind lasts until the collector sweeps.
TEST_F(TxnInterferences, ASnapshotReadsAVersionThatMoves) {
  options.background_threads = false;
  const Table where = table();
  int happened = 0;
  for (const Window window : {Window::sampled, Window::validating})
    for (int n = 0; n < 40; ++n, ++happened) {
      const std::string before = noise(100, static_cast<std::uint64_t>(n));
      put(where, "k", before);
      sweep();  // the next version is the first of a segment
      auto held = reader();
      put(where, "k", noise(100, 7));
      const Interference interference(window, n, [&] {
        const auto name = [&](int i) { return std::to_string(1000 * happened + i) + std::string(94, '/'); };
        const auto freed = counter("version_pages_freed");
        auto inserts = begin();
        for (int i = 0; i < 200; ++i) EXPECT_OK(inserts.put(where, name(i), noise(50, 1)));
        EXPECT_OK(inserts.commit());
        sweep();
        EXPECT_GT(counter("version_pages_freed"), freed);
        for (int i = 0; i < 200; ++i) erase(where, name(i));  // makes versions, but no leaves
        return true;
      });
      ASSERT_EQ(text(held.get(where, "k")), before) << n;
      ASSERT_OK(held.commit());
      if (!interference.happened()) break;
    }
  EXPECT_GT(happened, 6);
}

// First the value is a version, because another transaction has changed the record; when that aborts, it is in the record again. In
// the version's place is one of another size then, which the snapshot sees, too: it does not count, and leaves nothing behind.
TEST_F(TxnInterferences, AVersionGoesBackIntoItsRecordAndAnotherTakesItsPlace) {
  options.background_threads = false;
  constexpr int rows = 1500, updates = 300;
  const Table where = table();
  int happened = 0;
  for (const Window window : {Window::sampled, Window::validating})
    for (int n = 0; n < 40; ++n, ++happened) {
      const auto name = [&](char kind, int i) { return kind + std::to_string(1000 * happened + i) + std::string(94, '/'); };
      const std::string before = noise(100, static_cast<std::uint64_t>(n));
      put(where, "k", before);
      for (int i = 0; i < rows; ++i) put(where, name('a', i), noise(50, 1));
      sweep();  // the next version is the first of a segment
      auto held = reader(), aborts = begin();
      ASSERT_OK(aborts.put(where, "k", noise(100, 7)));
      const Interference interference(window, n, [&] {
        EXPECT_OK(aborts.abort());
        const auto freed = counter("version_pages_freed");
        for (const char* value : {"nobody needs what was before", "nor this"})
          for (int i = 0; i < updates; ++i) put(where, name('b', i), value);
        sweep();
        EXPECT_GT(counter("version_pages_freed"), freed);
        for (int i = 0; i < rows; ++i) erase(where, name('a', i));
        return true;
      });
      ASSERT_EQ(text(held.get(where, "k")), before) << n;
      ASSERT_OK(held.commit());
      if (!interference.happened()) break;
    }
  EXPECT_GT(happened, 6);
}

TEST_F(TxnInterferences, ATableIsFoundByItsName) {
  table("a table");
  const Table where = table("the table");
  put(where, "k", "here");
  for (int n = 0; n < 40; ++n) {
    const Interference interference(Window::sampled, n, [&] {
      for (int i = 0; i < 12; ++i) table("t" + std::to_string(n) + "/" + std::to_string(i) + std::string(100, 'x'));
      return true;
    });
    EXPECT_EQ(now(table("the table"), "k"), "here");
    if (!interference.happened()) break;
  }
}

TEST_F(TxnInterferences, AnAbortFreesThePagesOfItsLargeValueOnly) {
  const Table where = table();
  put(where, "large", noise(100'000, 1));
  for (int n = 0; n < 8; ++n) {
    auto writes = begin();
    ASSERT_OK(writes.put(where, "large", noise(50'000, 2)));
    const Interference interference(Window::resampled, 0, [&] {
      crowd(where, "larg", n);
      crowd(where, "large", n);
      return true;
    });
    ASSERT_OK(writes.abort());
    EXPECT_TRUE(interference.happened());
  }
  EXPECT_EQ(now(where, "large"), noise(100'000, 1));
}

}  // namespace
}  // namespace plimsoll
