#include "bench/stress/hostile_client.hpp"

#include <algorithm>
#include <array>
#include <thread>

#include "base/fail.hpp"
#include "bench/report/process.hpp"
#include "bench/workloads/data.hpp"

namespace plimsoll::bench {
namespace {

constexpr std::uint64_t large_every = 499;  // keys
constexpr std::size_t small_bytes_least = 16, small_bytes_max = 2064, large_bytes_max = 300'000;
constexpr unsigned keys_a_transaction = 8;

enum class Facet : std::uint64_t { size, contents };

// A stream of its own for each: neighbours in key or generation share nothing.
Random stream_of(std::uint64_t seed, std::uint64_t key, std::uint32_t generation, Facet facet) {
  Random mixed(seed ^ key * 0x9E3779B97F4A7C15u);
  return Random(mixed.next() ^ ((std::uint64_t{generation} << 1 | static_cast<std::uint64_t>(facet)) * 0xD1B54A32D192ED03u));
}

// Sizes drift: with its generations a key wanders from tens of bytes to kilobytes and back.
std::size_t size_of(std::uint64_t seed, std::uint64_t key, std::uint32_t generation) {
  Random random = stream_of(seed, key, generation, Facet::size);
  if (key % large_every == 0) return large_bytes_max / 5 + random.below(large_bytes_max / 5 * 4);
  constexpr unsigned phases = 7;
  return small_bytes_least + random.below(std::size_t{32} << (generation / 4 % phases));
}

// Calls each(offset, word, bytes) for the contents, eight bytes at a time.
template <class Each>
bool for_each_word(std::uint64_t seed, std::uint64_t key, std::uint32_t generation, std::size_t size, Each each) {
  Random random = stream_of(seed, key, generation, Facet::contents);
  for (std::size_t i = 0; i < size; i += sizeof(std::uint64_t))
    if (!each(i, random.next(), std::min(sizeof(std::uint64_t), size - i))) return false;
  return true;
}

bool proves_itself(std::uint64_t seed, std::uint64_t key, std::uint32_t generation, Bytes found) {
  return found.size() == size_of(seed, key, generation) &&
         for_each_word(seed, key, generation, found.size(), [&](std::size_t at, std::uint64_t word, std::size_t bytes) {
           return std::memcmp(found.data() + at, &word, bytes) == 0;
         });
}

}  // namespace

void HostileTotals::add(const HostileTotals& other) {
  transactions += other.transactions;
  commits += other.commits;
  refused += other.refused;
  retried += other.retried;
  checked += other.checked;
  pinned += other.pinned;
  held_peak = std::max(held_peak, other.held_peak);
  giant_bytes = std::max(giant_bytes, other.giant_bytes);
  giants_committed += other.giants_committed;
  giants_aborted += other.giants_aborted;
  wrong += other.wrong;
}

HostileClient::HostileClient(const HostileStage& stage, unsigned number, HostileRole role)
    : stage_(stage), number_(number), role_(role), random_(stage.seed * 7919 + number), generations_(stage.keys_per_client, 0) {}

void HostileClient::attach(Database& database, Table table) {
  database_ = &database;
  table_ = table;
}

Result<void> HostileClient::load(Database& database, Table table) {
  attach(database, table);
  constexpr std::uint64_t keys_a_load = 64;
  for (std::uint64_t at = 0; at < generations_.size(); at += keys_a_load) {
    const std::uint64_t end = std::min<std::uint64_t>(at + keys_a_load, generations_.size());
    const auto loaded = database.transact({.durability = Durability::relaxed}, [&](Transaction& tx) -> Result<void> {
      for (std::uint64_t i = at; i < end; ++i) {
        auto done = put(tx, first_key() + i, 1);
        if (!done) return done;
      }
      return {};
    });
    if (!loaded) return loaded;
    std::fill(generations_.begin() + static_cast<std::ptrdiff_t>(at), generations_.begin() + static_cast<std::ptrdiff_t>(end), 1u);
  }
  return {};
}

void HostileClient::expect(std::uint64_t key, std::uint32_t generation, Bytes found) {
  ++totals_.checked;
  if (proves_itself(stage_.seed, key, generation, found)) return;
  wrong(fmt::format("key {:x}, generation {}: {} bytes were expected, {} others were found", key, generation,
                    size_of(stage_.seed, key, generation), found.size()));
}

void HostileClient::expect(std::uint64_t key, std::uint32_t generation, const std::optional<Value>& found) {
  if (found) return expect(key, generation, found->bytes());
  wrong(fmt::format("key {:x}, generation {}: not found", key, generation));
}

void HostileClient::wrong(std::string what) {
  if (totals_.wrong++ == 0) complaint_ = std::move(what);
}

// True: the transaction is over, which happens; the client goes on.
bool HostileClient::passing(const Error& error) {
  if (error.code() == ErrorCode::memory_budget_exceeded) {
    ++totals_.refused;
    return true;
  }
  totals_.retried += is_retryable(error.code()) ? 1 : 0;
  return is_retryable(error.code());
}

void HostileClient::committed() {
  ++totals_.commits;
  commits_.fetch_add(1, std::memory_order_relaxed);
}

// The clients remember next to nothing, so that resident memory is the store's: large values are streamed.
Result<void> HostileClient::put(Transaction& tx, std::uint64_t key, std::uint32_t generation) {
  const std::size_t size = size_of(stage_.seed, key, generation);
  std::array<char, small_bytes_max> piece;
  std::optional<ValueWriter> writer;
  if (size > piece.size()) { PLIMSOLL_ASSIGN(writer, tx.open_writer(table_, Key(key).bytes())); }
  Result<void> written{};
  for_each_word(stage_.seed, key, generation, size, [&](std::size_t at, std::uint64_t word, std::size_t bytes) {
    const std::size_t within = at % piece.size();
    std::memcpy(piece.data() + within, &word, bytes);
    if (writer && (within + bytes == piece.size() || at + bytes == size)) written = writer->write({piece.data(), within + bytes});
    return written.has_value();
  });
  if (!writer) return tx.put(table_, Key(key).bytes(), {piece.data(), size});
  PLIMSOLL_TRY(written);
  return writer->finish();
}

#define PLIMSOLL_PASSING(result)                              \
  do {                                                        \
    if (auto& passing_result_ = (result); !passing_result_) { \
      if (passing(passing_result_.error())) return {};        \
      return std::unexpected(passing_result_.error());        \
    }                                                         \
  } while (false)

Result<void> HostileClient::step() {
  ++totals_.transactions;
  if (stage_.hostile()) {
    if (role_ == HostileRole::holder) return hold();
    if (role_ == HostileRole::pinner) return pin();
    if (role_ == HostileRole::giant) return giant();
  }
  return random_.below(20) == 0 ? scan() : update();
}

// One in four is hot: of its versions next to all are garbage at once, and the few that a snapshot sees lie scattered among them.
std::uint64_t HostileClient::key_to_update() {
  constexpr std::uint64_t hot_in = 4, hot_keys = 4;
  return random_.below(hot_in) == 0 ? first_key() + 1 + random_.below(hot_keys) : random_key();
}

Result<void> HostileClient::update() {
  auto tx = database_->begin({.durability = Durability::relaxed});
  PLIMSOLL_PASSING(tx);
  std::array<std::uint64_t, keys_a_transaction> keys;
  const std::size_t count = 1 + random_.below(keys_a_transaction);
  for (std::size_t i = 0; i < count; ++i) {
    do keys[i] = key_to_update();
    while (std::find(keys.begin(), keys.begin() + static_cast<std::ptrdiff_t>(i), keys[i]) !=
           keys.begin() + static_cast<std::ptrdiff_t>(i));
    {
      auto found = tx->get(table_, Key(keys[i]).bytes());
      PLIMSOLL_PASSING(found);
      expect(keys[i], generation(keys[i]), *found);
    }
    auto changed = put(*tx, keys[i], generation(keys[i]) + 1);
    PLIMSOLL_PASSING(changed);
  }
  auto done = tx->commit();
  PLIMSOLL_PASSING(done);
  for (std::size_t i = 0; i < count; ++i) ++generation(keys[i]);
  committed();
  return {};
}

// A part of the own range, forwards: nothing is missing, nothing is there twice.
Result<void> HostileClient::scan() {
  auto tx = database_->begin({.read_only = true});
  PLIMSOLL_PASSING(tx);
  const std::uint64_t from = random_key(), end = std::min(from + 50, first_key() + generations_.size());
  const Key first(from), last(end);
  auto cursor = tx->cursor(table_, {.from = first.bytes(), .to = last.bytes()}, Direction::forward);
  PLIMSOLL_PASSING(cursor);
  for (std::uint64_t key = from; key < end; ++key) {
    auto there = cursor->next();
    PLIMSOLL_PASSING(there);
    if (!*there || key_number(cursor->key()) != key) {
      wrong(fmt::format("a scan misses key {:x}", key));
      return {};
    }
    if (!cursor->large()) expect(key, generation(key), cursor->value());
  }
  auto more = cursor->next();
  PLIMSOLL_PASSING(more);
  if (*more) wrong(fmt::format("a scan of keys below {:x} goes on", end));
  committed();
  return {};
}

// Keeps values alive up to a share of the budget, then looks at them once more.
Result<void> HostileClient::hold() {
  constexpr std::size_t values_max = 256;
  const auto most = static_cast<std::size_t>(stage_.held_share * static_cast<double>(stage_.memory_budget) / stage_.holders);
  const std::size_t share = most / 2 + random_.below(most / 2 + 1);
  auto tx = database_->begin({.read_only = true});
  PLIMSOLL_PASSING(tx);
  struct Held {
    std::uint64_t key;
    Value value;
  };
  std::vector<Held> held;
  std::size_t bytes = 0;
  bool refused = false;
  while (bytes < share && held.size() < values_max && !refused && stage_.hostile()) {
    const std::uint64_t key = (random_.below(4) == 0 ? random_key() : random_key() / large_every * large_every);
    if (key < first_key()) continue;
    auto found = tx->get(table_, Key(key).bytes());
    if (!found) {
      if (!passing(found.error())) return std::unexpected(found.error());
      refused = true;
    } else if (!*found) {
      expect(key, generation(key), *found);
      break;
    } else {
      bytes += (*found)->bytes().size();
      held.push_back({key, std::move(**found)});
    }
  }
  totals_.held_peak = std::max<std::uint64_t>(totals_.held_peak, bytes);
  const std::uint64_t until = now_ns() + (200 + random_.below(800)) * 1'000'000;
  while (now_ns() < until && stage_.hostile()) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  for (std::size_t i = 0; i < held.size(); i += 1 + random_.below(16)) {
    if (!tx->active()) break;  // a victim's values are gone
    expect(held[i].key, generation(held[i].key), held[i].value.bytes());
  }
  held.clear();
  return {};
}

// Remembers what a snapshot holds, updates on, and reads the snapshot again.
Result<void> HostileClient::pin() {
  constexpr std::size_t looks = 64;
  auto tx = database_->begin({.read_only = true});
  PLIMSOLL_PASSING(tx);
  std::array<std::pair<std::uint64_t, std::uint32_t>, looks> seen;
  for (auto& [key, generation_then] : seen) {
    key = random_key();
    generation_then = generation(key);
  }
  const std::uint64_t until = now_ns() + (100 + random_.below(1500)) * 1'000'000;
  while (now_ns() < until && stage_.hostile()) {
    ++totals_.transactions;
    PLIMSOLL_TRY(update());
  }
  for (const auto& [key, generation_then] : seen) {
    auto found = tx->get(table_, Key(key).bytes());
    PLIMSOLL_PASSING(found);
    expect(key, generation_then, *found);
  }
  ++totals_.pinned;
  return {};
}

// The n-th large key of the client's own, round and round; its last key if it has none.
std::uint64_t HostileClient::large_key(std::uint64_t n) const {
  const std::uint64_t first = (first_key() + large_every - 1) / large_every,
                      behind = (first_key() + generations_.size() + large_every - 1) / large_every;
  return first == behind ? first_key() + generations_.size() - 1 : (first + n % (behind - first)) * large_every;
}

// One transaction that writes many times the budget, over and over its own keys, with savepoints so that each round keeps its undo.
// Every few records come a large value, else its share of the work would not get it far.
Result<void> HostileClient::giant() {
  auto tx = database_->begin({.durability = Durability::relaxed});
  PLIMSOLL_PASSING(tx);
  std::vector<std::uint32_t> pending = generations_;
  const double wanted = stage_.giant_budgets * static_cast<double>(stage_.memory_budget);
  std::uint64_t written = 0;
  std::optional<Savepoint> point;
  for (std::uint64_t at = 0; static_cast<double>(written) < wanted && stage_.hostile(); ++at) {
    constexpr std::uint64_t large_in = 4;
    const std::uint64_t key = at % large_in == 0 ? large_key(at / large_in) : first_key() + at % generations_.size(),
                        i = key - first_key();
    if (at % generations_.size() == 0) {
      if (point) {
        auto released = tx->release(*point);
        PLIMSOLL_PASSING(released);
      }
      auto made = tx->savepoint();
      PLIMSOLL_PASSING(made);
      point = *made;
    }
    auto changed = put(*tx, key, ++pending[i]);
    PLIMSOLL_PASSING(changed);
    written += size_of(stage_.seed, key, pending[i]);
    totals_.giant_bytes = std::max(totals_.giant_bytes, written);
    giant_bytes_.store(totals_.giant_bytes, std::memory_order_relaxed);
  }
  if (random_.below(2) == 0) {
    auto done = tx->abort();
    PLIMSOLL_PASSING(done);
    ++totals_.giants_aborted;
    return {};
  }
  auto done = tx->commit();
  PLIMSOLL_PASSING(done);
  generations_ = std::move(pending);
  ++totals_.giants_committed;
  return {};
}

Result<void> HostileClient::check_all() {
  for (std::uint64_t i = 0; i < generations_.size(); ++i) {
    PLIMSOLL_ASSIGN(Transaction tx, database_->begin({.read_only = true}));
    PLIMSOLL_ASSIGN(const std::optional<Value> found, tx.get(table_, Key(first_key() + i).bytes()));
    expect(first_key() + i, generations_[i], found);
  }
  PLIMSOLL_ASSIGN(Transaction tx, database_->begin({.read_only = true}));
  const Key first(first_key()), last(first_key() + (std::uint64_t{1} << 32) - 1);
  PLIMSOLL_ASSIGN(const std::uint64_t rows, tx.count(table_, {.from = first.bytes(), .to = last.bytes()}));
  if (rows != generations_.size()) wrong(fmt::format("client {} has {} rows instead of {}", number_, rows, generations_.size()));
  return {};
}

}  // namespace plimsoll::bench
