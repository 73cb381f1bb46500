// The committed versions of all tables, and one transaction's view of them: its snapshot under its own writes.
// Version numbers are commit numbers of the history (1, 2, ...); 0 is what the store held when the history began.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/reference.hpp"

namespace plimsoll::test {

using Key = std::pair<std::string, std::string>;  // table, key
using Overlay = std::map<Key, std::optional<std::string>>;

class Versions {
 public:
  struct Version {
    std::uint64_t number;
    std::optional<std::string> value;
  };
  using Chain = std::vector<Version>;  // oldest first

  explicit Versions(const State& state) {
    for (const auto& [name, table] : state.tables)
      for (const auto& [key, value] : table) chains_[{name, key}].push_back({0, value});
  }

  void add(std::uint64_t number, const std::vector<Change>& changes) {
    for (const Change& change : changes) chains_[{change.table, change.key}].push_back({number, change.value});
  }
  void drop_table(const std::string& name) {
    std::erase_if(chains_, [&](const auto& one) { return one.first.first == name; });
  }

  // What a snapshot sees of the key; null: nothing.
  const std::string* find(const Key& key, std::uint64_t snapshot) const {
    const auto chain = chains_.find(key);
    return chain == chains_.end() ? nullptr : visible(chain->second, snapshot);
  }
  std::uint64_t newest(const Key& key) const {
    const auto chain = chains_.find(key);
    return chain == chains_.end() ? 0 : chain->second.back().number;
  }
  const std::map<Key, Chain>& all() const { return chains_; }

  static const std::string* visible(const Chain& chain, std::uint64_t snapshot) {
    for (auto version = chain.rbegin(); version != chain.rend(); ++version)
      if (version->number <= snapshot) return version->value ? &*version->value : nullptr;
    return nullptr;
  }

 private:
  std::map<Key, Chain> chains_;
};

struct View {
  const Versions& versions;
  const Overlay& own;
  std::uint64_t snapshot;

  const std::string* find(const Key& key) const {
    const auto mine = own.find(key);
    if (mine != own.end()) return mine->second ? &*mine->second : nullptr;
    return versions.find(key, snapshot);
  }

  // The first record after `key` (before it, backward) of the same table; `including` it if so asked. An empty key: from the
  // table's end.
  std::optional<std::string> next(const std::string& table, const std::string& key, Direction direction, bool including) const {
    return direction == Direction::forward ? above({table, key}, including) : below({table, key}, including);
  }

 private:
  std::optional<std::string> above(const Key& from, bool including) const {
    auto stored = including ? versions.all().lower_bound(from) : versions.all().upper_bound(from);
    auto mine = including ? own.lower_bound(from) : own.upper_bound(from);
    for (;;) {
      const bool in_store = stored != versions.all().end() && stored->first.first == from.first;
      const bool in_own = mine != own.end() && mine->first.first == from.first;
      if (!in_store && !in_own) return std::nullopt;
      const Key candidate = !in_own || (in_store && stored->first < mine->first) ? stored->first : mine->first;
      if (in_store && stored->first == candidate) ++stored;
      if (in_own && mine->first == candidate) ++mine;
      if (find(candidate) != nullptr) return candidate.second;
    }
  }

  std::optional<std::string> below(const Key& from, bool including) const {
    const Key bound = from.second.empty() ? Key{from.first + '\0', ""} : from;
    auto stored = including ? versions.all().upper_bound(bound) : versions.all().lower_bound(bound);
    auto mine = including ? own.upper_bound(bound) : own.lower_bound(bound);
    for (;;) {
      const bool in_store = stored != versions.all().begin() && std::prev(stored)->first.first == from.first;
      const bool in_own = mine != own.begin() && std::prev(mine)->first.first == from.first;
      if (!in_store && !in_own) return std::nullopt;
      const Key candidate = !in_own || (in_store && std::prev(stored)->first > std::prev(mine)->first) ? std::prev(stored)->first
                                                                                                       : std::prev(mine)->first;
      if (in_store && std::prev(stored)->first == candidate) --stored;
      if (in_own && std::prev(mine)->first == candidate) --mine;
      if (find(candidate) != nullptr) return candidate.second;
    }
  }
};

}  // namespace plimsoll::test
