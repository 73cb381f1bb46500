// What a snapshot sees of a stamp (D5). A stamp is a commit timestamp or the mark of a transaction whose outcome the registry
// knows; a mark found nowhere belongs to a commit older than every snapshot, provided that the page it was read from is still
// unchanged afterwards.
#pragma once

#include "registry/registry.hpp"

namespace plimsoll::version {

struct View {
  const registry::Registry* registry = nullptr;
  std::uint64_t snapshot = 0;
  std::uint64_t own_mark = 0;  // 0: the reader has written nothing
  bool read_only = false;      // begun at the read-only horizon: a pending commit is newer than that

  bool sees(std::uint64_t stamp) const {
    if (!registry::is_mark(stamp)) [[likely]]
      return stamp <= snapshot;
    return stamp == own_mark || sees_mark(stamp);
  }

 private:
  bool sees_mark(std::uint64_t stamp) const;
};

// A stamp as a before-image carries it: resolved to a timestamp. `active`: its transaction is still undecided.
struct Resolved {
  enum class Kind : std::uint8_t { timestamp, active, aborted } kind;
  std::uint64_t timestamp = 0;
};
inline constexpr std::uint64_t before_everything = 1;  // the timestamp of what is older than every snapshot
Resolved resolve(const registry::Registry& registry, std::uint64_t stamp);

}  // namespace plimsoll::version
