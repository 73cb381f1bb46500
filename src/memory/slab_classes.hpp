// The size classes of the slab allocator: steps of 16 bytes up to 128, then eight a doubling up to 32 KiB, so that rounding up
// wastes less than an eighth. Powers of two from 4 KiB on are blocks: they come from the block pool one by one, aligned to their
// size, and need no slab. Everything else is carved from spans of 64 KiB, or 256 KiB above 8 KiB.
//
// A class with a size that is a multiple of 2^k aligns its objects to 2^k, up to 4 KiB.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace plimsoll::memory {

struct SlabClasses {
  static constexpr std::size_t granule = 16;
  static constexpr std::size_t linear_max = 128, object_bytes_max = 32u << 10, block_bytes_least = 4096;
  static constexpr unsigned steps = 8;  // a doubling
  static constexpr unsigned count = linear_max / granule + steps * 8;
  static constexpr std::size_t unit_bytes = 64u << 10;  // spans begin at multiples of it
  static constexpr std::size_t alignment_max = 4096;
  static constexpr unsigned magazine_rounds_max = 126;

  static constexpr std::size_t size(unsigned index) {
    if (index < linear_max / granule) return (index + 1) * granule;
    const unsigned above = index - linear_max / granule;
    return static_cast<std::size_t>(steps + 1 + above % steps) << (above / steps + 4);
  }

  // The smallest class that holds `bytes`, which are at most object_bytes_max.
  static constexpr unsigned of(std::size_t bytes) { return bytes <= table_bytes ? of_small(bytes) : compute(bytes); }

  // The same without a branch, if is_small().
  static constexpr bool is_small(std::size_t bytes, std::size_t alignment) { return bytes <= table_bytes && alignment <= granule; }
  static constexpr unsigned of_small(std::size_t bytes) { return table[(bytes + granule - 1) / granule]; }

  // The same for an alignment, a power of two up to alignment_max; `count` if there is none.
  static constexpr unsigned of(std::size_t bytes, std::size_t alignment) {
    if (alignment <= granule) return of(bytes);
    unsigned index = of(std::max(bytes, alignment));
    while (index < count && size(index) % alignment != 0) ++index;
    return index;
  }

  static constexpr bool is_block(std::size_t bytes) { return bytes >= block_bytes_least && std::has_single_bit(bytes); }
  static constexpr std::size_t span_bytes(std::size_t bytes) { return bytes <= 8192 ? unit_bytes : 4 * unit_bytes; }
  // Objects in a magazine: 16 KiB of them, less than a block for the large ones.
  static constexpr unsigned rounds(std::size_t bytes) {
    return static_cast<unsigned>(std::clamp<std::size_t>((16u << 10) / bytes, 1, magazine_rounds_max));
  }

 private:
  static constexpr std::size_t table_bytes = 1024;

  static constexpr unsigned compute(std::size_t bytes) {
    if (bytes <= linear_max) return bytes == 0 ? 0 : static_cast<unsigned>((bytes - 1) / granule);
    const auto width = static_cast<unsigned>(std::bit_width(bytes - 1));
    return static_cast<unsigned>(linear_max / granule) + (width - 8) * steps +
           static_cast<unsigned>(((bytes - 1) >> (width - 4)) - steps);
  }
  static constexpr auto make_table() {
    std::array<std::uint8_t, table_bytes / granule + 1> all{};
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint8_t>(compute(i * granule));
    return all;
  }
  static const std::array<std::uint8_t, table_bytes / granule + 1> table;
};

inline constexpr std::array<std::uint8_t, SlabClasses::table_bytes / SlabClasses::granule + 1> SlabClasses::table = make_table();

static_assert(SlabClasses::size(SlabClasses::count - 1) == SlabClasses::object_bytes_max);

}  // namespace plimsoll::memory
