// The tables of the main job: opening, totals, one transfer.
#include <algorithm>
#include <optional>

#include "bench/main_job/job.hpp"

namespace plimsoll::main_job {

Tables open_tables(Database& db) {
  const auto open = [&](const char* name) { return must(db.open_table(name, {.create_if_missing = true}), name); };
  return {open("packages"), open("numbers"), open("dependencies"), open("words"), open("accounts"), open("counters")};
}

Database open_store(const std::string& folder, std::size_t budget) {
  Options options;
  options.memory_budget = budget;
  return must(Database::open(folder + "/main_job.plim", options), "open");
}

Totals totals_of(Transaction& tx, Table table, std::size_t strip, const std::function<void(Bytes)>& each_value) {
  Totals totals;
  Cursor cursor = must(tx.cursor(table), "cursor");
  while (must(cursor.next(), "scan")) {
    // A cursor shows no value that lies out of line.
    std::optional<Value> large;
    if (cursor.large()) large = must(tx.get(table, cursor.key()), "get");
    const Bytes value = large ? large->bytes() : cursor.value();
    if (value.size() < strip) die("a stored value is too short");
    totals.add(cursor.key(), value.substr(strip));
    if (each_value) each_value(value);
  }
  return totals;
}

std::uint64_t sum_of_balances(Transaction& tx, const Tables& tables) {
  std::uint64_t sum = 0;
  const Totals totals = totals_of(tx, tables.accounts, 0, [&](Bytes balance) { sum += number_in<std::uint64_t>(balance); });
  if (totals.records != accounts_count) die("accounts are missing");
  return sum;
}

std::uint64_t counter_of(Transaction& tx, const Tables& tables, int writer) {
  const auto value = must(tx.get(tables.counters, bytes_of(static_cast<std::uint32_t>(writer))), "counter");
  return value ? number_in<std::uint64_t>(*value) : 0;
}

Result<void> transfer(Transaction& tx, const Tables& tables, std::uint64_t random) {
  const std::string from = bytes_of(static_cast<std::uint32_t>(random % accounts_count));
  const std::string to = bytes_of(static_cast<std::uint32_t>((random >> 32) % accounts_count));
  if (from == to) return {};
  auto source = tx.get(tables.accounts, from);
  if (!source) return std::unexpected(source.error());
  auto target = tx.get(tables.accounts, to);
  if (!target) return std::unexpected(target.error());
  if (!*source || !*target) die("an account is missing");
  const auto balance = number_in<std::uint64_t>(**source);
  const std::uint64_t amount = std::min<std::uint64_t>(balance, (random >> 16) % 10);
  if (auto done = tx.put(tables.accounts, from, bytes_of(balance - amount)); !done) return done;
  return tx.put(tables.accounts, to, bytes_of(number_in<std::uint64_t>(**target) + amount));
}

}  // namespace plimsoll::main_job
