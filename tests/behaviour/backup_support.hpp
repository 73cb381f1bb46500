// What the tests of backups share: the content of a store, and a store whose backups are restored and compared.
#pragma once

#include <fmt/format.h>

#include <map>
#include <set>

#include "behaviour/support.hpp"

namespace plimsoll {

using State = std::map<std::string, std::map<std::string, std::string>>;  // by table

inline std::string read_whole(Transaction& tx, Table table, Bytes key) {
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

inline State state_of(Database& db) {
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

inline void expect_equal(const State& found, const State& expected) {
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

class StoreWithBackups : public StoreTest {
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
};

}  // namespace plimsoll
