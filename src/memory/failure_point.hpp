// Where memory is asked for, and how a test makes that fail there. A site is a call of one of the functions that grant memory; each
// of them has a last parameter, Site, that is the caller's place in the source unless the caller hands on its own.
//
// In a build with PLIMSOLL_FAILURE_POINTS (that of the engine in tests/faults) whoever grants memory first asks a hook of the
// calling thread, which may say no; in all other builds a Site is empty, nobody is asked, and nothing of this is left. After the
// loops of SQLite's and Seastar's tests, which let the k-th allocation fail for every k.
#pragma once

#ifdef PLIMSOLL_FAILURE_POINTS
#include <source_location>
#endif

namespace plimsoll::memory {

#ifdef PLIMSOLL_FAILURE_POINTS
using Site = std::source_location;

class FailurePoints {
 public:
  virtual bool refuses(const Site& site) = 0;

 protected:
  ~FailurePoints() = default;
};
inline constinit thread_local FailurePoints* failure_points = nullptr;  // null: all is granted

inline bool refused(const Site& site) { return failure_points != nullptr && failure_points->refuses(site); }
#else
struct Site {
  static constexpr Site current() { return {}; }
};

constexpr bool refused(Site /*site*/) { return false; }
#endif

}  // namespace plimsoll::memory
