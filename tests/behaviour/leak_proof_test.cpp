// Ten million transactions of every kind and every end, by threads that get in each other's way: when they are gone, every account
// of the budget holds what it held at the start. How often each kind of end was met is printed; none may be missing.
// ctest-labels: medium asan tsan
// ctest-timeout: 1800
#include <array>
#include <deque>

#include "base/random.hpp"
#include "behaviour/support.hpp"
#include "sanitized.hpp"

namespace plimsoll {
namespace {

using namespace std::chrono_literals;

enum class End : std::uint8_t {
  committed,
  committed_read,
  committed_async,
  aborted,
  dropped,
  rolled_back,
  key_exists,
  key_missing,
  conflict,
  lock_timeout,
  deadline,
  killed,
  memory_cap,
  written_cap,
  value_outlived,
  cursor_outlived,
  stream_abandoned,
  large_committed,
  prepared_committed,
  prepared_aborted,
  prepared_dropped
};
constexpr const char* end_names[] = {
    "committed",          "committed_read",   "committed_async", "aborted",         "dropped",          "rolled_back",
    "key_exists",         "key_missing",      "conflict",        "lock_timeout",    "deadline",         "killed",
    "memory_cap",         "written_cap",      "value_outlived",  "cursor_outlived", "stream_abandoned", "large_committed",
    "prepared_committed", "prepared_aborted", "prepared_dropped"};
constexpr std::size_t end_count = std::size(end_names);
static_assert(end_count == static_cast<std::size_t>(End::prepared_dropped) + 1);

constexpr std::uint64_t keys = 2000, hot_keys = 4;
constexpr TransactionOptions quick{.durability = Durability::relaxed, .lock_deadline = 0ms};

// One thread's share of the transactions.
class Worker {
 public:
  Worker(Database& db, Table where, std::uint64_t seed) : db_(db), where_(where), number_(seed), random_(seed) {}

  void run(std::uint64_t count) {
    for (std::uint64_t i = 0; i < count && !::testing::Test::HasFatalFailure(); ++i) one(random_.below(100'000));
    outlived_.clear();
    cursors_.clear();
  }
  const std::array<std::uint64_t, end_count>& ends() const { return ends_; }

 private:
  // The rare kinds cost time: files are written, or somebody waits.
  void one(std::uint64_t dice) {
    if (dice < 10) return wait_for_a_lock();
    if (dice < 15) return let_the_deadline_pass();
    if (dice < 40) return write_large(dice % 2 == 0);
    if (dice < 140) return prepare(dice % 4);
    if (dice < 1'000) return kill();
    if (dice < 3'000) return reach_a_cap(dice % 2 == 0);
    if (dice < 6'000) return outlive(dice % 2 == 0);
    if (dice < 10'000) return read_all();
    if (dice < 15'000) return roll_back();
    if (dice < 25'000) return refuse(dice % 2 == 0);
    if (dice < 35'000) return fight();
    if (dice < 55'000) return read();
    update(dice);
  }

  void note(End end) { ++ends_[static_cast<std::size_t>(end)]; }
  std::string key() { return key_of(random_.below(keys)); }
  Transaction begin(const TransactionOptions& how = quick) {
    auto begun = db_.begin(how);
    EXPECT_OK(begun);
    return begun ? std::move(*begun) : Transaction{};
  }
  // Others write, too: what is refused for their sake is noted, and the transaction goes.
  bool went(const Result<void>& outcome) {
    if (outcome) return true;
    const ErrorCode code = outcome.error().code();
    EXPECT_TRUE(code == ErrorCode::lock_timeout || code == ErrorCode::conflict || code == ErrorCode::deadlock)
        << outcome.error().message();
    note(code == ErrorCode::lock_timeout ? End::lock_timeout : End::conflict);
    return false;
  }
  bool put(Transaction& tx, const std::string& at, std::size_t bytes = 40) {
    return went(tx.put(where_, at, {filler_.data(), bytes}));
  }

  void update(std::uint64_t dice) {
    auto tx = begin();
    for (std::uint64_t n = 0; n <= dice % 3; ++n)
      if (!put(tx, key(), random_.below(200))) return;
    const std::uint64_t end = random_.below(20);
    if (end == 0) return note(End::dropped);
    if (end == 1) {
      EXPECT_OK(tx.abort());
      return note(End::aborted);
    }
    if (end == 2) {
      EXPECT_OK(tx.commit_async([](void*, Result<void>) {}, nullptr));
      return note(End::committed_async);
    }
    EXPECT_OK(tx.commit());
    note(End::committed);
  }
  void read() {
    auto tx = begin({.read_only = true});
    const auto found = tx.get(where_, key());
    EXPECT_OK(found);
    EXPECT_OK(tx.commit());
    note(End::committed_read);
  }
  void read_all() {
    auto tx = begin({.read_only = true});
    const std::string from = key();
    auto cursor = tx.cursor(where_, {.from = from}, Direction::forward);
    ASSERT_OK(cursor);
    for (int i = 0; i < 10; ++i) {
      const auto more = cursor->next();
      ASSERT_OK(more);
      if (!*more) break;
    }
    if (random_.below(2) != 0) return note(End::dropped);
    EXPECT_OK(tx.commit());
    note(End::committed_read);
  }
  void fight() {
    auto tx = begin();
    for (std::uint64_t n = 0; n < hot_keys; ++n)
      if (!put(tx, key_of(random_.below(hot_keys)))) return;
    EXPECT_OK(tx.commit());
    note(End::committed);
  }
  void roll_back() {
    auto tx = begin();
    const auto point = tx.savepoint();
    ASSERT_OK(point);
    if (!put(tx, key()) || !put(tx, key())) return;
    EXPECT_OK(tx.rollback_to(*point));
    if (!put(tx, key())) return;
    EXPECT_OK(tx.commit());
    note(End::rolled_back);
  }
  void refuse(bool exists) {
    auto tx = begin();
    if (exists) {
      const auto outcome = tx.insert(where_, key(), "twice");
      if (outcome || outcome.error().code() != ErrorCode::already_exists) return static_cast<void>(went(outcome));
      note(End::key_exists);
    } else {
      EXPECT_CODE(tx.update(where_, "nowhere", "x"), not_found);
      note(End::key_missing);
    }
    EXPECT_OK(tx.commit());
  }
  void outlive(bool value) {
    auto tx = begin({.read_only = true});
    if (value) {
      auto found = tx.get(where_, key());
      ASSERT_OK(found);
      if (outlived_.size() > 100) outlived_.clear();
      if (*found) outlived_.push_back(std::move(**found));
      note(End::value_outlived);
    } else {
      auto cursor = tx.cursor(where_, {}, Direction::backward);
      ASSERT_OK(cursor);
      ASSERT_OK(cursor->next());
      if (cursors_.size() > 100) cursors_.clear();
      cursors_.push_back(std::move(*cursor));
      note(End::cursor_outlived);
    }
    if (random_.below(2) == 0) EXPECT_OK(tx.commit());
  }
  void reach_a_cap(bool of_memory) {
    constexpr std::size_t cap = 16u << 10;
    TransactionOptions how = quick;
    (of_memory ? how.memory_bytes_max : how.written_bytes_max) = cap;
    auto tx = begin(how);
    if (of_memory) {
      EXPECT_CODE(tx.allocate(cap), memory_budget_exceeded);
      return note(End::memory_cap);
    }
    for (std::size_t written = 0;; written += 1000) {
      const auto outcome = tx.put(where_, key(), {filler_.data(), 1000});
      if (outcome) continue;
      if (outcome.error().code() != ErrorCode::memory_budget_exceeded) return static_cast<void>(went(outcome));
      EXPECT_GT(written, cap / 2);
      return note(End::written_cap);
    }
  }
  void kill() {
    auto tx = begin();
    if (!put(tx, key())) return;
    EXPECT_OK(db_.kill(tx.id()));
    EXPECT_CODE(tx.get(where_, "k"), transaction_timeout);
    note(End::killed);
  }
  void let_the_deadline_pass() {
    auto tx = begin({.durability = Durability::relaxed, .deadline = 1ms, .lock_deadline = 0ms});
    if (!put(tx, key())) return;
    while (tx.active()) std::this_thread::sleep_for(1ms);
    EXPECT_CODE(tx.get(where_, "k"), transaction_timeout);
    note(End::deadline);
  }
  void wait_for_a_lock() {
    auto holder = begin();
    const std::string at = key();
    if (!put(holder, at)) return;
    auto tx = begin({.durability = Durability::relaxed, .lock_deadline = 1ms});
    EXPECT_FALSE(put(tx, at));
  }
  void write_large(bool commits) {
    auto tx = begin();
    auto writer = tx.open_writer(where_, "large" + std::to_string(number_));
    ASSERT_OK(writer);
    for (int i = 0; i < 4; ++i) ASSERT_OK(writer->write({filler_.data(), filler_.size()}));
    if (!commits) return note(End::stream_abandoned);
    ASSERT_OK(writer->finish());
    EXPECT_OK(tx.commit());
    note(End::large_committed);
  }
  void prepare(std::uint64_t how) {
    auto tx = begin();
    if (!put(tx, key())) return;
    const std::string id = "global " + std::to_string(number_);
    ASSERT_OK(tx.prepare(id));
    if (how == 0) {
      EXPECT_OK(db_.abort_prepared(id));
      return note(End::prepared_aborted);
    }
    if (how == 1) {
      { const Transaction gone = std::move(tx); }
      note(End::prepared_dropped);
    }
    EXPECT_OK(db_.commit_prepared(id));
    note(End::prepared_committed);
  }

  Database& db_;
  const Table where_;
  const std::uint64_t number_;
  Random random_;
  const std::string filler_ = noise(20'000, 1);
  std::vector<Value> outlived_;
  std::vector<Cursor> cursors_;
  std::array<std::uint64_t, end_count> ends_{};
};

class LeakProof : public StoreTest {
 protected:
  static constexpr std::uint64_t transactions = sanitized ? 1'000'000 : 10'000'000;
  static constexpr unsigned workers = 2;

  std::map<std::string, std::uint64_t> accounts() {
    settle();
    static_cast<void>(db().release_memory(options.memory_budget));  // what caches keep is not held for anybody
    settle();
    std::map<std::string, std::uint64_t> all;
    for (const AccountStats& one : db().statistics().accounts) all[one.name] = one.used_bytes;
    return all;
  }
  std::array<std::uint64_t, end_count> work(Table where, std::uint64_t count, std::uint64_t seed) {
    std::deque<Worker> all;
    for (unsigned i = 0; i < workers; ++i) all.emplace_back(db(), where, seed + i);
    std::vector<std::thread> threads;
    for (Worker& worker : all) threads.emplace_back([&worker, count] { worker.run(count / workers); });
    for (std::thread& thread : threads) thread.join();
    std::array<std::uint64_t, end_count> sum{};
    for (const Worker& worker : all)
      for (std::size_t i = 0; i < end_count; ++i) sum[i] += worker.ends()[i];
    return sum;
  }
};

TEST_F(LeakProof, EveryAccountEndsWhereItBegan) {
  const Table where = table();
  fill(where, keys, 100);
  const std::uint64_t count = scaled(transactions, 20'000);
  work(where, std::min<std::uint64_t>(count, 200'000), 100);  // what is made once has been made
  const auto before = accounts();
  const auto ends = work(where, count, 1);
  const auto after = accounts();
  for (const auto& [name, bytes] : before) {
    if (name == "frames" || name == "store") {
      EXPECT_LE(after.at(name), bytes) << name;
    } else {
      EXPECT_EQ(after.at(name), bytes) << name;
    }
  }
  EXPECT_EQ(gauge("active_transactions"), 0u);
  for (const ContextInfo& one : db().memory_contexts()) EXPECT_TRUE(one.resting) << one.label << " is still in use";
  std::printf("%llu transactions:", static_cast<unsigned long long>(count));
  for (std::size_t i = 0; i < end_count; ++i) {
    std::printf(" %s %llu", end_names[i], static_cast<unsigned long long>(ends[i]));
    EXPECT_TRUE(ends[i] != 0 || count < transactions / 10) << end_names[i] << " never happened";
  }
  std::printf("\n");
}

}  // namespace
}  // namespace plimsoll
