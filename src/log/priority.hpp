// Who asks for room in the log. What makes room is never kept out by what needs it: aborts and reverts give back what transactions
// hold, a checkpoint gives back the log itself.
#pragma once

#include <cstdint>

namespace plimsoll::log {

enum class Priority : std::uint8_t {
  normal,      // not the last eighth of ring and space
  reserve,     // abort and revert: all of the ring, not the last sixteenth of the space
  checkpoint,  // all
};

}  // namespace plimsoll::log
