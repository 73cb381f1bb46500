#include "io/simulation/name_table.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "base/check.hpp"

namespace plimsoll::io::simulation {

namespace {

// In percent; drawn once per failure, see survival_chances in inode.cpp.
constexpr std::array<std::uint64_t, 4> survival_chances = {0, 50, 90, 100};

// Names whose directory did not survive cannot be reached.
void drop_orphans(Names& names) {
  for (auto name = names.begin(); name != names.end();) {
    const auto parent = names.find(parent_directory(name->first));
    const bool reachable = parent != names.end() && parent->second.is_directory();
    name = reachable ? std::next(name) : names.erase(name);  // a directory comes before what is in it
  }
}

}  // namespace

std::string normal_path(std::string_view path) {
  std::string normal;
  for (const char c : path) {
    if (c != '/' || normal.empty() || normal.back() != '/') normal.push_back(c);
  }
  if (normal.size() > 1 && normal.back() == '/') normal.pop_back();
  return normal;
}

std::string_view parent_directory(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return "";
  return slash == 0 ? path.substr(0, 1) : path.substr(0, slash);
}

NameTable::NameTable() : current_{{"", {}}, {"/", {}}}, durable_(current_) {}

const Entry* NameTable::find(std::string_view path) const {
  const auto found = current_.find(path);
  return found == current_.end() ? nullptr : &found->second;
}

bool NameTable::is_directory(std::string_view path) const {
  const Entry* entry = find(path);
  return entry != nullptr && entry->is_directory();
}

std::vector<std::string> NameTable::list(std::string_view directory) const {
  std::vector<std::string> names;
  for (const auto& [path, entry] : current_) {
    if (path.size() <= 1 && (path.empty() || path == "/")) continue;
    if (parent_directory(path) == directory) names.push_back(path.substr(path.rfind('/') + 1));
  }
  std::ranges::sort(names);
  return names;
}

bool NameTable::is_empty_directory(std::string_view path) const { return is_directory(path) && list(path).empty(); }

void NameTable::apply(const Change& change, Names& names) {
  for (const Effect& effect : change) {
    if (effect.entry) {
      names.insert_or_assign(effect.path, *effect.entry);
    } else {
      names.erase(effect.path);
    }
  }
}

void NameTable::add(Change change) {
  apply(change, current_);
  pending_.push_back(std::move(change));
}

void NameTable::link(const std::string& path, Entry entry) {
  PLIMSOLL_DCHECK(find(path) == nullptr);
  PLIMSOLL_DCHECK(is_directory(parent_directory(path)));
  add({{path, std::move(entry)}});
}

void NameTable::unlink(const std::string& path) {
  PLIMSOLL_DCHECK(find(path) != nullptr);
  add({{path, std::nullopt}});
}

void NameTable::rename(const std::string& from, const std::string& to) {
  PLIMSOLL_CHECK(find(from) != nullptr && find(to) == nullptr);
  Change change;
  for (const auto& [path, entry] : current_) {
    if (path != from && !path.starts_with(from + "/")) continue;
    change.push_back({path, std::nullopt});
    change.push_back({to + path.substr(from.size()), entry});
  }
  add(std::move(change));
}

// A change becomes certain together with the earlier changes of the names that it touches, whichever directory those are in.
void NameTable::sync(std::string_view directory) {
  std::set<std::string, std::less<>> names;
  std::vector<bool> certain(pending_.size());
  for (std::size_t i = pending_.size(); i-- > 0;) {
    certain[i] = std::ranges::any_of(pending_[i], [&](const Effect& effect) {
      return parent_directory(effect.path) == directory || names.contains(effect.path);
    });
    if (!certain[i]) continue;
    for (const Effect& effect : pending_[i]) names.insert(effect.path);
  }
  std::vector<Change> kept;
  for (std::size_t i = 0; i < pending_.size(); ++i) {
    if (certain[i]) {
      apply(pending_[i], durable_);
    } else {
      kept.push_back(std::move(pending_[i]));
    }
  }
  pending_ = std::move(kept);
}

Names NameTable::survive(Random& random, CrashCounts& counts) const {
  Names names = durable_;
  const std::uint64_t chance = survival_chances[random.below(survival_chances.size())];
  std::set<std::string, std::less<>> lost;
  for (const Change& change : pending_) {
    const bool follows_lost = std::ranges::any_of(change, [&](const Effect& effect) { return lost.contains(effect.path); });
    if (!follows_lost && random.below(100) < chance) {
      apply(change, names);
      continue;
    }
    ++counts.names_lost;
    for (const Effect& effect : change) lost.insert(effect.path);
  }
  drop_orphans(names);
  return names;
}

}  // namespace plimsoll::io::simulation
