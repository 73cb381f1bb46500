// CRC32C (Castagnoli) with the processor's own instruction (SSE 4.2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace plimsoll {

std::uint32_t crc32c(std::uint32_t seed, const void* data, std::size_t bytes);
inline std::uint32_t crc32c(std::uint32_t seed, std::string_view data) { return crc32c(seed, data.data(), data.size()); }

}  // namespace plimsoll
