#include "version/visibility.hpp"

namespace plimsoll::version {

using registry::Outcome;

bool View::sees_mark(std::uint64_t stamp) const {
  Backoff backoff;
  for (;;) {
    const Outcome outcome = registry->find(registry::id_of_mark(stamp));
    switch (outcome.kind) {
      case Outcome::Kind::long_committed: return true;
      case Outcome::Kind::committed: return outcome.timestamp.value <= snapshot;
      case Outcome::Kind::active:
      case Outcome::Kind::prepared:
      case Outcome::Kind::aborted: return false;
      case Outcome::Kind::pending:
        if (read_only) return false;  // rule 4: its timestamp will be above the read-only horizon
        backoff.pause();
    }
  }
}

Resolved resolve(const registry::Registry& registry, std::uint64_t stamp) {
  if (!registry::is_mark(stamp)) return {Resolved::Kind::timestamp, stamp};
  const Outcome outcome = registry.find(registry::id_of_mark(stamp));
  switch (outcome.kind) {
    case Outcome::Kind::long_committed: return {Resolved::Kind::timestamp, before_everything};
    case Outcome::Kind::committed: return {Resolved::Kind::timestamp, outcome.timestamp.value};
    case Outcome::Kind::aborted: return {Resolved::Kind::aborted};
    case Outcome::Kind::active:
    case Outcome::Kind::prepared:
    case Outcome::Kind::pending: break;
  }
  return {Resolved::Kind::active};
}

}  // namespace plimsoll::version
