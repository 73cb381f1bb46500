// Every call of the file system fails once, in a small life of a store: nothing acknowledged is lost, the errors say what happened,
// and the store either goes on or says that it is read-only. Then full disks, which pass.
//
// ctest-timeout: 600
#include <gtest/gtest.h>

#include <set>

#include "io/simulation/simulated_file_system.hpp"
#include "model/rare_events.hpp"
#include "model/reference.hpp"
#include "model/simulated_store.hpp"
#include "storage/superblock.hpp"

namespace plimsoll::test {
namespace {

using io::simulation::Fault;
using io::simulation::Operation;
using io::simulation::SimulatedFileSystem;

// Keys that must be there, and those that may (their commit failed while it was in flight).
struct Promised {
  std::map<std::string, std::string> must, may;
  std::set<ErrorCode> errors;
};

std::string value_of(int n) {
  constexpr int large_every = 7;
  return std::string(n % large_every == 0 ? 9000 : 40 + n * 13 % 200, static_cast<char>('a' + n % 26));
}

class SmallLife {
 public:
  SmallLife(SimulatedFileSystem& disk, Promised& promised) : promised_(promised), environment_{&disk, &time_, 5} {}

  // Twice open, so that what closing and opening do is part of it.
  void run() {
    constexpr int last = 40, first_session = 30;
    run(1, first_session);
    run(first_session + 1, last);
  }

 private:
  void run(int first, int last) {
    auto db = Database::open(store_path, tiny_store(environment_));
    if (!db) return note(db.error());
    auto table = db->open_table("t", {.create_if_missing = true});
    if (!table) return note(table.error());
    if (auto doomed = db->open_table("doomed", {.create_if_missing = true}); !doomed) note(doomed.error());
    for (int n = first; n <= last; ++n) {
      commit(*db, *table, n);
      if (n == 10) note(db->checkpoint());
      if (n == 20) note(db->drop_table("doomed"));
      if (n == 25)
        if (auto compacted = db->compact(); !compacted) note(compacted.error());
      if (n % 5 == 0) db->run_background();
    }
    read_all(*db, *table);
    note(db->close());
  }

  void note(const Error& error) { promised_.errors.insert(error.code()); }
  void note(const Result<void>& outcome) {
    if (!outcome) note(outcome.error());
  }

  void commit(Database& db, Table table, int n) {
    const std::string key = fmt::format("key{:03}", n), value = value_of(n);
    auto tx = db.begin({.durability = n % 3 == 0 ? Durability::relaxed : Durability::durable});
    if (!tx) return note(tx.error());
    auto put = tx->put(table, key, value);
    if (n % 4 == 0) put = put ? tx->put(table, fmt::format("pair{:03}", n), value) : put;
    if (!put) {
      note(put.error());
      return note(tx->abort());
    }
    const auto done = tx->commit();
    if (!done) {
      note(done.error());
      promised_.may[key] = value;
      if (tx->active()) note(tx->abort());
      return;
    }
    (n % 3 == 0 ? promised_.may : promised_.must)[key] = value;
  }

  // Reads go on whatever happened to the log.
  void read_all(Database& db, Table table) {
    auto tx = db.begin({.read_only = true});
    if (!tx) return note(tx.error());
    for (const auto& [key, value] : promised_.must) {
      auto found = tx->get(table, key);
      if (!found) {
        note(found.error());
        continue;
      }
      EXPECT_TRUE(*found && (*found)->bytes() == value) << key << " before the store was opened again";
    }
  }

  Promised& promised_;
  SteppingTime time_;
  Environment environment_;
};

void expect_kept(SimulatedFileSystem& disk, const Promised& promised) {
  SteppingTime time;
  Environment environment{&disk, &time, 6};
  auto db = Database::open(store_path, tiny_store(environment));
  ASSERT_TRUE(db) << db.error().message();
  auto state = read_state(*db);
  ASSERT_TRUE(state) << state.error().message();
  const Contents& table = state->tables["t"];
  for (const auto& [key, value] : promised.must) {
    const auto found = table.find(key);
    ASSERT_TRUE(found != table.end()) << key << " was acknowledged and is lost";
    ASSERT_EQ(found->second, value);
  }
  for (const auto& [key, value] : table) {
    if (key.starts_with("pair")) continue;
    const auto must = promised.must.find(key), may = promised.may.find(key);
    ASSERT_TRUE(must != promised.must.end() || may != promised.may.end()) << key << " was never committed";
    if (std::stoi(key.substr(3)) % 4 == 0) { ASSERT_TRUE(table.contains("pair" + key.substr(3))) << "half of a transaction"; }
  }
  ASSERT_EQ(problems(*db), "");
}

struct Kind {
  Operation operation;
  int os_error;
  std::size_t lands_bytes;
  bool from_then_on;
};

class FaultTest : public testing::TestWithParam<Kind> {};

TEST_P(FaultTest, OfEachCallLosesNothing) {
  const Kind kind = GetParam();
  std::set<ErrorCode> errors;
  std::uint64_t fired = 0;
  const std::uint64_t calls = scaled(100), stride = calls >= 100 ? 1 : (100 + calls - 1) / calls;  // all of them unless scaled down
  for (std::uint64_t nth = 1;; nth += stride) {
    SCOPED_TRACE(fmt::format("{} number {} fails with {}", name(kind.operation), nth, kind.os_error));
    SimulatedFileSystem disk;
    Promised promised;
    disk.inject({.operation = kind.operation,
                 .nth = nth,
                 .os_error = kind.os_error,
                 .from_then_on = kind.from_then_on,
                 .lands_bytes = kind.lands_bytes});
    SmallLife(disk, promised).run();
    if (disk.faults_fired() == 0) {
      EXPECT_TRUE(promised.errors.empty()) << name(*promised.errors.begin());
      break;
    }
    fired += disk.faults_fired();
    disk.clear_faults();
    errors.insert(promised.errors.begin(), promised.errors.end());
    ASSERT_NO_FATAL_FAILURE(expect_kept(disk, promised));
    // And if the power fails right after it.
    Random random(nth);
    disk.crash(random);
    ASSERT_NO_FATAL_FAILURE(expect_kept(disk, promised));
  }
  const std::set<ErrorCode> clear{
      ErrorCode::io_error, ErrorCode::no_space,  ErrorCode::read_only,          ErrorCode::commit_outcome_unknown,
      ErrorCode::log_full, ErrorCode::not_found, ErrorCode::transaction_aborted};
  for (const ErrorCode code : errors) EXPECT_TRUE(clear.contains(code)) << name(kind.operation) << ": " << name(code);
  EXPECT_GT(fired, 0u) << "the store never calls " << name(kind.operation);
}

INSTANTIATE_TEST_SUITE_P(Kinds, FaultTest,
                         testing::Values(Kind{Operation::read, EIO, 0, false}, Kind{Operation::write, EIO, 0, false},
                                         Kind{Operation::write, EIO, 1000, false}, Kind{Operation::write, ENOSPC, 512, false},
                                         Kind{Operation::write, EIO, 0, true}, Kind{Operation::sync, EIO, 0, false},
                                         Kind{Operation::sync, EIO, 0, true}, Kind{Operation::allocate, ENOSPC, 0, false},
                                         Kind{Operation::allocate, ENOSPC, 0, true},
                                         Kind{Operation::deallocate, EOPNOTSUPP, 0, true}, Kind{Operation::open, EIO, 0, false},
                                         Kind{Operation::create, ENOSPC, 0, false}, Kind{Operation::rename, EIO, 0, false},
                                         Kind{Operation::remove, EIO, 0, false}, Kind{Operation::make_directory, EIO, 0, false},
                                         Kind{Operation::sync_directory, EIO, 0, false}, Kind{Operation::look, EIO, 0, false}),
                         [](const auto& one) {
                           return fmt::format("{}_{}_{}{}", name(one.param.operation),
                                              one.param.os_error == EIO      ? "EIO"
                                              : one.param.os_error == ENOSPC ? "ENOSPC"
                                                                             : "EOPNOTSUPP",
                                              one.param.lands_bytes, one.param.from_then_on ? "_forever" : "");
                         });

TEST(LogFailureTest, LeavesAStoreThatCanBeRead) {
  SimulatedFileSystem disk;
  SteppingTime time;
  Environment environment{&disk, &time, 9};
  {
    auto db = Database::open(store_path, tiny_store(environment));
    ASSERT_TRUE(db);
    auto table = db->open_table("t", {.create_if_missing = true});
    ASSERT_TRUE(table);
    ASSERT_TRUE(db->transact({}, [&](Transaction& tx) { return tx.put(*table, "safe", "1"); }));
    disk.inject({.operation = Operation::sync, .nth = 1, .from_then_on = true});
    const auto failed = db->transact({}, [&](Transaction& tx) { return tx.put(*table, "lost", "2"); });
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code(), ErrorCode::commit_outcome_unknown);
    disk.clear_faults();
    const auto later = db->transact({}, [&](Transaction& tx) { return tx.put(*table, "later", "3"); });
    ASSERT_FALSE(later) << "a sync was tried again after an error";
    EXPECT_EQ(later.error().code(), ErrorCode::read_only);
    auto tx = db->begin();
    ASSERT_TRUE(tx) << tx.error().message();
    auto safe = tx->get(*table, "safe");
    ASSERT_TRUE(safe) << safe.error().message();
    ASSERT_TRUE(*safe);
    EXPECT_EQ((*safe)->bytes(), "1");
    auto lost = tx->get(*table, "lost");
    ASSERT_TRUE(lost) << lost.error().message();
    EXPECT_FALSE(*lost) << "what may not survive is shown";
  }
  auto db = Database::open(store_path, tiny_store(environment));
  ASSERT_TRUE(db) << db.error().message();
  auto state = read_state(*db);
  ASSERT_TRUE(state);
  EXPECT_EQ(state->tables["t"]["safe"], "1");
  EXPECT_FALSE(state->tables["t"].contains("later"));
  EXPECT_EQ(problems(*db), "");
}

// What was acknowledged must not be lost together with the name of the folder.
void expect_folder_survives(const SimulatedFileSystem& disk) {
  SteppingTime time;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Random random(seed);
    const auto state = disk.crash_copy(random);
    Environment environment{state.get(), &time, 9};
    Options options = tiny_store(environment);
    options.create_if_missing = false;
    const auto opened = Database::open("/shops/shop", options);
    ASSERT_TRUE(opened) << opened.error().message();
  }
}

TEST(FolderTest, SurvivesWhenItsPathEndsInSlashes) {
  SimulatedFileSystem disk;
  SteppingTime time;
  Environment environment{&disk, &time, 9};
  ASSERT_TRUE(disk.make_directory("/shops"));
  ASSERT_TRUE(disk.sync_directory("/"));
  ASSERT_TRUE(Database::open("/shops/shop//", tiny_store(environment)));
  expect_folder_survives(disk);
}

TEST(FolderTest, SurvivesWhenTheOpenThatMadeItWasInterrupted) {
  SimulatedFileSystem disk;
  SteppingTime time;
  Environment environment{&disk, &time, 9};
  ASSERT_TRUE(disk.make_directory("/shops"));
  ASSERT_TRUE(disk.sync_directory("/"));
  disk.inject({.operation = Operation::sync_directory, .nth = 1});
  ASSERT_FALSE(Database::open("/shops/shop", tiny_store(environment)));
  ASSERT_TRUE(Database::open("/shops/shop", tiny_store(environment)));
  expect_folder_survives(disk);
}

// Its marker may stand beside the name until the next open, and some of its pages may be gone.
TEST(DropFailureTest, LeavesNothingThatVerifyComplainsAbout) {
  SimulatedFileSystem disk;
  SteppingTime time;
  Environment environment{&disk, &time, 9};
  {
    auto db = Database::open(store_path, tiny_store(environment));
    ASSERT_TRUE(db);
    auto table = db->open_table("doomed", {.create_if_missing = true});
    ASSERT_TRUE(table);
    for (int n = 0; n < 12'000; n += 100) {  // more than the log holds of their end
      ASSERT_TRUE(db->transact({}, [&](Transaction& tx) -> Result<void> {
        for (int i = n; i < n + 100; ++i)
          if (auto put = tx.put(*table, fmt::format("{:06}", i), std::string(i % 1000 == 0 ? 9000 : 900, 'v')); !put) return put;
        return {};
      }));
      ASSERT_TRUE(db->checkpoint());
    }
    ASSERT_TRUE(db->close());
  }
  std::uint64_t named = 0, half_freed = 0;
  for (const Operation operation : {Operation::sync, Operation::write}) {
    for (std::uint64_t nth = 1, failed = 1; failed != 0; ++nth) {
      SCOPED_TRACE(fmt::format("{} number {} fails", name(operation), nth));
      Random random(nth);
      const auto copy = disk.crash_copy(random);
      Environment there{copy.get(), &time, 9};
      auto db = Database::open(store_path, tiny_store(there));
      ASSERT_TRUE(db) << db.error().message();
      copy->inject({.operation = operation, .nth = nth, .from_then_on = true});
      const auto dropped = db->drop_table("doomed");
      failed = copy->faults_fired();
      copy->clear_faults();
      if (!dropped) ++(db->open_table("doomed") ? named : half_freed);
      EXPECT_EQ(problems(*db), "");
    }
  }
  EXPECT_GT(named, 0u);
  EXPECT_GT(half_freed, 0u);
}

// A store whose last checkpoint failed when the superblock was synced: the newer block may be there for readers and not on the
// disk, so that the older one is still needed, and the log that it names.
class SuperblockFailureTest : public testing::Test {
 protected:
  static constexpr int rows = 400;

  struct Life {
    SimulatedFileSystem disk;
    SteppingTime time;
    Environment environment{&disk, &time, 9};
    std::optional<Database> db;

    void put_rows(int first) {
      auto table = db->open_table("t", {.create_if_missing = true});
      ASSERT_TRUE(table);
      for (int n = first; n < first + rows; ++n)
        ASSERT_TRUE(
            db->transact({}, [&](Transaction& tx) { return tx.put(*table, fmt::format("{:06}", n), std::string(300, 'v')); }));
    }
    void begin() {
      auto opened = Database::open(store_path, tiny_store(environment));
      ASSERT_TRUE(opened) << opened.error().message();
      db = std::move(*opened);
      put_rows(0);
      ASSERT_TRUE(db->checkpoint());
      put_rows(rows);  // more than a segment of the log
    }
  };

  static void fail_the_superblock(Life& life) {
    Life twin;  // the same life: which sync of a checkpoint is the superblock's?
    twin.begin();
    twin.disk.record(true);
    ASSERT_TRUE(twin.db->checkpoint());
    std::uint64_t nth = 0, syncs = 0;
    for (const auto& call : twin.disk.calls()) {
      syncs += call.operation == Operation::sync;
      if (call.operation == Operation::sync && call.path.ends_with("superblock")) nth = syncs;
    }
    ASSERT_NE(nth, 0u);
    life.begin();
    life.disk.inject({.operation = Operation::sync, .nth = nth});
    ASSERT_FALSE(life.db->checkpoint());
  }

  static void expect_all_states_open(const Life& life, std::uint64_t seed) {
    constexpr int states = 500, states_opened = 10;
    Random random(seed);
    for (int i = 0; i < states; ++i) {
      const auto state = life.disk.crash_copy(random);
      const auto block = storage::read_superblock(*state, store_path);
      ASSERT_TRUE(block) << "state " << i << ": " << block.error().message();
      if (i >= states_opened) continue;
      SteppingTime time;
      Environment after{state.get(), &time, 9};
      auto again = Database::open(store_path, tiny_store(after));
      ASSERT_TRUE(again) << "state " << i << ": " << again.error().message();
      auto found = read_state(*again);
      ASSERT_TRUE(found);
      ASSERT_EQ(found->tables["t"].size(), 2u * rows);
    }
  }
};

TEST_F(SuperblockFailureTest, APowerFailureInTheNextCheckpointLeavesOne) {
  std::uint64_t moments = 0;
  for (std::uint64_t change = 1; change < 100; ++change, ++moments) {
    SCOPED_TRACE(change);
    Life life;
    ASSERT_NO_FATAL_FAILURE(fail_the_superblock(life));
    life.disk.power_fails_at(change);
    if (life.db->checkpoint()) break;
    ASSERT_NO_FATAL_FAILURE(expect_all_states_open(life, change));
  }
  std::printf("%llu moments\n", static_cast<unsigned long long>(moments));
  EXPECT_GT(moments, 2u);
  EXPECT_LT(moments, 99u);
}

// The program ends, and opens the store again without a restart of the machine.
TEST_F(SuperblockFailureTest, APowerFailureWhileItIsOpenedAgainLeavesOne) {
  std::uint64_t moments = 0;
  for (std::uint64_t change = 1; change < 400; change += change < 20 ? 1 : 7, ++moments) {
    SCOPED_TRACE(change);
    Life life;
    ASSERT_NO_FATAL_FAILURE(fail_the_superblock(life));
    life.disk.inject({.operation = Operation::write, .nth = 1, .from_then_on = true});
    life.db.reset();
    life.disk.clear_faults();
    life.disk.power_fails_at(change);
    if (Database::open(store_path, tiny_store(life.environment))) break;
    ASSERT_NO_FATAL_FAILURE(expect_all_states_open(life, change));
  }
  std::printf("%llu moments\n", static_cast<unsigned long long>(moments));
  EXPECT_GT(moments, 10u);
}

TEST(FullDiskTest, RefusesWritesAndGoesOnWhenSpaceReturns) {
  SimulatedFileSystem disk;
  SteppingTime time;
  Environment environment{&disk, &time, 9};
  std::map<std::string, std::string> kept;
  {
    auto db = Database::open(store_path, tiny_store(environment));
    ASSERT_TRUE(db);
    auto table = db->open_table("t", {.create_if_missing = true});
    ASSERT_TRUE(table);
    std::set<ErrorCode> refusals;
    const auto put = [&](int n) {
      const std::string key = fmt::format("{:06}", n), value(n % 9 == 0 ? 20'000 : 700, static_cast<char>('a' + n % 26));
      auto done = db->transact({}, [&](Transaction& tx) { return tx.put(*table, key, value); });
      if (done) kept[key] = value;
      if (!done) refusals.insert(done.error().code());
      db->run_background();
      return done.has_value();
    };
    ASSERT_TRUE(put(1));
    int n = 2;
    for (int full = 0; full < 3; ++full) {
      disk.set_disk_bytes(disk.disk_bytes_used() + 400'000);
      int refused = 0;
      for (const int end = n + 2000; n < end && refused < 20; ++n) refused += put(n) ? 0 : 1;
      EXPECT_GE(refused, 20) << "the disk never filled up";
      auto state = read_state(*db);
      ASSERT_TRUE(state) << state.error().message();
      ASSERT_EQ(state->tables["t"], kept);
      disk.set_disk_bytes(std::numeric_limits<std::uint64_t>::max());
      for (int i = 0; i < 20; ++i, ++n) ASSERT_TRUE(put(n)) << "after space had returned";
    }
    for (const ErrorCode code : refusals) EXPECT_TRUE(code == ErrorCode::no_space || code == ErrorCode::log_full) << name(code);
    EXPECT_EQ(problems(*db), "");
  }
  auto db = Database::open(store_path, tiny_store(environment));
  ASSERT_TRUE(db) << db.error().message();
  auto state = read_state(*db);
  ASSERT_TRUE(state);
  EXPECT_EQ(state->tables["t"], kept);
  EXPECT_EQ(problems(*db), "");
}

}  // namespace
}  // namespace plimsoll::test
