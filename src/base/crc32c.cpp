#include "base/crc32c.hpp"

#include <nmmintrin.h>

#include <cstring>

namespace plimsoll {

std::uint32_t crc32c(std::uint32_t seed, const void* data, std::size_t bytes) {
  const char* at = static_cast<const char*>(data);
  std::uint64_t crc = ~seed;
  for (; bytes >= 8; bytes -= 8, at += 8) {
    std::uint64_t word;
    std::memcpy(&word, at, 8);
    crc = _mm_crc32_u64(crc, word);
  }
  auto crc32 = static_cast<std::uint32_t>(crc);
  for (; bytes != 0; --bytes, ++at) crc32 = _mm_crc32_u8(crc32, static_cast<unsigned char>(*at));
  return ~crc32;
}

}  // namespace plimsoll
