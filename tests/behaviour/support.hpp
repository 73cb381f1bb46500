// What the behaviour tests share: a store in a folder of its own, verified and removed at the end of every test, and short ways to
// say "this must succeed" and "this must fail with that code". Uses the public interface only.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "plimsoll/plimsoll.hpp"
#include "scale.hpp"

namespace plimsoll {

template <class T>
std::string told(const Result<T>& result) {
  return result ? std::string("no error") : result.error().message();
}
template <class T>
std::optional<ErrorCode> code_of(const Result<T>& result) {
  if (result) return std::nullopt;
  return result.error().code();
}
inline void PrintTo(ErrorCode code, std::ostream* out) { *out << name(code); }

#define EXPECT_OK(expression)                                                   \
  do {                                                                          \
    const auto& outcome_ = (expression);                                        \
    EXPECT_TRUE(outcome_) << #expression << ": " << ::plimsoll::told(outcome_); \
  } while (false)
#define ASSERT_OK(expression)                                                   \
  do {                                                                          \
    const auto& outcome_ = (expression);                                        \
    ASSERT_TRUE(outcome_) << #expression << ": " << ::plimsoll::told(outcome_); \
  } while (false)
#define EXPECT_CODE(expression, expected)                                                                           \
  do {                                                                                                              \
    const auto& outcome_ = (expression);                                                                            \
    EXPECT_EQ(::plimsoll::code_of(outcome_), std::optional<::plimsoll::ErrorCode>(::plimsoll::ErrorCode::expected)) \
        << #expression << ": " << ::plimsoll::told(outcome_);                                                       \
  } while (false)

// "k00000017": in byte order as in number order.
inline std::string key_of(std::uint64_t number) {
  char text[32];
  std::snprintf(text, sizeof text, "k%08llu", static_cast<unsigned long long>(number));
  return text;
}

// Bytes that do not compress, the same for the same seed and size.
inline std::string noise(std::size_t bytes, std::uint64_t seed) {
  std::string out(bytes, '\0');
  std::uint64_t state = seed * 0x9E3779B97F4A7C15ull + 1;
  for (std::size_t at = 0; at < bytes; at += sizeof state) {  // a word at a time: byte by byte it is most of a sanitizer's run
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    const std::uint64_t word = (state ^ state >> 32) * 0xD6E8FEB86659FD93ull;
    std::memcpy(out.data() + at, &word, std::min(sizeof word, bytes - at));
  }
  return out;
}

// A guard against hanging, never a measure: whoever waits goes on as soon as there is something to go on for.
inline constexpr std::chrono::seconds patience{120};

inline std::optional<std::string> text(const Result<std::optional<Value>>& found) {
  EXPECT_OK(found);
  if (!found || !*found) return std::nullopt;
  return std::string((*found)->bytes());
}

class StoreTest : public ::testing::Test {
 protected:
  using Records = std::vector<std::pair<std::string, std::string>>;

  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "plimsoll-behaviour-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    options.memory_budget = 32_MiB;
    options.max_transactions = 64;
    options.log_segment_bytes = 4_MiB;
    options.log_bytes_max = 32_MiB;
  }
  void TearDown() override {
    if (db_) {
      // What was ended on its owner's behalf may still be being reverted.
      EXPECT_TRUE(eventually([&] { return db_->transactions().empty(); })) << "the test left a transaction behind";
      expect_sound();
      EXPECT_OK(db_->close());
    }
    std::filesystem::remove_all(folder_);
  }

  std::string path() const { return folder_ + "/store"; }
  const std::string& folder() const { return folder_; }

  // Opens on first use.
  Database& db() {
    if (!db_) open();
    return *db_;
  }
  void open() {
    auto opened = Database::open(path(), options);
    if (!opened) {
      std::fprintf(stderr, "cannot open the store: %s\n", opened.error().message().c_str());
      std::abort();
    }
    db_.emplace(std::move(*opened));
  }
  void close() {
    ASSERT_TRUE(db_);
    EXPECT_OK(db_->close());
    db_.reset();
  }
  void reopen() {
    close();
    open();
  }
  bool is_open() const { return db_.has_value(); }

  Table table(std::string_view name = "t") {
    auto opened = db().open_table(name, {.create_if_missing = true});
    EXPECT_OK(opened);
    return opened ? *opened : Table{};
  }

  Transaction begin(const TransactionOptions& how = {.durability = Durability::relaxed}) {
    auto begun = db().begin(how);
    EXPECT_OK(begun);
    return begun ? std::move(*begun) : Transaction{};
  }
  Transaction reader() { return begin({.read_only = true}); }

  // One committed transaction a call.
  void put(Table where, Bytes key, Bytes value) {
    auto tx = begin();
    EXPECT_OK(tx.put(where, key, value));
    EXPECT_OK(tx.commit());
  }
  void erase(Table where, Bytes key) {
    auto tx = begin();
    EXPECT_OK(tx.erase(where, key));
    EXPECT_OK(tx.commit());
  }
  // `count` records key_of(first), ..., in transactions of 500.
  void fill(Table where, std::uint64_t count, std::size_t value_bytes, std::uint64_t first = 0) {
    for (std::uint64_t i = 0; i < count;) {
      auto tx = begin();
      for (std::uint64_t n = 0; n < 500 && i < count; ++n, ++i)
        ASSERT_OK(tx.put(where, key_of(first + i), noise(value_bytes, first + i)));
      ASSERT_OK(tx.commit());
    }
  }
  // What everybody who begins now sees.
  std::optional<std::string> now(Table where, Bytes key) {
    auto tx = begin();
    auto found = text(tx.get(where, key));
    EXPECT_OK(tx.abort());
    return found;
  }

  Records scan(Transaction& tx, Table where, const Range& range = {}, Direction direction = Direction::forward) {
    Records all;
    auto cursor = tx.cursor(where, range, direction);
    EXPECT_OK(cursor);
    if (!cursor) return all;
    for (;;) {
      auto more = cursor->next();
      EXPECT_OK(more);
      if (!more || !*more) return all;
      all.emplace_back(cursor->key(), cursor->value());
    }
  }
  Records scan(Table where) {
    auto tx = begin();
    auto all = scan(tx, where);
    EXPECT_OK(tx.abort());
    return all;
  }

  void expect_sound() {
    auto report = db_->verify();
    ASSERT_OK(report);
    for (const VerifyProblem& one : report->problems)
      ADD_FAILURE() << "verify: " << one.file << " page " << one.page << " table " << one.table << ": " << one.what;
  }

  static std::uint64_t value_of(const std::vector<NamedValue>& list, std::string_view name) {
    for (const NamedValue& one : list)
      if (one.name == name) return one.value;
    ADD_FAILURE() << "no statistic named " << name;
    return 0;
  }
  std::uint64_t counter(std::string_view name) { return value_of(db().statistics().counters, name); }
  std::uint64_t gauge(std::string_view name) { return value_of(db().statistics().gauges, name); }

  // Drives or awaits the background until `reached` holds.
  bool eventually(const std::function<bool()>& reached, std::chrono::milliseconds within = patience) {
    const auto until = std::chrono::steady_clock::now() + within;
    while (!reached()) {
      if (std::chrono::steady_clock::now() > until) return false;
      if (!options.background_threads) db().run_background();
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
  }
  // Until there is nothing left for the background to do. With threads of its own running, one that is at work may hide what is
  // left from a single round.
  void settle() {
    for (int quiet = 0; quiet < 5; std::this_thread::sleep_for(std::chrono::milliseconds(options.background_threads ? 10 : 0)))
      quiet = db().run_background() ? 0 : quiet + 1;
  }
  // The transaction hangs on another one.
  bool waits(TxnId waiter) {
    return eventually([&] {
      for (const WaitEdge& edge : db().wait_graph())
        if (edge.waiter == waiter) return true;
      return false;
    });
  }

  Options options;

 private:
  std::string folder_;
  std::optional<Database> db_;
};

}  // namespace plimsoll
