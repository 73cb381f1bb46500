// A stress run: threads do random transactions on one store, each on its own range of keys against an exact model of it, and all of
// them on shared accounts whose sum never changes. In between the store verifies itself, and it is closed and opened again.
//
// What is checked, at every step: each get, cursor walk, count and erase answers what the model says, own writes included;
// savepoints and aborts bring back exactly the model's state; a snapshot of the accounts always adds up; verify() finds no problem;
// after reopening everything committed is there and nothing else.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "plimsoll/plimsoll.hpp"

namespace plimsoll::bench {

struct StressSettings {
  unsigned threads = 2;
  double seconds = 10;
  double seconds_per_open = 5;  // the store is closed, opened and verified after each such round
  std::uint64_t keys_per_thread = 2000;
  std::size_t value_bytes_max = 600;  // now and then 40 times as large, so that values lie out of line
  std::size_t memory_budget = 64_MiB;
  std::size_t page_size = 8_KiB;
  Isolation isolation = Isolation::snapshot;
  Durability durability = Durability::relaxed;
  std::uint64_t seed = 1;
  std::string path;
  // For the tests of the checks: changes the store behind the models' back, after the first round.
  std::function<Result<void>(Database&, Table rows, Table accounts)> sabotage{};
};

struct StressTotals {
  std::uint64_t transactions = 0;
  std::uint64_t operations = 0;
  std::uint64_t checks = 0;
  std::uint64_t commits = 0;
  std::uint64_t aborts = 0;     // chosen
  std::uint64_t conflicts = 0;  // retryable errors
  std::uint64_t opens = 0;

  void add(const StressTotals& other);
};

using Model = std::map<std::string, std::string, std::less<>>;

// One thread's part; used by that thread alone. Errors: corruption when an answer contradicts the model, or what the store says.
class StressThread {
 public:
  StressThread(const StressSettings& settings, unsigned number, std::uint64_t seed);
  ~StressThread();
  StressThread(StressThread&&) noexcept;

  void attach(Database& database, Table rows, Table accounts);
  Result<void> step();         // one transaction
  Result<void> compare_all();  // the whole own range against the model, and the sum of the accounts
  const StressTotals& totals() const;

  static constexpr std::uint64_t accounts = 64;
  static constexpr std::int64_t first_balance = 1000;
  static std::string account_key(std::uint64_t number);
  static std::string account_value(std::int64_t balance);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// The whole run. The first wrong answer ends it with an error that names the seed.
Result<StressTotals> run_stress(const StressSettings& settings);

}  // namespace plimsoll::bench
