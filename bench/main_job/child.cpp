// The child: writers that stamp packages and move money for ever, and one reader that proves its snapshot exact for ever.
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <thread>
#include <vector>

#include "bench/main_job/job.hpp"

namespace plimsoll::main_job {
namespace {

void send(int pipe, MessageKind kind, int writer, std::uint64_t value) {
  const Message message{kind, writer, value};
  if (write(pipe, &message, sizeof message) != static_cast<ssize_t>(sizeof message)) die("the parent is gone");
}

Result<void> stamp_package(Transaction& tx, const Tables& tables, std::uint32_t number, std::uint64_t sequence) {
  auto key = tx.get(tables.numbers, bytes_of(number));
  if (!key) return std::unexpected(key.error());
  if (!*key) die("a package number is missing");
  auto value = tx.get(tables.packages, **key);
  if (!value) return std::unexpected(value.error());
  if (!*value) die("a package is missing");
  std::string changed((*value)->bytes());
  changed.replace(0, stamp_bytes, bytes_of(sequence));
  return tx.update(tables.packages, **key, changed);
}

void write_for_ever(Database& db, const Tables& tables, const Arguments& arguments, int writer) {
  Transaction reading = must(db.begin(), "begin");
  std::uint64_t sequence = counter_of(reading, tables, writer);
  must(reading.abort(), "abort");
  while (true) {
    const std::uint64_t next = sequence + 1;
    auto done = db.transact({}, [&](Transaction& tx) -> Result<void> {
      for (int step = 0; step < packages_per_transaction; ++step) {
        const std::uint32_t number = pick(writer, next, step, arguments.packages, arguments.writers);
        if (auto stamped = stamp_package(tx, tables, number, next); !stamped) return stamped;
      }
      if (auto moved = transfer(tx, tables, mixed(next * 64 + static_cast<std::uint64_t>(writer))); !moved) return moved;
      return tx.put(tables.counters, bytes_of(static_cast<std::uint32_t>(writer)), bytes_of(next));
    });
    if (!done && is_retryable(done.error().code())) continue;
    must(std::move(done), "writer");
    sequence = next;
    send(arguments.pipe, MessageKind::acknowledged, writer, sequence);
  }
}

// Reads everything at one snapshot, again and again: nothing may ever change.
void verify_snapshot_for_ever(Transaction tx, const Tables& tables, const Arguments& arguments) {
  Totals first;
  for (std::uint64_t pass = 1;; ++pass) {
    const Totals stamped = totals_of(tx, tables.packages, 0);
    const Totals contents = totals_of(tx, tables.packages, stamp_bytes);
    if (pass == 1) first = stamped;
    if (stamped != first) die("the snapshot changed");
    if (contents.records != arguments.packages || contents.hash != arguments.packages_hash) die("the snapshot is not exact");
    if (sum_of_balances(tx, tables) != accounts_count * opening_balance) die("the snapshot's balances do not add up");
    send(arguments.pipe, MessageKind::snapshot_verified, 0, pass);
  }
}

}  // namespace

void run_child(const Arguments& arguments) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  Database db = open_store(arguments.folder, arguments.budget);
  const Tables tables = open_tables(db);
  TransactionOptions reading;
  reading.read_only = true;
  reading.label = "snapshot";
  std::vector<std::jthread> threads;
  threads.emplace_back(
      [&, tx = must(db.begin(reading), "begin")]() mutable { verify_snapshot_for_ever(std::move(tx), tables, arguments); });
  send(arguments.pipe, MessageKind::ready, 0, 0);
  for (int writer = 0; writer < arguments.writers; ++writer) {
    threads.emplace_back([&, writer] { write_for_ever(db, tables, arguments, writer); });
  }
  while (true) pause();  // until the parent kills this process
}

}  // namespace plimsoll::main_job
