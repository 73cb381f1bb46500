#include "log/ring.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace plimsoll::log {

Ring::Ring(memory::Mapping memory) : memory_(std::move(memory)), data_(memory_.data()), mask_(memory_.bytes() - 1) {
  PLIMSOLL_CHECK(data_ != nullptr && std::has_single_bit(memory_.bytes()));
  PLIMSOLL_CHECK(memory_.bytes() >= 4 * io::block_bytes);
}

void Ring::start(std::uint64_t end, std::span<const char> partial) {
  const std::uint64_t begin = block_begin(end);
  PLIMSOLL_CHECK(end % 8 == 0 && partial.size() == end - begin);
  std::copy(partial.begin(), partial.end(), at(begin));
  freed_.store(begin, std::memory_order_release);
}

void Ring::copy(std::uint64_t position, std::string_view from) {
  PLIMSOLL_DCHECK(from.size() <= mask_);
  const std::size_t first = std::min<std::size_t>(from.size(), bytes() - (position & mask_));
  from.copy(at(position), first);  // not memcpy: an empty view may be null
  if (first < from.size()) [[unlikely]]
    std::memcpy(data_, from.data() + first, from.size() - first);
}

void Ring::publish(std::uint64_t position, std::uint32_t bytes, std::uint32_t crc) {
  PLIMSOLL_DCHECK(position % 8 == 0 && bytes != 0 && bytes % 8 == 0);
  auto* word = static_cast<std::uint64_t*>(static_cast<void*>(at(position)));
  std::atomic_ref(*word).store(std::uint64_t{crc} << 32 | bytes, std::memory_order_release);
}

std::uint64_t Ring::published(std::uint64_t from) const {
  std::uint64_t end = from;
  while (true) {
    auto* word = static_cast<std::uint64_t*>(static_cast<void*>(at(end)));
    const auto length = static_cast<std::uint32_t>(std::atomic_ref(*word).load(std::memory_order_acquire));
    if (length == 0) return end;
    PLIMSOLL_CHECK(length % 8 == 0);
    end += length;
    PLIMSOLL_CHECK(end - from < bytes());
  }
}

std::span<char> Ring::run(std::uint64_t position, std::uint64_t bytes) {
  return {at(position), std::min(bytes, this->bytes() - (position & mask_))};
}

void Ring::read(std::uint64_t position, std::span<char> into) const {
  PLIMSOLL_DCHECK(into.size() <= bytes());
  const std::size_t first = std::min<std::size_t>(into.size(), bytes() - (position & mask_));
  std::memcpy(into.data(), at(position), first);
  if (first < into.size()) std::memcpy(into.data() + first, data_, into.size() - first);
}

void Ring::advance(std::uint64_t durable_before, std::uint64_t durable) {
  PLIMSOLL_DCHECK(durable_before <= durable);
  const std::uint64_t end = block_begin(durable);
  std::uint64_t begin = block_begin(durable_before);
  PLIMSOLL_CHECK(begin == freed_.load(std::memory_order_relaxed));
  while (begin < end) {
    const std::span<char> piece = run(begin, end - begin);
    std::memset(piece.data(), 0, piece.size());
    begin += piece.size();
  }
  freed_.store(end, std::memory_order_seq_cst);  // before whoever waits for room is looked for
}

}  // namespace plimsoll::log
