// A client of the hostile stress run: one thread, its own keys, and what they must hold. Every value is a function of seed, key and
// generation, so that all a client remembers is a generation a key; a value of any size proves itself.
//
// Roles: an updater changes a few keys a transaction, with sizes that drift; a holder keeps values until memory is refused or its
// share is full; a pinner keeps a snapshot while it goes on updating and reads it again at the end; a giant writes many times the
// budget in one transaction. When it is calm, all of them are updaters.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "plimsoll/plimsoll.hpp"

namespace plimsoll::bench {

enum class HostileRole : std::uint8_t { updater, holder, pinner, giant };

// Shared by all clients; changed by the run while they work.
struct HostileStage {
  std::atomic<bool> calm{true}, stop{false};
  std::size_t memory_budget = 0;
  std::uint64_t seed = 1;
  std::uint64_t keys_per_client = 0;
  double giant_budgets = 100;  // what a giant writes, in budgets
  double held_share = 0.25;    // of the budget: the most that all holders together keep
  unsigned holders = 1;
  bool hostile() const { return !calm.load(std::memory_order_relaxed) && !stop.load(std::memory_order_relaxed); }
};

struct HostileTotals {
  std::uint64_t transactions = 0, commits = 0;
  std::uint64_t refused = 0;      // memory_budget_exceeded, at any call
  std::uint64_t retried = 0;      // any other retryable error
  std::uint64_t checked = 0;      // values compared
  std::uint64_t pinned = 0;       // snapshots read a second time, long after they were taken
  std::uint64_t held_peak = 0;    // most bytes that a holder held
  std::uint64_t giant_bytes = 0;  // most that one giant wrote
  std::uint64_t giants_committed = 0, giants_aborted = 0;
  std::uint64_t wrong = 0;

  void add(const HostileTotals& other);
};

class HostileClient {
 public:
  HostileClient(const HostileStage& stage, unsigned number, HostileRole role);

  Result<void> load(Database& database, Table table);  // every key at generation 1
  void attach(Database& database, Table table);
  // One transaction, or a few. Errors: what no client may meet. Wrong answers are counted, and the first is described.
  Result<void> step();
  Result<void> check_all();  // every own key
  const HostileTotals& totals() const { return totals_; }
  std::uint64_t commits_now() const { return commits_.load(std::memory_order_relaxed); }          // from any thread
  std::uint64_t giant_bytes_now() const { return giant_bytes_.load(std::memory_order_relaxed); }  // from any thread
  const std::string& complaint() const { return complaint_; }

 private:
  std::uint64_t first_key() const { return std::uint64_t{number_} << 32; }
  std::uint64_t random_key() { return first_key() + random_.below(generations_.size()); }
  std::uint64_t key_to_update();
  std::uint32_t& generation(std::uint64_t key) { return generations_[key - first_key()]; }
  void expect(std::uint64_t key, std::uint32_t generation, const std::optional<Value>& found);
  void expect(std::uint64_t key, std::uint32_t generation, Bytes found);
  void wrong(std::string what);
  bool passing(const Error& error);
  Result<void> put(Transaction& tx, std::uint64_t key, std::uint32_t generation);
  Result<void> update();
  Result<void> scan();
  Result<void> hold();
  Result<void> pin();
  Result<void> giant();
  std::uint64_t large_key(std::uint64_t n) const;
  void committed();

  const HostileStage& stage_;
  const unsigned number_;
  const HostileRole role_;
  Random random_;
  Database* database_ = nullptr;
  Table table_{};
  std::vector<std::uint32_t> generations_;
  HostileTotals totals_;
  std::atomic<std::uint64_t> commits_{0}, giant_bytes_{0};
  std::string complaint_;
};

}  // namespace plimsoll::bench
