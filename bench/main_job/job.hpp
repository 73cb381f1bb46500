// What the two processes of the main job agree on: the tables and what is in them, which packages a transaction stamps, and what
// the child tells the parent.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>

#include "plimsoll/plimsoll.hpp"

namespace plimsoll::main_job {

using Clock = std::chrono::steady_clock;

inline constexpr std::uint32_t accounts_count = 1024;
inline constexpr std::uint64_t opening_balance = 1000;
inline constexpr int packages_per_transaction = 4;
inline constexpr std::size_t stamp_bytes = 8;

struct Arguments {
  std::string folder = ".";
  int seconds = 20;  // how long the child runs before it is killed
  int writers = 3;
  int kills = 2;
  std::uint64_t records = 0;  // at most so many of each source, 0: all
  // Of the child alone.
  bool child = false;
  int pipe = -1;
  std::uint64_t budget = 0;
  std::uint32_t packages = 0;
  std::uint64_t packages_hash = 0;
};

[[noreturn]] inline void die(const std::string& what) {
  std::fprintf(stderr, "main_job: %s\n", what.c_str());
  std::fflush(stdout);
  std::_Exit(1);  // other threads may be at work: nothing is torn down
}

template <class T>
T must(Result<T> result, const char* what) {
  if (!result) die(std::string(what) + ": " + result.error().message());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

inline double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

// Numbers are stored as bytes, big-endian, so that keys sort as numbers.
template <class T>
std::string bytes_of(T number) {
  std::string out(sizeof(T), '\0');
  for (std::size_t i = sizeof(T); i-- > 0; number = static_cast<T>(number >> 8)) out[i] = static_cast<char>(number & 0xff);
  return out;
}

template <class T>
T number_in(Bytes bytes) {
  if (bytes.size() < sizeof(T)) die("a stored number is too short");
  T number = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) number = static_cast<T>(number << 8 | static_cast<unsigned char>(bytes[i]));
  return number;
}

inline std::uint64_t mixed(std::uint64_t x) {  // splitmix64
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

inline std::uint64_t hash_of(Bytes key, Bytes value) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const Bytes part : {key, value}) {
    for (const char c : part) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    hash = mixed(hash + part.size());
  }
  return hash;
}

// The package that step i of transaction `sequence` of a writer stamps. Each writer has its own share of the packages.
inline std::uint32_t pick(int writer, std::uint64_t sequence, int step, std::uint32_t packages, int writers) {
  const auto share = packages / static_cast<std::uint32_t>(writers);
  const auto random = mixed(mixed(sequence * 64 + static_cast<std::uint64_t>(step)) + static_cast<std::uint64_t>(writer));
  return static_cast<std::uint32_t>(random % share) * static_cast<std::uint32_t>(writers) + static_cast<std::uint32_t>(writer);
}

struct Totals {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  std::uint64_t hash = 0;  // a sum, so that the order of arrival does not matter

  void add(Bytes key, Bytes value) {
    ++records;
    bytes += key.size() + value.size();
    hash += hash_of(key, value);
  }
  friend bool operator==(const Totals&, const Totals&) = default;
};

struct Tables {
  Table packages, numbers, dependencies, words, accounts, counters;
};

Tables open_tables(Database& db);
Database open_store(const std::string& folder, std::size_t budget);

// Totals of a table; `strip` bytes at the front of each value are left out.
Totals totals_of(Transaction& tx, Table table, std::size_t strip, const std::function<void(Bytes)>& each_value = {});
std::uint64_t sum_of_balances(Transaction& tx, const Tables& tables);
std::uint64_t counter_of(Transaction& tx, const Tables& tables, int writer);
Result<void> transfer(Transaction& tx, const Tables& tables, std::uint64_t random);

struct Loaded {
  Totals packages, dependencies, words;
  std::uint64_t records() const { return packages.records + dependencies.records + words.records; }
  std::uint64_t bytes() const { return packages.bytes + dependencies.bytes + words.bytes; }
};

// A fresh store with everything in it, closed again.
Loaded load(const Arguments& arguments);

enum class MessageKind : std::uint32_t { ready, acknowledged, snapshot_verified };

// Smaller than PIPE_BUF: written and read whole.
struct Message {
  MessageKind kind;
  std::int32_t writer;
  std::uint64_t value;
};

[[noreturn]] void run_child(const Arguments& arguments);

}  // namespace plimsoll::main_job
