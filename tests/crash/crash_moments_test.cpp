// The power fails at each change in turn of one particular thing that a store does; each time some of the states that a disk might
// be left in are examined (crash_run.hpp).
#include <gtest/gtest.h>

#include "crash/crash_run.hpp"
#include "unit/interference.hpp"

namespace plimsoll::test {
namespace {

using Act = std::function<void(Database&, Legal&)>;

void put_many(Database& db, Legal& legal, const std::string& table_name, int count, std::size_t bytes) {
  auto table = db.open_table(table_name, {.create_if_missing = true});
  if (!table) return;
  std::vector<Change> changes;
  const auto done = db.transact({}, [&](Transaction& tx) -> Result<void> {
    changes.clear();
    for (int n = 0; n < count; ++n) {
      changes.push_back({table_name, fmt::format("key{:05}", n), std::string(bytes, static_cast<char>('a' + (n + count) % 26))});
      if (auto put = tx.put(*table, changes.back().key, *changes.back().value); !put) return put;
    }
    return {};
  });
  legal.events.push_back({Event::Kind::commit, {}, changes});
  if (done) legal.least = legal.events.size();
}

// `prepare` runs undisturbed, then `act` once for each change that it makes.
void fail_at_every_change(const Act& prepare, const Act& act) {
  constexpr int survivors = 4;
  SteppingTime time;
  SimulatedFileSystem base;
  Legal before;
  Random random(1);
  if (prepare) {
    Environment environment{&base, &time, 3};
    auto db = Database::open(store_path, tiny_store(environment));
    ASSERT_TRUE(db) << db.error().message();
    prepare(*db, before);
    auto state = read_state(*db);
    ASSERT_TRUE(state) << state.error().message();
    before = {*state, {}, 0};
    ASSERT_TRUE(db->close());
  }
  CrashTally tally;
  CrashSettings settings;
  settings.history.keys = 20;
  bool ended = false;
  std::uint64_t nth = 1;
  for (; !ended; ++nth) {
    SCOPED_TRACE(fmt::format("the power fails at change {}", nth));
    const auto disk = base.crash_copy(random);
    Legal legal = before;
    disk->power_fails_at(nth);
    {
      Environment environment{disk.get(), &time, 3};
      auto db = Database::open(store_path, tiny_store(environment));
      ASSERT_TRUE(db || !disk->powered()) << db.error().message();
      if (db) act(*db, legal);
      ended = disk->powered();
      disk->power_fails_at(1);
    }
    CrashRun run(settings, nth, tally);
    for (int i = 0; i < survivors; ++i) {
      const auto survivor = disk->crash_copy(random);
      if (!tally.note(*survivor)) continue;
      ASSERT_EQ(run.examine(*survivor, legal, fmt::format("s{}.", i)), "") << "survivor " << i;
    }
  }
  std::printf("%llu changes, %zu distinct states\n", static_cast<unsigned long long>(nth - 1), tally.states.size());
  EXPECT_GT(nth, 2u);
}

TEST(CrashMomentsTest, WhileAStoreIsCreated) {
  fail_at_every_change({}, [](Database&, Legal&) {});
}

TEST(CrashMomentsTest, WhileATableIsCreated) {
  fail_at_every_change([](Database&, Legal&) {},
                       [](Database& db, Legal& legal) {
                         legal.events.push_back({Event::Kind::create_table, "new", {}});
                         if (db.open_table("new", {.create_if_missing = true})) legal.least = legal.events.size();
                       });
}

TEST(CrashMomentsTest, DuringACheckpoint) {
  fail_at_every_change([](Database& db, Legal& legal) { put_many(db, legal, "t", 100, 100); },
                       [](Database& db, Legal& legal) {
                         put_many(db, legal, "t", 120, 90);
                         if (auto taken = db.checkpoint(); !taken) return;
                         put_many(db, legal, "t", 20, 200);
                         if (auto taken = db.checkpoint(); !taken) return;
                       });
}

TEST(CrashMomentsTest, DuringACompaction) {
  fail_at_every_change(
      [](Database& db, Legal& legal) {
        put_many(db, legal, "kept", 30, 100);
        put_many(db, legal, "doomed", 150, 200);
        legal.events.push_back({Event::Kind::drop_table, "doomed", {}});
        if (db.drop_table("doomed")) legal.least = legal.events.size();
      },
      [](Database& db, Legal& legal) {
        put_many(db, legal, "kept", 4, 20'000);
        put_many(db, legal, "kept", 4, 30'000);
        if (!db.compact()) return;
        put_many(db, legal, "kept", 60, 300);  // in what was given back
        put_many(db, legal, "kept", 3, 25'000);
        if (!db.compact()) return;
        put_many(db, legal, "kept", 5, 100);
      });
}

TEST(CrashMomentsTest, WhileATableIsDropped) {
  fail_at_every_change(
      [](Database& db, Legal& legal) {
        put_many(db, legal, "kept", 10, 50);
        put_many(db, legal, "doomed", 150, 200);
        put_many(db, legal, "doomed", 8, 9000);
      },
      [](Database& db, Legal& legal) {
        legal.events.push_back({Event::Kind::drop_table, "doomed", {}});
        if (db.drop_table("doomed")) legal.least = legal.events.size();
      });
}

// A node above the leaves goes together with its last leaf, and a large value with all its extents: one record clears several bits
// of one map. Afterwards the pages are taken again.
TEST(CrashMomentsTest, AfterATableOfThreeLevelsWasDropped) {
  constexpr int rows = 3000, at_once = 100;
  constexpr std::size_t ring_bytes = 1_MiB;  // with a log so long that no map is written before the power fails
  SteppingTime time;
  SimulatedFileSystem disk;
  Environment environment{&disk, &time, 3};
  const auto checkpoints = [](const Database& db) {
    RareEvents counted;
    counted.add(db.statistics());
    return counted.count("checkpoints");
  };
  const auto fill = [&](Database& db, const std::string& name, int count) {
    auto table = db.open_table(name, {.create_if_missing = true});
    ASSERT_TRUE(table);
    for (int i = 0; i < count; i += at_once) {
      auto tx = db.begin({});
      ASSERT_TRUE(tx);
      for (int n = i; n < i + at_once; ++n) ASSERT_TRUE(tx->put(*table, fmt::format("key{:05}", n), std::string(900, 'v')));
      ASSERT_TRUE(tx->commit());
      ASSERT_TRUE(count == at_once || db.checkpoint());
    }
  };
  {
    auto db = Database::open(store_path, tiny_store(environment, ring_bytes));
    ASSERT_TRUE(db) << db.error().message();
    fill(*db, "doomed", rows);
    auto table = db->open_table("doomed");
    auto tx = db->begin({});
    ASSERT_TRUE(tx->put(*table, "large", std::string(3'000'000, 'l')));
    ASSERT_TRUE(tx->commit());
    ASSERT_TRUE(db->checkpoint());
    const std::uint64_t before = checkpoints(*db);
    ASSERT_TRUE(db->drop_table("doomed"));
    fill(*db, "kept", at_once);
    ASSERT_EQ(checkpoints(*db), before) << "else it proves nothing";
    disk.power_fails_at(1);
  }
  Random random(1);
  for (int survivors = 0; survivors < 4; ++survivors) {
    const auto survivor = disk.crash_copy(random);
    Environment after{survivor.get(), &time, 3};
    auto db = Database::open(store_path, tiny_store(after, ring_bytes));
    ASSERT_TRUE(db) << db.error().message();
    EXPECT_FALSE(db->recovery_report().was_clean);
    EXPECT_EQ(problems(*db), "");
    auto state = read_state(*db);
    ASSERT_TRUE(state);
    fill(*db, "kept", rows);
    EXPECT_EQ(problems(*db), "");
  }
}

// The log says which bits of a map have changed since the checkpoint, not what the others are.
TEST(CrashMomentsTest, ADamagedMapIsNotTakenForAnEmptyOne) {
  constexpr std::size_t ring_bytes = 1_MiB;  // with a log so long that only the checkpoints below write maps
  SteppingTime time;
  SimulatedFileSystem disk;
  Environment environment{&disk, &time, 3};
  Legal legal;
  {
    auto db = Database::open(store_path, tiny_store(environment, ring_bytes));
    ASSERT_TRUE(db) << db.error().message();
    put_many(*db, legal, "t", 100, 900);
    ASSERT_TRUE(db->checkpoint());
    put_many(*db, legal, "t", 100, 900);
    ASSERT_TRUE(db->checkpoint());  // the doublewrite area holds leaves, no map
    put_many(*db, legal, "t", 140, 900);
    disk.power_fails_at(1);
  }
  Random random(1);
  const auto survivor = disk.crash_copy(random);
  Environment after{survivor.get(), &time, 3};
  const auto flip = [&] {
    auto file = survivor->open(std::string(store_path) + "/data", io::OpenMode::read_write, false);
    ASSERT_TRUE(file);
    char byte = 0;
    ASSERT_TRUE((*file)->read(2000, std::span(&byte, 1)));
    byte = static_cast<char>(~byte);
    ASSERT_TRUE((*file)->write(2000, std::string_view(&byte, 1)));
  };
  flip();  // of page 0, the first map
  {
    auto db = Database::open(store_path, tiny_store(after, ring_bytes));
    ASSERT_FALSE(db) << "and the pages in use would be given away again";
    EXPECT_EQ(db.error().code(), ErrorCode::corruption);
    EXPECT_NE(db.error().message().find("page 0"), std::string::npos) << db.error().message();
  }
  flip();
  auto db = Database::open(store_path, tiny_store(after, ring_bytes));
  ASSERT_TRUE(db) << db.error().message();
  EXPECT_EQ(problems(*db), "");
}

TEST(CrashMomentsTest, WhileAPreparedTransactionIsBeingCommittedItIsStillPrepared) {
  if (!can_interfere) GTEST_SKIP() << "only with PLIMSOLL_PERTURB";
  SteppingTime time;
  SimulatedFileSystem disk;
  Environment environment{&disk, &time, 3};
  auto db = Database::open(store_path, tiny_store(environment));
  ASSERT_TRUE(db) << db.error().message();
  auto table = db->open_table("t", {.create_if_missing = true});
  auto tx = db->begin({});
  ASSERT_TRUE(table && tx && tx->put(*table, "k", "v"));
  ASSERT_TRUE(tx->prepare("gid"));
  ASSERT_TRUE(db->checkpoint());  // its records lie below the next one
  std::unique_ptr<SimulatedFileSystem> survivor;
  {
    const Interference checkpoint(Window::changing, 0, [&] {
      EXPECT_TRUE(db->checkpoint());
      Random random(1);
      survivor = disk.crash_copy(random);
      return true;
    });
    ASSERT_TRUE(db->commit_prepared("gid"));
    ASSERT_TRUE(checkpoint.happened());
  }
  Environment after{survivor.get(), &time, 3};
  auto again = Database::open(store_path, tiny_store(after));
  ASSERT_TRUE(again) << again.error().message();
  ASSERT_EQ(again->prepared().size(), 1u);
  ASSERT_TRUE(again->commit_prepared("gid"));
  EXPECT_EQ(problems(*again), "");
}

// Who begins while a commit is being decided, and sees it, ends only when what he saw is durable.
TEST(CrashMomentsTest, ATransactionThatOnlyReadsBeginsDuringACommit) {
  if (!can_interfere) GTEST_SKIP() << "only with PLIMSOLL_PERTURB";
  SimulatedFileSystem disk;
  SteppingTime time;
  Environment environment{&disk, &time, 3};
  auto db = Database::open(store_path, tiny_store(environment));
  ASSERT_TRUE(db) << db.error().message();
  auto table = db->open_table("t", {.create_if_missing = true});
  ASSERT_TRUE(table && db->transact({}, [&](Transaction& tx) { return tx.put(*table, "k", "old"); }));
  auto writer = db->begin({.durability = Durability::relaxed});
  ASSERT_TRUE(writer && writer->put(*table, "k", "new"));
  // Everything so far is durable: only the commit itself can be lost.
  ASSERT_TRUE(db->transact({}, [&](Transaction& tx) { return tx.put(*table, "other", "x"); }));
  std::optional<Transaction> reader;
  {
    const Interference beginner(Window::deciding, 0, [&] {
      auto begun = db->begin({});
      EXPECT_TRUE(begun);
      reader = std::move(*begun);
      return true;
    });
    ASSERT_TRUE(writer->commit());
    ASSERT_TRUE(beginner.happened());
  }
  const auto seen = reader->get(*table, "k");
  ASSERT_TRUE(seen && *seen);
  const std::string value((*seen)->bytes());
  ASSERT_TRUE(reader->commit());
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Random random(seed);
    const auto survivor = disk.crash_copy(random);
    Environment after{survivor.get(), &time, 3};
    auto again = Database::open(store_path, tiny_store(after));
    ASSERT_TRUE(again) << again.error().message();
    const auto state = read_state(*again);
    ASSERT_TRUE(state);
    EXPECT_TRUE(value == "old" || state->tables.at("t").at("k") == value) << "a commit acknowledged what is lost";
  }
}

TEST(CrashMomentsTest, WhileLargeValuesAreWrittenAndReplaced) {
  fail_at_every_change([](Database& db, Legal& legal) { put_many(db, legal, "t", 3, 20'000); },
                       [](Database& db, Legal& legal) {
                         put_many(db, legal, "t", 5, 15'000);
                         db.run_background();
                         put_many(db, legal, "t", 4, 30'000);
                         db.run_background();
                       });
}

TEST(CrashMomentsTest, DuringAnOrderlyClose) {
  fail_at_every_change([](Database& db, Legal& legal) { put_many(db, legal, "t", 50, 100); },
                       [](Database& db, Legal& legal) {
                         put_many(db, legal, "t", 60, 100);
                         static_cast<void>(db.close().has_value());
                       });
}

}  // namespace
}  // namespace plimsoll::test
