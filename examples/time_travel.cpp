// Time travel: with a retention window, a transaction may read the store as it was at an earlier timestamp. A snapshot that is
// merely held open reads the past as well, for as long as it lives.
#include <cstdio>
#include <plimsoll/plimsoll.hpp>
#include <string>

using namespace plimsoll;

namespace {

Result<std::string> price(Transaction& tx, Table prices) {
  auto value = tx.get(prices, "bread");
  if (!value) return std::unexpected(value.error());
  return *value ? std::string((*value)->bytes()) : "none";
}

Result<std::string> price_at(Database& db, Table prices, Timestamp when) {
  TransactionOptions options;
  options.read_only = true;
  options.as_of = when;
  auto tx = db.begin(options);
  if (!tx) return std::unexpected(tx.error());
  return price(*tx, prices);
}

Result<void> set_price(Database& db, Table prices, Bytes value) {
  return db.transact({}, [&](Transaction& tx) { return tx.put(prices, "bread", value); });
}

Result<bool> run() {
  Options options;
  options.retention = std::chrono::minutes(10);
  auto db = Database::open("prices.plim", options);
  if (!db) return std::unexpected(db.error());
  auto prices = db->open_table("prices", {.create_if_missing = true});
  if (!prices) return std::unexpected(prices.error());

  if (auto done = set_price(*db, *prices, "1.20"); !done) return std::unexpected(done.error());
  const Timestamp monday = db->now();
  auto held = db->begin();
  if (!held) return std::unexpected(held.error());
  if (auto done = set_price(*db, *prices, "1.35"); !done) return std::unexpected(done.error());
  const Timestamp tuesday = db->now();
  if (auto done = set_price(*db, *prices, "1.50"); !done) return std::unexpected(done.error());

  auto then = price_at(*db, *prices, monday);
  if (!then) return std::unexpected(then.error());
  auto later = price_at(*db, *prices, tuesday);
  if (!later) return std::unexpected(later.error());
  auto seen = price(*held, *prices);
  if (!seen) return std::unexpected(seen.error());
  auto now = price_at(*db, *prices, db->now());
  if (!now) return std::unexpected(now.error());
  std::printf("monday %s, tuesday %s, the open snapshot %s, now %s\n", then->c_str(), later->c_str(), seen->c_str(), now->c_str());
  return *then == "1.20" && *later == "1.35" && *seen == "1.20" && *now == "1.50";
}

}  // namespace

int main() {
  auto right = run();
  if (!right) std::fprintf(stderr, "time_travel: %s\n", right.error().message().c_str());
  return right && *right ? 0 : 1;
}
