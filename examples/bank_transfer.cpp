// Bank transfer: four threads move money between the same few accounts. transact() runs its body again when another transaction was
// first, so the body must have no side effects but those on the transaction; the sum of all balances never changes.
#include <atomic>
#include <cstdio>
#include <plimsoll/plimsoll.hpp>
#include <string>
#include <thread>
#include <vector>

using namespace plimsoll;

namespace {

constexpr int account_count = 10;
constexpr long opening_balance = 100;
constexpr int threads = 4;
constexpr int transfers_per_thread = 200;

std::string account(int number) { return "account-" + std::to_string(number); }

Result<long> balance_of(Transaction& tx, Table accounts, Bytes key) {
  auto value = tx.get(accounts, key);
  if (!value) return std::unexpected(value.error());
  if (!*value) return std::unexpected(Error(ErrorCode::not_found, key));
  return std::stol(std::string((*value)->bytes()));
}

Result<void> transfer(Transaction& tx, Table accounts, Bytes from, Bytes to, long amount) {
  auto source = balance_of(tx, accounts, from);
  if (!source) return std::unexpected(source.error());
  auto target = balance_of(tx, accounts, to);
  if (!target) return std::unexpected(target.error());
  if (*source < amount) return {};  // not enough money: commits without a change
  if (auto done = tx.put(accounts, from, std::to_string(*source - amount)); !done) return done;
  return tx.put(accounts, to, std::to_string(*target + amount));
}

Result<void> open_accounts(Database& db, Table accounts) {
  return db.transact({}, [&](Transaction& tx) -> Result<void> {
    for (int i = 0; i < account_count; ++i) {
      if (auto done = tx.insert(accounts, account(i), std::to_string(opening_balance)); !done) return done;
    }
    return {};
  });
}

Result<void> make_transfers(Database& db, Table accounts, int seed) {
  TransactionOptions options;
  options.durability = Durability::relaxed;  // a crash may lose the newest transfers, never a part of one
  for (int i = 0; i < transfers_per_thread; ++i) {
    const int from = (seed + i * 7) % account_count;
    const int to = (from + 1 + i % (account_count - 1)) % account_count;
    auto body = [&](Transaction& tx) { return transfer(tx, accounts, account(from), account(to), 1 + i % 5); };
    Result<void> done;
    do { done = db.transact(options, body); } while (!done && is_retryable(done.error().code()));
    if (!done) return done;
  }
  return {};
}

Result<long> sum_of_balances(Database& db, Table accounts) {
  auto tx = db.begin();
  if (!tx) return std::unexpected(tx.error());
  long sum = 0;
  for (int i = 0; i < account_count; ++i) {
    auto balance = balance_of(*tx, accounts, account(i));
    if (!balance) return balance;
    sum += *balance;
  }
  return sum;
}

Result<bool> run() {
  auto db = Database::open("bank.plim");
  if (!db) return std::unexpected(db.error());
  auto accounts = db->open_table("accounts", {.create_if_missing = true});
  if (!accounts) return std::unexpected(accounts.error());
  if (auto done = open_accounts(*db, *accounts); !done) return std::unexpected(done.error());

  std::atomic<int> failures = 0;
  {
    std::vector<std::jthread> workers;
    for (int i = 0; i < threads; ++i) {
      workers.emplace_back([&, i] {
        if (!make_transfers(*db, *accounts, i)) ++failures;
      });
    }
  }
  auto sum = sum_of_balances(*db, *accounts);
  if (!sum) return std::unexpected(sum.error());
  std::printf("%d transfers, %ld in all accounts together\n", threads * transfers_per_thread, *sum);
  return failures == 0 && *sum == account_count * opening_balance;
}

}  // namespace

int main() {
  auto right = run();
  if (!right) std::fprintf(stderr, "bank_transfer: %s\n", right.error().message().c_str());
  return right && *right ? 0 : 1;
}
