// Vocabulary types shared by the public API and every layer: byte strings, sizes, strong ids.
// Plain values, no ownership; all are trivially copyable and safe to share between threads.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace plimsoll {

// A byte string that somebody else owns. Keys and values may hold any byte, NUL included.
using Bytes = std::string_view;

// A number that cannot be mixed up with another kind of number.
template <class Tag, class Rep>
struct StrongId {
  Rep value{};

  constexpr StrongId() = default;
  constexpr explicit StrongId(Rep v) : value(v) {}
  constexpr explicit operator bool() const { return value != 0; }
  friend constexpr auto operator<=>(StrongId, StrongId) = default;
};

// Hybrid logical clock value: 47 bits of milliseconds since 1970, 16 bits of logical counter; the top bit is always 0.
// 0 means "before everything".
using Timestamp = StrongId<struct TimestampTag, std::uint64_t>;

// Transaction id: never reused within a store. Bits 0..16 are the registry slot, bits 17..62 a sequence. 0 means "none".
using TxnId = StrongId<struct TxnIdTag, std::uint64_t>;

// Byte position in the log's stream. The stream never restarts; position 0 is never used.
using Lsn = StrongId<struct LsnTag, std::uint64_t>;

// A tree is known by the number of its root page, which never moves.
using TreeId = StrongId<struct TreeIdTag, std::uint32_t>;

constexpr std::size_t operator""_KiB(unsigned long long n) { return static_cast<std::size_t>(n) << 10; }
constexpr std::size_t operator""_MiB(unsigned long long n) { return static_cast<std::size_t>(n) << 20; }
constexpr std::size_t operator""_GiB(unsigned long long n) { return static_cast<std::size_t>(n) << 30; }

}  // namespace plimsoll
