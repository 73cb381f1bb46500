// The rounds of a stress run: open, verify, run all threads, close.
#include "bench/stress/stress_run.hpp"

#include <algorithm>
#include <optional>
#include <thread>

#include "base/check.hpp"
#include "base/fail.hpp"
#include "bench/report/process.hpp"

namespace plimsoll::bench {
namespace {

constexpr unsigned steps_least = 50;  // transactions of each thread in each round, however slow the machine is

struct OpenStore {
  Database database;
  Table rows;
  Table accounts;
};

Result<OpenStore> open_store(const StressSettings& settings) {
  Options options;
  options.memory_budget = settings.memory_budget;
  options.page_size = settings.page_size;
  PLIMSOLL_ASSIGN(Database database, Database::open(settings.path, options));
  PLIMSOLL_ASSIGN(const Table rows, database.open_table("rows", {.create_if_missing = true}));
  PLIMSOLL_ASSIGN(const Table accounts, database.open_table("accounts", {.create_if_missing = true}));
  return OpenStore{std::move(database), rows, accounts};
}

Result<void> fill_accounts(OpenStore& store) {
  return store.database.transact({}, [&](Transaction& transaction) -> Result<void> {
    for (std::uint64_t number = 0; number < StressThread::accounts; ++number)
      PLIMSOLL_TRY(transaction.put(store.accounts, StressThread::account_key(number),
                                   StressThread::account_value(StressThread::first_balance)));
    return {};
  });
}

// The store against itself and against every model.
Result<void> check_store(OpenStore& store, std::vector<StressThread>& threads, const StressSettings& settings) {
  PLIMSOLL_ASSIGN(const VerifyReport report, store.database.verify());
  if (!report.problems.empty()) {
    const VerifyProblem& first = report.problems.front();
    return fail(ErrorCode::corruption, "seed {}: verify: {} problems, first: table {}, page {}: {}", settings.seed,
                report.problems.size(), first.table, first.page, first.what);
  }
  for (StressThread& thread : threads) PLIMSOLL_TRY(thread.compare_all());
  return {};
}

Result<void> run_round(OpenStore& store, std::vector<StressThread>& threads, double seconds) {
  std::atomic<bool> stop{false};
  std::vector<std::optional<Error>> problems(threads.size());
  std::vector<std::jthread> running;
  for (std::size_t i = 0; i < threads.size(); ++i) {
    threads[i].attach(store.database, store.rows, store.accounts);
    running.emplace_back([&, i] {
      for (unsigned steps = 0; steps < steps_least || !stop.load(std::memory_order_relaxed); ++steps) {
        if (auto done = threads[i].step(); !done) {
          problems[i] = done.error();
          stop.store(true, std::memory_order_relaxed);
          break;
        }
      }
    });
  }
  const std::uint64_t end = now_ns() + static_cast<std::uint64_t>(seconds * 1e9);
  while (!stop.load(std::memory_order_relaxed) && now_ns() < end) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  stop.store(true, std::memory_order_relaxed);
  running.clear();  // joins
  for (const auto& problem : problems)
    if (problem) return std::unexpected(*problem);
  return {};
}

}  // namespace

Result<StressTotals> run_stress(const StressSettings& settings) {
  PLIMSOLL_CHECK(settings.threads > 0 && settings.keys_per_thread > 0);
  std::vector<StressThread> threads;
  for (unsigned number = 0; number < settings.threads; ++number)
    threads.emplace_back(settings, number, settings.seed * 1'000'003 + number);

  StressTotals totals;
  const std::uint64_t begin = now_ns();
  const auto elapsed = [begin] { return static_cast<double>(now_ns() - begin) * 1e-9; };
  while (elapsed() < settings.seconds) {
    PLIMSOLL_ASSIGN(OpenStore store, open_store(settings));
    if (totals.opens++ == 0) PLIMSOLL_TRY(fill_accounts(store));
    PLIMSOLL_TRY(run_round(store, threads, std::min(settings.seconds_per_open, settings.seconds - elapsed())));
    PLIMSOLL_TRY(check_store(store, threads, settings));
    if (totals.opens == 1 && settings.sabotage) PLIMSOLL_TRY(settings.sabotage(store.database, store.rows, store.accounts));
    PLIMSOLL_TRY(store.database.close());
  }
  PLIMSOLL_ASSIGN(OpenStore store, open_store(settings));
  ++totals.opens;
  for (StressThread& thread : threads) thread.attach(store.database, store.rows, store.accounts);
  PLIMSOLL_TRY(check_store(store, threads, settings));
  PLIMSOLL_TRY(store.database.close());
  for (const StressThread& thread : threads) totals.add(thread.totals());
  if (totals.commits == 0) return fail(ErrorCode::io_error, "seed {}: not one transaction committed", settings.seed);
  return totals;
}

}  // namespace plimsoll::bench
