// Backups: what they hold, against what the log says; made beside writers, in a small budget, and through the control socket.
#include "plimsoll/backup.hpp"

#include "backup_support.hpp"
#include "base/random.hpp"
#include "behaviour/log_follower.hpp"
#include "db/environment.hpp"

namespace plimsoll {
namespace {

class BackupTest : public StoreWithBackups {
 protected:
  void follow(LogFollower& follower, Lsn from, Lsn to) {
    EXPECT_OK(db().read_log(from, [&](const LogEntry& entry) {
      if (entry.lsn < to) follower.take(entry);
      return entry.lsn < to;
    }));
  }
  // What a follower came to, by the names of the tables. The log does not hold large values: whoever writes one writes the seed of
  // its noise and its size below "KEY.of" in the same transaction.
  static State by_name(const LogFollower& follower, const std::map<std::uint32_t, std::string>& names) {
    State state;
    for (const auto& [key, value] : follower.state())
      state[names.at(key.first)].emplace(key.second, value.large ? "(large)" : value.bytes);
    for (auto& [name, table] : state)
      for (auto& [key, value] : table) {
        if (value != "(large)") continue;
        unsigned long long seed = 0, bytes = 0;
        EXPECT_EQ(std::sscanf(table.at(key + ".of").c_str(), "%llu %llu", &seed, &bytes), 2);
        value = noise(bytes, seed);
      }
    return state;
  }
  State replay(Lsn from, Lsn to, const std::map<std::uint32_t, std::string>& names) {
    LogFollower follower;
    follow(follower, from, to);
    return by_name(follower, names);
  }
  std::map<std::uint32_t, std::string> names_of_tables() {
    std::map<std::uint32_t, std::string> names;
    auto tables = db().tables();
    EXPECT_OK(tables);
    for (const TableInfo& one : *tables) names.emplace(one.tree.value, one.name);
    return names;
  }
  // What a backup and the log behind it come to, up to `to`.
  State gone_on(const State& backup, const BackupReport& report, Lsn to) {
    const auto names = names_of_tables();
    std::map<LogFollower::Key, LogFollower::Value> base;
    for (const auto& [tree, name] : names)
      if (const auto at = backup.find(name); at != backup.end())
        for (const auto& [key, value] : at->second) base.emplace(LogFollower::Key{tree, key}, LogFollower::Value{value});
    LogFollower follower(std::move(base), report.position);
    follow(follower, report.follow_from, to);
    return by_name(follower, names);
  }
};

// --- positions ---

TEST_F(BackupTest, APositionIsForReadersWithoutATimestamp) {
  table();
  EXPECT_CODE(db().begin({.with_position = true}), invalid_argument);
  EXPECT_CODE(db().begin({.read_only = true, .as_of = db().now(), .with_position = true}), invalid_argument);
  auto plain = reader();
  EXPECT_EQ(plain.position(), Lsn{});
  auto writer = begin();
  EXPECT_EQ(writer.position(), Lsn{});
  auto with = begin({.read_only = true, .with_position = true});
  EXPECT_GT(with.position(), Lsn{});
  EXPECT_CODE(with.put(table(), "a", "b"), read_only);
  EXPECT_OK(with.commit());
  EXPECT_EQ(with.position(), Lsn{});
}

TEST_F(BackupTest, ASnapshotHoldsWhatWasCommittedBelowItsPositionAndNothingElse) {
  const Table where = table();
  put(where, "a", "1");
  auto first = begin({.read_only = true, .with_position = true});
  put(where, "a", "2");  // relaxed: newer than the horizon of other readers
  auto second = begin({.read_only = true, .with_position = true});
  EXPECT_LT(first.position(), second.position());
  EXPECT_EQ(text(first.get(where, "a")), "1");
  EXPECT_EQ(text(second.get(where, "a")), "2");
  const Lsn from = first.position(), to = second.position();
  EXPECT_OK(second.commit());
  EXPECT_GE(db().durable_lsn(), to) << "its commit waits for what it has read";
  std::vector<std::string> seen;
  EXPECT_OK(db().read_log(from, [&](const LogEntry& entry) {
    if (entry.kind == LogEntry::Kind::put) seen.push_back(std::string(entry.value));
    return true;
  }));
  EXPECT_EQ(seen, std::vector<std::string>{"2"}) << "the log from the position on is what the snapshot lacks";
  EXPECT_OK(first.commit());
}

TEST_F(BackupTest, AStoreThatIsOnlyReadHasAPositionThatItsLogStillHolds) {
  put(table(), "a", "1");
  reopen();
  for (int round = 0; round < 2; ++round) {
    auto tx = begin({.read_only = true, .with_position = true});
    EXPECT_EQ(text(tx.get(table(), "a")), "1");
    EXPECT_GE(tx.position(), db().log_start());
    const Lsn position = tx.position();
    EXPECT_OK(tx.commit());
    int changes = 0;
    EXPECT_OK(db().read_log(position, [&](const LogEntry&) { return ++changes; }));
    EXPECT_EQ(changes, 0);
    EXPECT_OK(db().checkpoint());
  }
}

// Every reader that has a position sees the sum that all commits below it make, while writers move amounts about and add to them.
TEST_F(BackupTest, PositionsAreExactWhileManyCommit) {
  const Table where = table();
  const Lsn from = db().log_start();
  constexpr int writers = 3;
  const int rounds = static_cast<int>(scaled(400, 60));
  std::vector<std::thread> threads;
  for (int w = 0; w < writers; ++w)
    threads.emplace_back([&, w] {
      for (int i = 0; i < rounds; ++i) {
        auto tx = begin({.durability = i % 7 == 0 ? Durability::durable : Durability::relaxed});
        EXPECT_OK(tx.put(where, key_of(static_cast<std::uint64_t>(w)), std::to_string(i)));
        EXPECT_OK(tx.put(where, key_of(static_cast<std::uint64_t>(w + 100)), std::to_string(i)));
        EXPECT_OK(tx.commit());
      }
    });
  std::vector<std::pair<Lsn, Records>> seen;
  for (int i = 0; i < 40; ++i) {
    auto tx = begin({.read_only = true, .with_position = true});
    seen.emplace_back(tx.position(), scan(tx, where));
    EXPECT_OK(tx.abort());
    std::this_thread::yield();
  }
  for (std::thread& one : threads) one.join();
  auto last = begin({});  // durable, and all before it
  EXPECT_OK(last.put(where, "end", ""));
  EXPECT_OK(last.commit());
  for (const auto& [position, records] : seen) {
    const State state = replay(from, position, {{where.tree().value, "t"}});
    const Records expected = state.contains("t") ? Records(state.at("t").begin(), state.at("t").end()) : Records{};
    ASSERT_EQ(records, expected) << "position " << position.value;
  }
}

// --- what a backup holds ---

TEST_F(BackupTest, HoldsEveryTableWithEveryKindOfValue) {
  const Table where = table(), other = table("other");
  table("empty");
  table(std::string("\xff\x01name", 6));
  fill(where, 2000, 300);
  put(other, std::string(db().key_bytes_max(), 'k'), "long key");
  put(other, "nothing", "");
  put(other, std::string("\0\xff", 2), std::string("\0", 1));
  for (const std::size_t bytes : {2000u, 2100u, 65'500u, 65'536u, 65'537u, 200'000u})
    put(other, fmt::format("large {}", bytes), noise(bytes, bytes));
  const State expected = state_of(db());
  const BackupReport made = backup();
  EXPECT_EQ(made.total.tables, 4u);
  EXPECT_EQ(made.total.records, 2009u);
  EXPECT_EQ(made.total.file_bytes, std::filesystem::file_size(file()));
  EXPECT_EQ(made.page_size, db().page_size());
  auto checked = check_backup(file());
  ASSERT_OK(checked);
  EXPECT_EQ(checked->position, made.position);
  EXPECT_EQ(checked->timestamp, made.timestamp);
  EXPECT_EQ(checked->salt, made.salt);
  EXPECT_EQ(checked->total.record_bytes, made.total.record_bytes);
  EXPECT_EQ(checked->total.file_bytes, made.total.file_bytes);
  expect_equal(restored(), expected);
}

TEST_F(BackupTest, OfAnEmptyStoreIsABackupToo) {
  db();
  backup();
  expect_equal(restored(), {});
}

TEST_F(BackupTest, TheRestoredStoreHasThePageSizeOfTheFirst) {
  options.page_size = 32_KiB;
  put(table(), std::string(1024, 'k'), std::string(8000, 'v'));
  const State expected = state_of(db());
  backup();
  options.page_size = 4_KiB;
  expect_equal(restored(), expected);
}

TEST_F(BackupTest, OfAStoreInMemoryLiesOnTheDisk) {
  auto memory = Database::open_in_memory({.memory_budget = 32_MiB});
  ASSERT_OK(memory);
  auto where = memory->open_table("t", {.create_if_missing = true});
  ASSERT_OK(where);
  ASSERT_OK(memory->transact({}, [&](Transaction& tx) { return tx.put(*where, "a", noise(100'000, 1)); }));
  ASSERT_OK(memory->backup(file()));
  expect_equal(restored(), {{"t", {{"a", noise(100'000, 1)}}}});
}

TEST_F(BackupTest, WhatIsMadeAfterTheSnapshotIsNotInIt) {
  const Table where = table();
  fill(where, 3000, 300);
  const State expected = state_of(db());
  bool done = false;
  backup(0, [&](const BackupProgress&) {
    if (std::exchange(done, true)) return true;
    put(table("late"), "a", "b");
    put(where, key_of(2999), "changed");
    put(where, "new", "n");
    erase(where, key_of(2998));
    return true;
  });
  EXPECT_TRUE(done);
  expect_equal(restored(), expected);
}

TEST_F(BackupTest, IsDurableInTheLogAsFarAsItSays) {
  options.background_threads = false;
  const Table where = table();
  put(where, "a", "relaxed");
  EXPECT_LT(db().durable_lsn(), db().begin({.read_only = true, .with_position = true})->position());
  const BackupReport made = backup();
  EXPECT_GE(db().durable_lsn(), made.position);
}

// --- beside writers ---

// Writes until told to stop: small and large values, aborts, savepoints, tables of its own.
class Writer {
 public:
  Writer(Database& db, std::uint64_t seed) : db_(db), random_(seed), seed_(seed) {}
  void run(const std::atomic<bool>& stop, std::atomic<std::uint64_t>& commits) {
    auto shared = db_.open_table("t");
    ASSERT_OK(shared);
    table_ = *shared;
    while (!stop) {
      auto tx = db_.begin({.durability = random_.one_in(8) ? Durability::durable : Durability::relaxed});
      ASSERT_OK(tx);
      const bool wrote = write(*tx);
      if (!wrote || random_.one_in(6)) {
        ASSERT_OK(tx->abort());
        continue;
      }
      ASSERT_OK(tx->commit());
      if (++commits % 64 == 0) make_table();
    }
  }

 private:
  void make_table() {
    auto made = db_.open_table(fmt::format("made {} {}", seed_, ++tables_), {.create_if_missing = true});
    ASSERT_OK(made);
    table_ = *made;
  }
  bool write(Transaction& tx) {
    for (std::uint64_t n = 1 + random_.below(12); n != 0; --n) {
      if (random_.one_in(5)) {
        auto point = tx.savepoint();
        if (!point || !change(tx)) return false;
        if (random_.one_in(2) && !tx.rollback_to(*point)) return false;
      } else if (!change(tx)) {
        return false;
      }
    }
    return true;
  }
  bool change(Transaction& tx) {
    const std::string key = key_of(random_.below(500));
    if (random_.one_in(4)) return tx.erase(table_, key).has_value();
    if (!random_.one_in(12)) return tx.put(table_, key, noise(random_.below(600), random_.next())).has_value();
    const std::uint64_t seed = random_.below(1'000'000), bytes = 3000 + random_.below(150'000);
    const std::string large = fmt::format("large{}", seed_ * 10 + random_.below(8));
    return tx.put(table_, large, noise(bytes, seed)) && tx.put(table_, large + ".of", fmt::format("{} {}", seed, bytes));
  }
  Database& db_;
  Random random_;
  std::uint64_t seed_, tables_ = 0;
  Table table_;
};

TEST_F(BackupTest, MadeBesideWritersIsWhatTheLogSaysUpToItsPosition) {
  options.memory_budget = 48_MiB;
  options.log_bytes_max = 2_GiB;  // no checkpoint cuts it
  const Table where = table();
  const Lsn from = db().log_start();
  fill(where, 1500, 400, 10'000);
  constexpr int backups = 4;
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> commits{0};
  std::vector<std::thread> writers;
  for (std::uint64_t seed = 1; seed <= 3; ++seed) writers.emplace_back([&, seed] { Writer(db(), seed).run(stop, commits); });
  const auto some_more = [&](std::uint64_t more) {
    const std::uint64_t until = commits + more;
    return eventually([&] { return commits >= until; });
  };
  std::vector<BackupReport> reports;
  for (int i = 0; i < backups; ++i) {
    EXPECT_TRUE(some_more(40));
    reports.push_back(backup(i, [&](const BackupProgress&) { return some_more(5); }));
  }
  EXPECT_TRUE(some_more(40));
  stop = true;
  for (std::thread& one : writers) one.join();
  auto last = begin({});
  EXPECT_OK(last.put(where, "end", ""));
  EXPECT_OK(last.commit());
  const auto names = names_of_tables();
  State live = state_of(db());
  std::erase_if(live, [](const auto& one) { return one.second.empty(); });
  for (int i = 0; i < backups; ++i) {
    SCOPED_TRACE(fmt::format("backup {} up to {}", i, reports[static_cast<std::size_t>(i)].position.value));
    const State found = restored(i);
    State expected = replay(from, reports[static_cast<std::size_t>(i)].position, names);
    for (const auto& [name, records] : found)
      if (records.empty()) expected[name];  // the log that is read tells of records, not of tables
    expect_equal(found, expected);
    expect_equal(gone_on(found, reports[static_cast<std::size_t>(i)], db().durable_lsn()), live);
  }
}

TEST_F(BackupTest, WhoGoesOnFromItMissesNothing) {
  const Table where = table();
  put(where, "a", "0");
  put(where, "b", "0");
  auto early = begin(), aborted = begin(), prepared = begin();
  ASSERT_OK(early.put(where, "a", "early"));
  ASSERT_OK(aborted.put(where, "b", "never"));
  ASSERT_OK(prepared.put(where, "c", "decided later"));
  ASSERT_OK(prepared.prepare("g"));
  put(where, "d", "in the backup");
  const BackupReport made = backup();
  EXPECT_LT(made.follow_from, made.position);
  ASSERT_OK(early.put(where, "e", "late"));
  ASSERT_OK(early.commit());
  ASSERT_OK(aborted.abort());
  ASSERT_OK(db().commit_prepared("g"));
  put(where, "d", "changed");
  const State found = restored();
  EXPECT_FALSE(found.at("t").contains("c"));
  expect_equal(gone_on(found, made, db().durable_lsn()), state_of(db()));
  BackupReport position_alone = made;
  position_alone.follow_from = made.position;
  EXPECT_NE(gone_on(found, position_alone, db().durable_lsn()), state_of(db())) << "the test shows nothing";
  auto checked = check_backup(file());
  ASSERT_OK(checked);
  EXPECT_EQ(checked->follow_from, made.follow_from);
}

TEST_F(BackupTest, NobodyGoesOnPastATransactionWhoseBeginIsNotKnown) {
  {
    auto tx = begin();
    ASSERT_OK(tx.put(table(), "a", "prepared"));
    ASSERT_OK(tx.prepare("g"));
  }
  reopen();
  const BackupReport made = backup();
  EXPECT_LT(made.follow_from, db().log_start());
  EXPECT_CODE(db().read_log(made.follow_from, [](const LogEntry&) { return true; }), not_found);
  ASSERT_OK(db().commit_prepared("g"));
  const BackupReport later = backup(1);
  EXPECT_GE(later.follow_from, db().log_start());
  expect_equal(gone_on(restored(1), later, later.position), {{"t", {{"a", "prepared"}}}});
}

// --- memory ---

TEST_F(BackupTest, ValuesLargerThanTheBudgetPassThroughIt) {
  options.memory_budget = 16_MiB;
  options.max_transactions = 16;
  const Table where = table();
  constexpr std::size_t piece = 1_MiB, pieces = 24;
  const std::string content = noise(piece, 7);
  {
    auto tx = begin();
    auto writer = tx.open_writer(where, "giant");
    ASSERT_OK(writer);
    for (std::size_t i = 0; i < pieces; ++i) ASSERT_OK(writer->write(content));
    ASSERT_OK(writer->finish());
    { const auto moved = std::move(*writer); }
    ASSERT_OK(tx.commit());
  }
  fill(where, 3000, 500);
  backup();
  const std::string to = folder() + "/restored";
  ASSERT_OK(restore_backup(file(), to, options));
  auto copy = Database::open(to, options);
  ASSERT_OK(copy);
  auto there = copy->open_table("t");
  ASSERT_OK(there);
  auto tx = copy->begin({.read_only = true});
  ASSERT_OK(tx);
  auto reader = tx->open_reader(*there, "giant");
  ASSERT_TRUE(reader && *reader) << told(reader);
  EXPECT_EQ((*reader)->size(), piece * pieces);
  std::string got(piece, 0);
  for (std::size_t i = 0; i < pieces; ++i) {
    for (std::size_t done = 0; done < piece;) {
      auto read = (*reader)->read({got.data() + done, piece - done});
      ASSERT_OK(read);
      ASSERT_NE(*read, 0u);
      done += *read;
    }
    ASSERT_EQ(got, content);
  }
  EXPECT_EQ(copy->statistics().memory_budget, 16_MiB);
}

TEST_F(BackupTest, TakesLessThanAMebibyte) {
  const Table where = table();
  fill(where, 5000, 300);
  put(where, "large", noise(900'000, 1));
  const auto held = [&] {
    std::uint64_t bytes = 0;
    for (const AccountStats& one : db().statistics().accounts)
      if (one.name == "io_buffers" || one.name == "contexts" || one.name == "large_objects") bytes += one.used_bytes;
    return bytes;
  };
  db().release_memory(~std::size_t{0});
  const std::uint64_t before = held();
  std::uint64_t most = 0;
  backup(0, [&](const BackupProgress&) {
    most = std::max(most, held());
    return true;
  });
  EXPECT_LE(most, before + 1_MiB);
}

// --- what ends one ---

TEST_F(BackupTest, ThatIsCalledOffOrKilledLeavesNothing) {
  fill(table(), 3000, 300);
  EXPECT_CODE(db().backup(file(), [](const BackupProgress&) { return false; }), transaction_aborted);
  EXPECT_FALSE(is_there(file()) || is_there(file() + ".partial"));
  const BackupWatcher killer = [&](const BackupProgress&) {
    for (const TransactionInfo& one : db().transactions())
      if (one.label == "backup") EXPECT_OK(db().kill(one.id));
    return true;
  };
  EXPECT_CODE(db().backup(file(), killer), transaction_timeout);
  EXPECT_FALSE(is_there(file()) || is_there(file() + ".partial"));
  backup();
  const std::string to = folder() + "/restored";
  EXPECT_CODE(restore_backup(file(), to, options, [](const BackupProgress&) { return false; }), transaction_aborted);
  expect_nothing_restored();
  EXPECT_CODE(check_backup(file(), [](const BackupProgress&) { return false; }), transaction_aborted);
}

TEST_F(BackupTest, ReplacesNothing) {
  put(table(), "a", "1");
  backup();
  EXPECT_CODE(db().backup(file()), already_exists);
  EXPECT_OK(check_backup(file()));
  std::ofstream(file(1) + ".partial") << "another one's";
  EXPECT_CODE(db().backup(file(1)), already_exists);
  EXPECT_TRUE(is_there(file(1) + ".partial"));
  EXPECT_FALSE(is_there(file(1)));
  EXPECT_CODE(db().backup(""), invalid_argument);
  EXPECT_CODE(db().backup(folder() + "/"), invalid_argument);
  EXPECT_CODE(db().backup(folder() + "/no/such/folder"), not_found);
  EXPECT_CODE(restore_backup(file(), path(), options), already_exists);
  EXPECT_EQ(now(table(), "a"), "1");
  std::filesystem::create_directory(folder() + "/restored");
  EXPECT_CODE(restore_backup(file(), folder() + "/restored/", options), already_exists);
  std::filesystem::remove(folder() + "/restored");
  std::filesystem::create_directory(folder() + "/restored.partial");
  EXPECT_CODE(restore_backup(file(), folder() + "/restored", options), already_exists);
  EXPECT_TRUE(is_there(folder() + "/restored.partial"));
  std::filesystem::remove(folder() + "/restored.partial");
  EXPECT_CODE(restore_backup(file(), "", options), invalid_argument);
  EXPECT_CODE(restore_backup(folder() + "/no", folder() + "/restored", options), not_found);
  options.memory_budget = 1_MiB;
  EXPECT_CODE(restore_backup(file(), folder() + "/restored", options), memory_budget_exceeded);
  options.memory_budget = 32_MiB;
  expect_nothing_restored();
}

// --- through the control socket ---

class BackupJobTest : public BackupTest {
 protected:
  std::string ask(const std::string& request) { return db().answer(R"({"version":1,"request":)" + request + "}"); }
  std::string start(const std::string& name) { return ask(R"("backup","file":")" + name + "\""); }
  bool comes_to(const std::string& state) {
    return eventually([&] { return ask("\"backup_state\"").find(R"("state":")" + state + "\"") != std::string::npos; });
  }
};

TEST_F(BackupJobTest, RunsOnItsOwnAndTellsWhatItCameTo) {
  EXPECT_TRUE(comes_to("none"));
  fill(table(), 1000, 100);
  const State expected = state_of(db());
  EXPECT_NE(start("relative").find("invalid_argument"), std::string::npos);
  EXPECT_NE(ask("\"backup\",\"file\":7").find("invalid_argument"), std::string::npos);
  EXPECT_NE(start(file()).find(R"({"number":1})"), std::string::npos);
  EXPECT_TRUE(comes_to("done"));
  auto checked = check_backup(file());
  ASSERT_OK(checked);
  const std::string told = ask("\"backup_state\"");
  EXPECT_NE(told.find(fmt::format("\"position\":{},", checked->position.value)), std::string::npos) << told;
  EXPECT_NE(told.find("\"records\":1000,"), std::string::npos) << told;
  EXPECT_NE(start(file()).find(R"({"number":2})"), std::string::npos);
  EXPECT_TRUE(comes_to("failed"));
  EXPECT_NE(ask("\"backup_state\"").find("already_exists"), std::string::npos);
  expect_equal(restored(), expected);
}

TEST_F(BackupJobTest, OneAtATimeAndClosingEndsIt) {
  const Table where = table();
  put(where, "large", noise(8'000'000, 1));
  fill(where, 20'000, 500);
  bool refused = false;
  for (int number = 0; number < 50 && !refused; ++number) {  // the first one may be over already
    start(file(number));
    refused = start(file(number + 1000)).find("\"busy\"") != std::string::npos;
    if (!refused) {
      EXPECT_TRUE(eventually([&] { return ask("\"backup_state\"").find("running") == std::string::npos; }));
    }
  }
  EXPECT_TRUE(refused);
  close();
  for (const auto& entry : std::filesystem::directory_iterator(folder())) {
    const std::string name = entry.path().string();
    EXPECT_FALSE(name.ends_with(".partial")) << name;
    if (entry.is_regular_file()) { EXPECT_OK(check_backup(name)); }
  }
}

}  // namespace
}  // namespace plimsoll
