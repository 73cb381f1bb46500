// Backups: what they hold, against what the log says; made beside writers, in a small budget, and refused when something is wrong.
#include "plimsoll/backup.hpp"

#include <fmt/format.h>

#include <map>
#include <set>

#include "base/random.hpp"
#include "db/environment.hpp"
#include "support.hpp"

namespace plimsoll {
namespace {

using State = std::map<std::string, std::map<std::string, std::string>>;  // by table

std::string read_whole(Transaction& tx, Table table, Bytes key) {
  std::string value;
  auto reader = tx.open_reader(table, key);
  EXPECT_OK(reader);
  if (!reader || !*reader) return value;
  value.resize((*reader)->size());
  for (std::size_t done = 0; done < value.size();) {
    auto got = (*reader)->read({value.data() + done, value.size() - done});
    EXPECT_OK(got);
    if (!got || *got == 0) break;
    done += *got;
  }
  return value;
}

State state_of(Database& db) {
  State all;
  auto tables = db.tables();
  EXPECT_OK(tables);
  auto tx = db.begin({.read_only = true});
  EXPECT_OK(tx);
  for (const TableInfo& one : *tables) {
    auto& records = all[one.name];
    auto table = db.open_table(one.name);
    EXPECT_OK(table);
    auto cursor = tx->cursor(*table);
    EXPECT_OK(cursor);
    for (auto more = cursor->next(); more && *more; more = cursor->next())
      records.emplace(cursor->key(), cursor->large() ? read_whole(*tx, *table, cursor->key()) : std::string(cursor->value()));
  }
  EXPECT_OK(tx->commit());
  return all;
}

void expect_equal(const State& found, const State& expected) {
  std::set<std::string> names, expected_names;
  for (const auto& [name, records] : found) names.insert(name);
  for (const auto& [name, records] : expected) expected_names.insert(name);
  ASSERT_EQ(names, expected_names);
  for (const auto& [name, records] : expected) {
    const auto& other = found.at(name);
    EXPECT_EQ(other.size(), records.size()) << "table " << name;
    int shown = 0;
    for (const auto& [key, value] : records) {
      const auto at = other.find(key);
      if (at != other.end() && at->second == value) continue;
      ADD_FAILURE() << "table " << name << ", key " << key << (at == other.end() ? ": missing" : ": another value");
      if (++shown == 5) break;
    }
  }
}

class BackupTest : public StoreTest {
 protected:
  std::string file(int number = 0) const { return fmt::format("{}/backup{}", folder(), number); }
  bool is_there(const std::string& name) const { return std::filesystem::exists(name); }

  BackupReport backup(int number = 0, const BackupWatcher& watch = {}) {
    auto made = db().backup(file(number), watch);
    EXPECT_OK(made);
    EXPECT_FALSE(is_there(file(number) + ".partial"));
    return made ? *made : BackupReport{};
  }
  // Restores, compares, and takes the store away again.
  State restored(int number = 0) {
    const std::string to = folder() + "/restored";
    auto done = restore_backup(file(number), to, options);
    EXPECT_OK(done);
    if (!done) return {};
    State state;
    {
      auto copy = Database::open(to, options);
      EXPECT_OK(copy);
      if (!copy) return {};
      EXPECT_TRUE(copy->recovery_report().was_clean);
      state = state_of(*copy);
      EXPECT_OK(copy->close());
    }
    std::filesystem::remove_all(to);
    return state;
  }
  void expect_nothing_restored() {
    EXPECT_FALSE(is_there(folder() + "/restored"));
    EXPECT_FALSE(is_there(folder() + "/restored.partial"));
  }

  // What the commits with records below `position` left, by the log alone. The log does not hold large values: whoever writes one
  // writes the seed of its noise and its size below "KEY.of" in the same transaction.
  State replay(Lsn from, Lsn position, const std::map<std::uint32_t, std::string>& names) {
    struct Put {
      std::uint32_t tree;
      std::string key;
      std::optional<std::string> value;
      bool large;
    };
    std::map<std::uint64_t, std::vector<Put>> open;
    State state;
    auto read = db().read_log(from, [&](const LogEntry& entry) {
      if (entry.lsn >= position) return false;
      auto& mine = open[entry.transaction.value];
      switch (entry.kind) {
        case LogEntry::Kind::put:
          mine.push_back({entry.tree.value, std::string(entry.key), std::string(entry.value), entry.out_of_line});
          break;
        case LogEntry::Kind::erase: mine.push_back({entry.tree.value, std::string(entry.key), std::nullopt, false}); break;
        case LogEntry::Kind::commit:
          for (Put& put : mine) {
            auto& table = state[names.at(put.tree)];
            table.erase(put.key);
            if (put.value) table.emplace(put.key, put.large ? "(large)" : *put.value);
          }
          open.erase(entry.transaction.value);
          break;
        case LogEntry::Kind::abort: open.erase(entry.transaction.value); break;
        case LogEntry::Kind::prepare: break;
      }
      return true;
    });
    EXPECT_OK(read);
    for (auto& [name, table] : state)
      for (auto& [key, value] : table) {
        if (value != "(large)") continue;
        unsigned long long seed = 0, bytes = 0;
        EXPECT_EQ(std::sscanf(table.at(key + ".of").c_str(), "%llu %llu", &seed, &bytes), 2);
        value = noise(bytes, seed);
      }
    return state;
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
  std::map<std::uint32_t, std::string> names;
  auto tables = db().tables();
  ASSERT_OK(tables);
  for (const TableInfo& one : *tables) names.emplace(one.tree.value, one.name);
  for (int i = 0; i < backups; ++i) {
    SCOPED_TRACE(fmt::format("backup {} up to {}", i, reports[static_cast<std::size_t>(i)].position.value));
    const State found = restored(i);
    State expected = replay(from, reports[static_cast<std::size_t>(i)].position, names);
    for (const auto& [name, records] : found)
      if (records.empty()) expected[name];  // the log that is read tells of records, not of tables
    expect_equal(found, expected);
  }
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

// --- damage ---

class DamagedBackupTest : public BackupTest {
 protected:
  static constexpr std::size_t block = 64_KiB;

  void SetUp() override {
    BackupTest::SetUp();
    const Table where = table();
    fill(where, 500, 300);
    put(where, "large", noise(100'000, 3));
    backup();
    good_ = bytes_of(file());
    put(where, "large", noise(100'000, 4));
    backup(1);
    ASSERT_EQ(good_.size() % block, 0u);
    ASSERT_GE(good_.size() / block, 5u);
  }
  static std::string bytes_of(const std::string& name) {
    std::ifstream in(name, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  }
  std::string damaged() const { return folder() + "/damaged"; }
  Error refusal(const std::string& bytes) {
    std::ofstream(damaged(), std::ios::binary | std::ios::trunc) << bytes;
    auto checked = check_backup(damaged());
    EXPECT_FALSE(checked);
    if (checked) return Error(ErrorCode::busy, "it was not refused");
    EXPECT_NE(checked.error().details().find(damaged()), std::string_view::npos) << checked.error().message();
    return checked.error();
  }
  void expect_refused(const std::string& bytes, ErrorCode code, std::string_view told) {
    const Error error = refusal(bytes);
    EXPECT_EQ(error.code(), code) << error.message();
    EXPECT_NE(error.details().find(told), std::string_view::npos) << error.message();
  }
  void expect_not_restored(ErrorCode code) {
    auto done = restore_backup(damaged(), folder() + "/restored", options);
    EXPECT_EQ(code_of(done), code);
    expect_nothing_restored();
  }

  std::string good_;
};

TEST_F(DamagedBackupTest, EveryByteOfEveryBlockIsCovered) {
  const std::size_t step = scaled(997, 9973);
  for (std::size_t at = 0; at < good_.size(); at += at % block < 80 ? 1 : std::min(step, block - at % block)) {
    std::string bytes = good_;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
    const Error error = refusal(bytes);
    if (at < 8) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument) << "byte " << at << ": " << error.message();
    } else if (at >= 36 && at < 40) {
      EXPECT_EQ(error.code(), ErrorCode::version_mismatch) << "byte " << at << ": " << error.message();
    } else {
      EXPECT_EQ(error.code(), ErrorCode::corruption) << "byte " << at << ": " << error.message();
      EXPECT_NE(error.details().find(fmt::format("block {} of {}", at / block, good_.size() / block)), std::string_view::npos)
          << "byte " << at << ": " << error.message();
    }
    if (HasFailure()) return;
  }
  std::string bytes = good_;
  bytes[bytes.size() - block - 1] ^= 1;
  expect_refused(bytes, ErrorCode::corruption, "damaged");
  expect_not_restored(ErrorCode::corruption);
}

TEST_F(DamagedBackupTest, OneThatIsCutOffIsNamedSo) {
  for (std::size_t bytes = block; bytes < good_.size(); bytes += block) {
    expect_refused(good_.substr(0, bytes), ErrorCode::corruption, "cut off");
    expect_not_restored(ErrorCode::corruption);
    for (const std::size_t odd : {bytes - 1, bytes + 1, bytes + 4096}) {
      expect_refused(good_.substr(0, odd), ErrorCode::corruption, "cut off");
      expect_not_restored(ErrorCode::corruption);
    }
  }
  for (const std::size_t bytes : {0, 1, 7}) expect_refused(good_.substr(0, bytes), ErrorCode::invalid_argument, "no backup");
  expect_refused(good_.substr(0, 8), ErrorCode::version_mismatch, "version 0");
}

TEST_F(DamagedBackupTest, BlocksOfElsewhereAreNamed) {
  const std::string other = bytes_of(file(1));
  const auto with = [&](std::size_t at, const std::string& from, std::size_t number) {
    return std::string(good_).replace(at * block, block, from, number * block, block);
  };
  expect_refused(with(2, other, 2), ErrorCode::corruption, "block 2 of");
  expect_refused(with(2, other, 2), ErrorCode::corruption, "another backup");
  expect_refused(with(2, good_, 3), ErrorCode::corruption, "out of place");
  expect_not_restored(ErrorCode::corruption);
  expect_refused(with(0, good_, 1), ErrorCode::version_mismatch, "version");  // another block's bytes are no version
  expect_refused(good_ + good_.substr(0, block), ErrorCode::corruption, "others follow");
  expect_refused(good_ + std::string(block, '\0'), ErrorCode::corruption, "others follow");
  expect_refused(good_ + "x", ErrorCode::corruption, "cut off");
  std::string twice = good_;
  twice.insert(3 * block, good_, 2 * block, block);
  expect_refused(twice, ErrorCode::corruption, "out of place");
  std::string missing = good_;
  missing.erase(2 * block, block);
  expect_refused(missing, ErrorCode::corruption, "out of place");
}

TEST_F(DamagedBackupTest, OtherFilesAndVersionsAreNamed) {
  expect_refused(std::string(block * 3, '\0'), ErrorCode::invalid_argument, "no backup");
  expect_refused("{\"key\":\"a\",\"value\":\"1\"}\n", ErrorCode::invalid_argument, "no backup");
  expect_not_restored(ErrorCode::invalid_argument);
  expect_refused(bytes_of(path() + "/superblock") + std::string(block, 'x'), ErrorCode::invalid_argument, "no backup");
  std::string bytes = good_;
  bytes[36] = 2;
  expect_refused(bytes, ErrorCode::version_mismatch, "version 2");
  expect_not_restored(ErrorCode::version_mismatch);
  EXPECT_FALSE(check_backup(folder()));
}

}  // namespace
}  // namespace plimsoll
