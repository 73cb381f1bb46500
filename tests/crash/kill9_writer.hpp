// The writer of the kill test: a process that commits from several threads until somebody kills it, and tells each durable commit
// through a pipe. What it writes can be checked by itself:
//   "step/<thread>/<n>"   one record a transaction, n = 1, 2, ... of its thread, written together with
//   "last/<thread>"       the same n, and
//   "account/<i>"         two of them, changed so that the sum over all stays 0.
#pragma once

#include <fmt/format.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "base/random.hpp"
#include "plimsoll/plimsoll.hpp"

namespace plimsoll::test {

struct Acknowledged {
  std::uint32_t thread, step;
};
static_assert(sizeof(Acknowledged) == 8);  // written to the pipe in one piece

inline constexpr std::uint32_t kill9_threads = 4, kill9_accounts = 20;

inline Options kill9_options(IoBackend backend) {
  Options options;
  options.memory_budget = 16_MiB;
  options.max_transactions = 64;
  options.log_segment_bytes = 1_MiB;
  options.log_bytes_max = 4_MiB;
  options.io_backend = backend;
  return options;
}

inline std::int64_t number_of(const std::optional<Value>& value) {
  return value ? std::atoll(std::string(value->bytes()).c_str()) : 0;
}

inline Result<void> kill9_step(Transaction& tx, Table table, std::uint32_t thread, std::uint32_t step, Random& random) {
  // Some values are large, most are small.
  std::string value(random.one_in(50) ? 20'000 + random.below(100'000) : random.below(300), static_cast<char>('a' + step % 26));
  if (auto put = tx.put(table, fmt::format("step/{}/{:09}", thread, step), value); !put) return put;
  if (auto put = tx.put(table, fmt::format("last/{}", thread), std::to_string(step)); !put) return put;
  const std::uint64_t from = random.below(kill9_accounts), to = (from + 1 + random.below(kill9_accounts - 1)) % kill9_accounts;
  const auto amount = static_cast<std::int64_t>(random.below(1000));
  for (const auto& [account, sum] : {std::pair{from, -amount}, std::pair{to, amount}}) {
    const std::string key = fmt::format("account/{}", account);
    auto balance = tx.get_for_update(table, key);
    if (!balance) return std::unexpected(balance.error());
    if (auto put = tx.put(table, key, std::to_string(number_of(*balance) + sum)); !put) return put;
  }
  return {};
}

// Never returns.
[[noreturn]] inline void kill9_write(const std::string& path, IoBackend backend, int pipe, std::uint64_t seed) {
  constexpr int failed = 3;
  auto db = Database::open(path, kill9_options(backend));
  if (!db) _exit(failed);
  auto table = db->open_table("t", {.create_if_missing = true});
  if (!table) _exit(failed);
  std::vector<std::thread> threads;
  for (std::uint32_t thread = 0; thread < kill9_threads; ++thread) {
    threads.emplace_back([&, thread] {
      Random random(seed * kill9_threads + thread);
      std::uint32_t step = 0;
      {
        auto tx = db->begin();
        auto last = tx ? tx->get(*table, fmt::format("last/{}", thread)) : std::unexpected(tx.error());
        if (!last) _exit(failed);
        step = static_cast<std::uint32_t>(number_of(*last));
      }
      for (;;) {
        ++step;
        if (auto done = db->transact({}, [&](Transaction& tx) { return kill9_step(tx, *table, thread, step, random); }); !done) {
          if (is_retryable(done.error().code())) {
            --step;
            continue;
          }
          _exit(failed);
        }
        const Acknowledged told{thread, step};
        if (write(pipe, &told, sizeof told) != sizeof told) _exit(failed);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  _exit(failed);
}

}  // namespace plimsoll::test
