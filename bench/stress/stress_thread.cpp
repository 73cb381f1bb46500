// One stress thread: random transactions on its own keys against a std::map, transfers between shared accounts, and sums over them.
#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/check.hpp"
#include "base/fail.hpp"
#include "base/random.hpp"
#include "bench/stress/stress_run.hpp"

namespace plimsoll::bench {

void StressTotals::add(const StressTotals& other) {
  transactions += other.transactions;
  operations += other.operations;
  checks += other.checks;
  commits += other.commits;
  aborts += other.aborts;
  conflicts += other.conflicts;
  opens += other.opens;
}

class StressThread::Impl {
 public:
  Impl(const StressSettings& settings, unsigned number, std::uint64_t seed)
      : settings_(settings), prefix_(fmt::format("t{:04}/", number)), prefix_end_(fmt::format("t{:04}0", number)), random_(seed) {}

  void attach(Database& database, Table rows, Table accounts_table) {
    database_ = &database;
    rows_ = rows;
    accounts_ = accounts_table;
  }
  Result<void> step();
  Result<void> compare_all();
  const StressTotals& totals() const { return totals_; }

 private:
  Result<void> own_transaction();
  Result<void> own_operations(Transaction& transaction);
  Result<void> one_operation(Transaction& transaction);
  Result<void> write(Transaction& transaction);
  Result<void> erase_some(Transaction& transaction);
  Result<void> check_get(Transaction& transaction);
  Result<void> check_walk(Transaction& transaction);
  Result<void> expect_row(Transaction& transaction, const Cursor& cursor, std::string_view key, std::string_view value);
  Result<void> savepoint_excursion(Transaction& transaction);
  Result<void> transfer();
  Result<void> check_sum();
  Result<std::int64_t> balance(Transaction& transaction, std::uint64_t number, bool to_update);

  TransactionOptions options(bool read_only) const {
    TransactionOptions made;
    made.isolation = settings_.isolation;
    made.durability = settings_.durability;
    made.read_only = read_only;
    return made;
  }
  // Every comparison goes through here, so that a wrong answer names the seed that brings it back.
  Result<void> expect(bool holds, std::string_view what, std::string_view key) {
    ++totals_.checks;
    if (holds) return {};
    return fail(ErrorCode::corruption, "seed {}: {}, key {}", settings_.seed, what, key);
  }
  std::string random_key() { return fmt::format("{}{:08}", prefix_, random_.below(settings_.keys_per_thread)); }
  std::string random_value();
  Range own_range() const { return {prefix_, prefix_end_}; }

  const StressSettings& settings_;
  std::string prefix_;
  std::string prefix_end_;  // '0' follows '/'
  Random random_;
  Database* database_ = nullptr;
  Table rows_;
  Table accounts_;
  Model committed_;
  Model pending_;  // the committed one with the running transaction's writes
  StressTotals totals_;
};

std::string StressThread::Impl::random_value() {
  std::uint64_t bytes = random_.below(settings_.value_bytes_max + 1);
  if (random_.one_in(64)) bytes *= 40;
  std::string value(bytes, '\0');
  Random stream(random_.next());
  for (char& c : value) c = static_cast<char>(stream.next());
  return value;
}

Result<void> StressThread::Impl::step() {
  ++totals_.transactions;
  const std::uint64_t kind = random_.below(10);
  Result<void> done = kind < 7 ? own_transaction() : kind < 9 ? transfer() : check_sum();
  if (done || !is_retryable(done.error().code())) return done;
  ++totals_.conflicts;
  return {};
}

Result<void> StressThread::Impl::own_transaction() {
  PLIMSOLL_ASSIGN(Transaction transaction, database_->begin(options(false)));
  pending_ = committed_;
  PLIMSOLL_TRY(own_operations(transaction));
  if (random_.one_in(5)) {
    PLIMSOLL_TRY(transaction.abort());
    ++totals_.aborts;
    return {};
  }
  PLIMSOLL_TRY(transaction.commit());
  committed_ = std::move(pending_);
  ++totals_.commits;
  return {};
}

Result<void> StressThread::Impl::own_operations(Transaction& transaction) {
  const std::uint64_t operations = 1 + random_.below(random_.one_in(20) ? 200 : 12);
  for (std::uint64_t i = 0; i < operations; ++i) {
    PLIMSOLL_TRY(random_.one_in(16) ? savepoint_excursion(transaction) : one_operation(transaction));
  }
  return {};
}

Result<void> StressThread::Impl::one_operation(Transaction& transaction) {
  ++totals_.operations;
  const std::uint64_t kind = random_.below(20);
  if (kind < 9) return write(transaction);
  if (kind < 11) return erase_some(transaction);
  if (kind < 18) return check_get(transaction);
  return check_walk(transaction);
}

// put, insert and update, the latter two refused exactly when the model says so.
Result<void> StressThread::Impl::write(Transaction& transaction) {
  const std::string key = random_key();
  const std::string value = random_value();
  const bool present = pending_.contains(key);
  const std::uint64_t kind = random_.below(3);
  const Result<void> done = kind == 0   ? transaction.put(rows_, key, value)
                            : kind == 1 ? transaction.insert(rows_, key, value)
                                        : transaction.update(rows_, key, value);
  const bool must_work = kind == 0 || (kind == 1) != present;
  if (!done) {
    if (must_work) return done;
    const ErrorCode expected = present ? ErrorCode::already_exists : ErrorCode::not_found;
    return done.error().code() == expected ? expect(true, "", key) : done;
  }
  PLIMSOLL_TRY(expect(must_work, "a write was accepted that had to be refused", key));
  pending_.insert_or_assign(key, value);
  return {};
}

Result<void> StressThread::Impl::erase_some(Transaction& transaction) {
  if (!random_.one_in(8)) {
    const std::string key = random_key();
    PLIMSOLL_ASSIGN(const bool erased, transaction.erase(rows_, key));
    return expect(erased == (pending_.erase(key) > 0), "erase told wrongly whether the key was there", key);
  }
  std::string from = random_key();
  std::string to = random_key();
  if (to < from) std::swap(from, to);
  PLIMSOLL_ASSIGN(const std::uint64_t erased, transaction.erase_range(rows_, {from, to}));
  const auto begin = pending_.lower_bound(from);
  const auto end = pending_.lower_bound(to);
  const auto expected = static_cast<std::uint64_t>(std::distance(begin, end));
  pending_.erase(begin, end);
  return expect(erased == expected, "erase_range erased another number of rows", from);
}

Result<void> StressThread::Impl::check_get(Transaction& transaction) {
  const std::string key = random_key();
  const auto at = pending_.find(key);
  PLIMSOLL_ASSIGN(const std::optional<Value> value,
                  random_.one_in(8) ? transaction.get_for_update(rows_, key) : transaction.get(rows_, key));
  if (at == pending_.end()) return expect(!value, "a row is there that was never written or was erased", key);
  return expect(value && value->bytes() == at->second, "get answered another value", key);
}

// The row under the cursor. A large value is not handed out by cursors: it is read by its key.
Result<void> StressThread::Impl::expect_row(Transaction& transaction, const Cursor& cursor, std::string_view key,
                                            std::string_view value) {
  PLIMSOLL_TRY(expect(cursor.key() == key, "a cursor stands on another row", key));
  if (!cursor.large()) return expect(cursor.value() == value, "a cursor shows another value", key);
  PLIMSOLL_ASSIGN(const std::optional<Value> whole, transaction.get(rows_, key));
  return expect(whole && whole->bytes() == value, "a large value is another one", key);
}

// A cursor over a part of the own range, either way, and count over the same part.
Result<void> StressThread::Impl::check_walk(Transaction& transaction) {
  std::string from = random_key();
  std::string to = random_key();
  if (to < from) std::swap(from, to);
  const auto begin = pending_.lower_bound(from);
  const auto end = pending_.lower_bound(to);
  const bool forward = random_.one_in(2);
  PLIMSOLL_ASSIGN(Cursor cursor, transaction.cursor(rows_, {from, to}, forward ? Direction::forward : Direction::backward));
  auto front = begin;
  auto back = end;
  const std::uint64_t steps_max = random_.one_in(4) ? std::numeric_limits<std::uint64_t>::max() : random_.below(50);
  for (std::uint64_t i = 0; i < steps_max; ++i) {
    PLIMSOLL_ASSIGN(const bool more, cursor.next());
    if (front == back) {
      PLIMSOLL_TRY(expect(!more, "a cursor went on after the last row", from));
      break;
    }
    const auto expected = forward ? front++ : --back;
    PLIMSOLL_TRY(expect(more, "a cursor ended before the last row", expected->first));
    PLIMSOLL_TRY(expect_row(transaction, cursor, expected->first, expected->second));
  }
  PLIMSOLL_ASSIGN(const std::uint64_t counted, transaction.count(rows_, {from, to}));
  return expect(counted == static_cast<std::uint64_t>(std::distance(begin, end)), "count answered another number", from);
}

Result<void> StressThread::Impl::savepoint_excursion(Transaction& transaction) {
  PLIMSOLL_ASSIGN(const Savepoint point, transaction.savepoint());
  const Model before = pending_;
  const std::uint64_t operations = random_.below(10);
  for (std::uint64_t i = 0; i < operations; ++i) PLIMSOLL_TRY(one_operation(transaction));
  if (random_.one_in(3)) return transaction.release(point);
  PLIMSOLL_TRY(transaction.rollback_to(point));
  pending_ = before;
  return check_walk(transaction);
}

// Where no first updater wins, what is going to be written must be locked when it is read.
Result<std::int64_t> StressThread::Impl::balance(Transaction& transaction, std::uint64_t number, bool to_update) {
  const std::string key = account_key(number);
  const bool locks = to_update && settings_.isolation == Isolation::read_committed;
  PLIMSOLL_ASSIGN(const std::optional<Value> value,
                  locks ? transaction.get_for_update(accounts_, key) : transaction.get(accounts_, key));
  PLIMSOLL_TRY(expect(value && value->bytes().size() == sizeof(std::int64_t), "an account is missing or damaged", key));
  std::int64_t found = 0;
  std::memcpy(&found, value->bytes().data(), sizeof found);
  return found;
}

Result<void> StressThread::Impl::transfer() {
  const std::uint64_t from = random_.below(accounts);
  const std::uint64_t to = (from + 1 + random_.below(accounts - 1)) % accounts;
  const auto amount = static_cast<std::int64_t>(random_.below(50));
  PLIMSOLL_ASSIGN(Transaction transaction, database_->begin(options(false)));
  PLIMSOLL_ASSIGN(const std::int64_t from_balance, balance(transaction, from, true));
  PLIMSOLL_ASSIGN(const std::int64_t to_balance, balance(transaction, to, true));
  PLIMSOLL_TRY(transaction.put(accounts_, account_key(from), account_value(from_balance - amount)));
  PLIMSOLL_TRY(transaction.put(accounts_, account_key(to), account_value(to_balance + amount)));
  PLIMSOLL_TRY(transaction.commit());
  totals_.operations += 4;
  ++totals_.commits;
  return {};
}

Result<void> StressThread::Impl::check_sum() {
  TransactionOptions one_moment = options(true);  // whatever the others run under
  one_moment.isolation = Isolation::snapshot;
  PLIMSOLL_ASSIGN(Transaction transaction, database_->begin(one_moment));
  std::int64_t total = 0;
  for (std::uint64_t number = 0; number < accounts; ++number) {
    PLIMSOLL_ASSIGN(const std::int64_t found, balance(transaction, number, false));
    total += found;
  }
  PLIMSOLL_TRY(transaction.commit());
  totals_.operations += accounts;
  return expect(total == static_cast<std::int64_t>(accounts) * first_balance, "a snapshot of the accounts does not add up",
                account_key(0));
}

Result<void> StressThread::Impl::compare_all() {
  PLIMSOLL_ASSIGN(Transaction transaction, database_->begin(options(true)));
  PLIMSOLL_ASSIGN(Cursor cursor, transaction.cursor(rows_, own_range()));
  for (const auto& [key, value] : committed_) {
    PLIMSOLL_ASSIGN(const bool more, cursor.next());
    PLIMSOLL_TRY(expect(more, "a committed row is missing", key));
    PLIMSOLL_TRY(expect_row(transaction, cursor, key, value));
  }
  PLIMSOLL_ASSIGN(const bool more, cursor.next());
  PLIMSOLL_TRY(expect(!more, "a row is there that nobody committed", prefix_));
  PLIMSOLL_TRY(transaction.commit());
  return check_sum();
}

StressThread::StressThread(const StressSettings& settings, unsigned number, std::uint64_t seed)
    : impl_(std::make_unique<Impl>(settings, number, seed)) {}
StressThread::~StressThread() = default;
StressThread::StressThread(StressThread&&) noexcept = default;

void StressThread::attach(Database& database, Table rows, Table accounts_table) { impl_->attach(database, rows, accounts_table); }
Result<void> StressThread::step() { return impl_->step(); }
Result<void> StressThread::compare_all() { return impl_->compare_all(); }
const StressTotals& StressThread::totals() const { return impl_->totals(); }

std::string StressThread::account_key(std::uint64_t number) { return fmt::format("account/{:04}", number); }
std::string StressThread::account_value(std::int64_t balance) {
  std::string value(sizeof balance, '\0');
  std::memcpy(value.data(), &balance, sizeof balance);
  return value;
}

}  // namespace plimsoll::bench
