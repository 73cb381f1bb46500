// What a store must hold: the reference that model and crash tests compare with. Plain maps, one thread, no cleverness.
//
// A history is a sequence of events in the order of their log records. The contents of a store after a crash are those of a prefix:
// at least up to the last event that is known to be durable, at most with the event that was in flight.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plimsoll/plimsoll.hpp"

namespace plimsoll::test {

using Contents = std::map<std::string, std::string>;

struct Change {
  std::string table, key;
  std::optional<std::string> value;  // nothing: erased
};

struct Event {
  enum class Kind : std::uint8_t { commit, prepare, commit_prepared, abort_prepared, create_table, drop_table } kind{};
  std::string name;  // the table's, or the prepared transaction's global id
  std::vector<Change> changes;
};

struct State {
  std::map<std::string, Contents> tables;
  std::map<std::string, std::vector<Change>> prepared;

  friend bool operator==(const State& a, const State& b) { return a.tables == b.tables && same_prepared(a, b); }

  void apply(const std::vector<Change>& changes) {
    for (const Change& change : changes) {
      Contents& table = tables[change.table];
      if (change.value) {
        table.insert_or_assign(change.key, *change.value);
      } else {
        table.erase(change.key);
      }
    }
  }
  void apply(const Event& event) {
    switch (event.kind) {
      case Event::Kind::commit: apply(event.changes); break;
      case Event::Kind::prepare: prepared[event.name] = event.changes; break;
      case Event::Kind::commit_prepared:
        apply(prepared[event.name]);
        prepared.erase(event.name);
        break;
      case Event::Kind::abort_prepared: prepared.erase(event.name); break;
      case Event::Kind::create_table: tables[event.name]; break;
      case Event::Kind::drop_table: tables.erase(event.name); break;
    }
  }

 private:
  // What a prepared transaction has written shows only when it is committed.
  static bool same_prepared(const State& a, const State& b) {
    if (a.prepared.size() != b.prepared.size()) return false;
    for (auto one = a.prepared.begin(), other = b.prepared.begin(); one != a.prepared.end(); ++one, ++other)
      if (one->first != other->first) return false;
    return true;
  }
};

inline std::string shown(std::string_view bytes) {
  constexpr std::size_t shown_max = 24;
  std::string text;
  for (const char c : bytes.substr(0, shown_max)) text += c >= ' ' && c <= '~' ? c : '?';
  return bytes.size() > shown_max ? fmt::format("{}... ({} bytes)", text, bytes.size()) : text;
}

// The first difference, for a failure's message.
inline std::string difference(const State& expected, const State& found) {
  for (const auto& [name, table] : expected.tables)
    if (!found.tables.contains(name)) return fmt::format("table {} is missing", name);
  for (const auto& [name, table] : found.tables) {
    const auto other = expected.tables.find(name);
    if (other == expected.tables.end()) return fmt::format("there is a table {}", name);
    for (const auto& [key, value] : table) {
      const auto record = other->second.find(key);
      if (record == other->second.end()) return fmt::format("table {} has key {} (value {})", name, shown(key), shown(value));
      if (record->second != value)
        return fmt::format("table {}, key {}: value {} instead of {}", name, shown(key), shown(value), shown(record->second));
    }
    for (const auto& [key, value] : other->second)
      if (!table.contains(key)) return fmt::format("table {} lacks key {} (value {})", name, shown(key), shown(value));
  }
  for (const auto& [gid, changes] : expected.prepared)
    if (!found.prepared.contains(gid)) return fmt::format("the prepared transaction {} is missing", gid);
  for (const auto& [gid, changes] : found.prepared)
    if (!expected.prepared.contains(gid)) return fmt::format("there is a prepared transaction {}", gid);
  return "no difference";
}

// Everything that a store shows to a new transaction. Large values are read whole.
inline Result<State> read_state(Database& db) {
  State state;
  auto tables = db.tables();
  if (!tables) return std::unexpected(tables.error());
  auto tx = db.begin();  // a read-only one would not see what still waits for the log
  if (!tx) return std::unexpected(tx.error());
  for (const TableInfo& info : *tables) {
    auto table = db.open_table(info.name);
    if (!table) return std::unexpected(table.error());
    Contents& contents = state.tables[info.name];
    auto cursor = tx->cursor(*table);
    if (!cursor) return std::unexpected(cursor.error());
    for (;;) {
      auto more = cursor->next();
      if (!more) return std::unexpected(more.error());
      if (!*more) break;
      std::string key(cursor->key()), value(cursor->value());
      if (cursor->large()) {
        auto whole = tx->get(*table, key);
        if (!whole) return std::unexpected(whole.error());
        if (!*whole) return std::unexpected(Error(ErrorCode::corruption, "a cursor shows a large value that get does not"));
        value.assign((*whole)->bytes());
      }
      contents.emplace_hint(contents.end(), std::move(key), std::move(value));
    }
  }
  for (const TransactionInfo& info : db.prepared()) state.prepared[info.global_id];
  return state;
}

// Verify's problems in one line, empty if there is none.
inline std::string problems(Database& db) {
  auto report = db.verify();
  if (!report) return "verify: " + report.error().message();
  if (report->problems.empty()) return {};
  const VerifyProblem& first = report->problems.front();
  return fmt::format("verify: {} problems, the first: {} page {} table {}: {}", report->problems.size(), first.file, first.page,
                     first.table, first.what);
}

}  // namespace plimsoll::test
