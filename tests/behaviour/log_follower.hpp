// Who follows the log as plimsoll/database.hpp tells it to, and what that comes to: the committed records, by tree and key.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "plimsoll/database.hpp"

namespace plimsoll {

class LogFollower {
 public:
  using Key = std::pair<std::uint32_t, std::string>;  // tree, key
  struct Value {
    std::string bytes;
    bool large = false;  // not in the log
  };

  // `base`: where it goes on from; the commits below `known` are in it.
  explicit LogFollower(std::map<Key, Value> base = {}, Lsn known = {}) : state_(std::move(base)), known_(known) {}

  void take(const LogEntry& entry) {
    ordered_ &= last_lsn_ < entry.lsn;
    last_lsn_ = entry.lsn;
    auto& mine = open_[entry.transaction];
    const Key key{entry.tree.value, std::string(entry.key)};
    switch (entry.kind) {
      case LogEntry::Kind::put: mine[key] = Value{std::string(entry.value), entry.out_of_line}; break;
      case LogEntry::Kind::erase: mine[key] = std::nullopt; break;
      case LogEntry::Kind::revert:
        mine.erase(key);
        if (mine.empty()) open_.erase(entry.transaction);
        break;
      case LogEntry::Kind::commit:
        ordered_ &= last_commit_ < entry.commit_timestamp;
        last_commit_ = entry.commit_timestamp;
        if (entry.lsn >= known_)
          for (auto& [changed, value] : mine) {
            state_.erase(changed);
            if (value) state_.emplace(changed, *value);
          }
        open_.erase(entry.transaction);
        break;
      case LogEntry::Kind::abort: open_.erase(entry.transaction); break;
      case LogEntry::Kind::prepare: break;
    }
  }
  const std::map<Key, Value>& state() const { return state_; }
  std::map<std::string, std::string> records(TreeId tree) const {
    std::map<std::string, std::string> all;
    for (const auto& [key, value] : state_)
      if (key.first == tree.value) all.emplace(key.second, value.bytes);
    return all;
  }
  std::size_t open() const { return open_.size(); }
  bool ordered() const { return ordered_; }  // positions and timestamps have only grown

 private:
  std::map<Key, Value> state_;
  Lsn known_;
  std::map<TxnId, std::map<Key, std::optional<Value>>> open_;
  Timestamp last_commit_;
  Lsn last_lsn_;
  bool ordered_ = true;
};

}  // namespace plimsoll
