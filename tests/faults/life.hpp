// A store on the simulated file system, what it must hold, and what the accounts of its memory say: what the scenarios of
// memory_faults_test work with. One thread.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "db/environment.hpp"
#include "io/simulation/simulated_file_system.hpp"
#include "model/reference.hpp"
#include "model/simulated_store.hpp"
#include "plimsoll/plimsoll.hpp"

namespace plimsoll::test {

inline std::string key_of(int n) { return fmt::format("k{:05}", n); }
inline std::string small_value(int n) {
  return std::string(static_cast<std::size_t>(40 + n * 37 % 300), static_cast<char>('a' + n % 26));
}
inline std::string large_value(int n, std::size_t bytes = 70'000) {
  std::string value(bytes, static_cast<char>('A' + n % 26));
  for (std::size_t i = 0; i < value.size(); i += 1000) value[i] = static_cast<char>('0' + i / 1000 % 10);
  return value;
}

// Ways out of a scenario: the error, passed on.
#define TRY(expression)                                                                           \
  do {                                                                                            \
    if (const auto& outcome_ = (expression); !outcome_) return std::unexpected(outcome_.error()); \
  } while (false)

class Life {
 public:
  using Accounts = std::map<std::string, std::uint64_t>;
  static constexpr int small_records = 300, large_records = 3;
  static constexpr std::size_t memory_budget = 20_MiB;

  Life() : disk_(std::make_unique<io::simulation::SimulatedFileSystem>()) {}

  Options options() {
    Options how = tiny_store(environment_);
    how.memory_budget = memory_budget;
    how.memory_deadline = std::chrono::milliseconds(0);
    how.log_bytes_max = 4_MiB;
    return how;
  }
  Result<void> try_open() {
    environment_ = {disk_.get(), &time_, 7};
    auto opened = Database::open(store_path, options());
    if (!opened) return std::unexpected(opened.error());
    db_.emplace(std::move(*opened));
    return {};
  }
  void open() {
    const auto opened = try_open();
    ASSERT_TRUE(opened) << opened.error().message();
  }
  void drop_handle() { db_.reset(); }  // closes
  bool is_open() const { return db_.has_value(); }
  Database& db() { return *db_; }

  // The records that every scenario finds.
  void populate() {
    auto opened = db().open_table("t", {.create_if_missing = true});
    ASSERT_TRUE(opened);
    table = *opened;
    must.tables["t"];
    const auto filled = in_transaction({}, [&](Transaction& tx, std::vector<Change>& changes) -> Result<void> {
      for (int n = 0; n < small_records; ++n) TRY(put(tx, changes, key_of(n), small_value(n)));
      for (int n = 0; n < large_records; ++n) TRY(put(tx, changes, "large" + key_of(n), large_value(n)));
      return {};
    });
    ASSERT_TRUE(filled) << filled.error().message();
  }

  Result<void> put(Transaction& tx, std::vector<Change>& changes, const std::string& key, const std::string& value) {
    TRY(tx.put(table, key, value));
    changes.push_back({"t", key, value});
    return {};
  }

  // Commits, or aborts when something fails; the abort must succeed, whatever else fails meanwhile.
  template <class Body>
  Result<void> in_transaction(const TransactionOptions& how, const Body& body) {
    auto tx = db().begin(how);
    if (!tx) return std::unexpected(tx.error());
    std::vector<Change> changes;
    Result<void> done = body(*tx, changes);
    if (done) done = tx->commit();
    if (done) {
      must.apply(changes);
      return {};
    }
    abort(*tx);
    return done;
  }
  void abort(Transaction& tx) {
    if (!tx.active()) return;
    const auto aborted = tx.abort();
    EXPECT_TRUE(aborted) << "an abort that failed: " << aborted.error().message();
  }

  // The disk as it would be after a power failure now; this store goes on with it, closed.
  void crash(Random& random) {
    auto after = disk_->crash_copy(random);
    db_.reset();
    disk_ = std::move(after);
  }
  std::unique_ptr<io::simulation::SimulatedFileSystem> copy_disk() {
    Random random(1);
    return disk_->crash_copy(random);
  }
  void use_disk(std::unique_ptr<io::simulation::SimulatedFileSystem> disk) { disk_ = std::move(disk); }

  // After a scenario, when nothing fails any more. Empty, or what is wrong.
  std::string examine() {
    auto found = read_state(db());
    if (!found) return "reading everything: " + found.error().message();
    if (*found != must) return difference(must, *found);
    const auto is_prepared = [&](const ContextInfo& one) {
      const auto all = db().prepared();
      return std::any_of(all.begin(), all.end(), [&](const TransactionInfo& info) { return info.id == one.owner; });
    };
    for (const ContextInfo& one : db().memory_contexts())
      if (!one.resting && !is_prepared(one))
        return fmt::format("context {} of transaction {} is in use: {} bytes", one.label, one.owner.value, one.bytes);
    if (!db().transactions().empty() && must.prepared.empty()) return "a transaction is left";
    return problems(db());
  }

  // Every leaf's bytes, when the background has nothing to do and what can be given back was; without the pages of the pool, which
  // may be any number. Below its floor an account keeps what nobody else may have: that is no difference.
  Accounts accounts() {
    for (int round = 0; round < 50 && db().run_background(); ++round) {}
    db().release_memory(~std::size_t{0});
    Accounts all;
    for (const AccountStats& one : db().statistics().accounts)
      if (one.leaf && one.name != "frames") all[one.name] = std::max(one.used_bytes, one.floor_bytes);
    return all;
  }
  static std::string difference_of(const Accounts& before, const Accounts& after) {
    std::string text;
    for (const auto& [name, bytes] : after)
      if (bytes != before.at(name)) text += fmt::format("{}: {} bytes instead of {}; ", name, bytes, before.at(name));
    return text;
  }

  State must;
  Table table;

 private:
  std::unique_ptr<io::simulation::SimulatedFileSystem> disk_;
  SteppingTime time_;
  Environment environment_;
  std::optional<Database> db_;
};

}  // namespace plimsoll::test
