// What the pool knows about a frame beside its bytes: one cache line, kept while the frame's chunk is given back, so that version
// words never restart. Only the pool's own files look inside.
//
// Who may change what: `key`, `rec_lsn`, `flush_limit`, `changed_since_copy`: whoever holds the frame's page latched, or owns a
// taken frame. `last_word`: the owner of a frame that is not used. `pins`: up under the latch, down by anybody. `writing`: who has
// the writer's turn. `next_free` and the states free and parked: under the pool's free mutex.
#pragma once

#include <atomic>
#include <cstdint>

#include "storage/page.hpp"

namespace plimsoll::storage {

inline constexpr std::uint64_t no_key = ~std::uint64_t{0};

// absent -> free (its chunk was committed) -> taken (FreeFrame, or a page is about to appear) -> used -> free ...; free -> parked
// -> absent while its chunk is being given back.
enum class FrameState : std::uint8_t { absent, free, parked, taken, used };

struct alignas(64) FrameInfo {
  std::atomic<std::uint64_t> key{no_key};
  std::atomic<std::uint64_t> rec_lsn{0};      // lower bound of the oldest change that is not in the file; 0: clean
  std::atomic<std::uint64_t> flush_limit{0};  // the log must be durable up to here before the page is written, its LSN apart
  std::uint64_t last_word = 0;                // of the frame's previous page; the next one begins above
  std::atomic<std::uint32_t> pins{0};
  FrameIndex next_free = no_frame;
  std::atomic<FrameState> state{FrameState::absent};
  std::atomic<bool> writing{false};             // a copy of the page is on its way to the file
  std::atomic<bool> changed_since_copy{false};  // logged changes only
  std::atomic<bool> inner{false};               // an inner node, as who held it latched last has left it
};
static_assert(sizeof(FrameInfo) == 64);

}  // namespace plimsoll::storage
