#include "io/simulation/content.hpp"

#include <xxhash.h>

#include <algorithm>
#include <cstring>

#include "base/check.hpp"

namespace plimsoll::io::simulation {

namespace {

constexpr std::size_t blocks_for(std::uint64_t bytes) { return static_cast<std::size_t>((bytes + block_bytes - 1) / block_bytes); }

}  // namespace

void Content::need_slots(std::uint64_t end) {
  PLIMSOLL_CHECK(end <= bytes_max);
  if (slots_.size() < blocks_for(end)) slots_.resize(blocks_for(end));
}

std::uint64_t Content::unreserved_bytes(std::uint64_t offset, std::uint64_t bytes) const {
  std::uint64_t blocks = 0;
  for (std::size_t i = offset / block_bytes; i < blocks_for(offset + bytes); ++i) {
    if (i >= slots_.size() || !slots_[i].reserved) ++blocks;
  }
  return blocks * block_bytes;
}

void Content::read(std::uint64_t offset, std::span<char> into) const {
  std::size_t done = 0;
  while (done < into.size()) {
    const std::uint64_t at = offset + done;
    const std::size_t begin = at % block_bytes;
    const std::size_t bytes = std::min(block_bytes - begin, into.size() - done);
    const std::size_t index = at / block_bytes;
    if (index < slots_.size() && slots_[index].block) {
      std::memcpy(into.data() + done, slots_[index].block->data() + begin, bytes);
    } else {
      std::memset(into.data() + done, 0, bytes);
    }
    done += bytes;
  }
}

void Content::write_in_block(std::size_t index, std::size_t begin, std::span<const char> from) {
  PLIMSOLL_DCHECK(begin + from.size() <= block_bytes);
  Slot& slot = slots_[index];
  auto block = slot.block ? std::make_shared<Block>(*slot.block) : std::make_shared<Block>();
  std::memcpy(block->data() + begin, from.data(), from.size());
  slot.block = std::move(block);
  if (!slot.reserved) ++reserved_blocks_;
  slot.reserved = true;
}

void Content::write(std::uint64_t offset, std::span<const char> from) {
  if (from.empty()) return;
  need_slots(offset + from.size());
  std::size_t done = 0;
  while (done < from.size()) {
    const std::uint64_t at = offset + done;
    const std::size_t begin = at % block_bytes;
    const std::size_t bytes = std::min(block_bytes - begin, from.size() - done);
    write_in_block(at / block_bytes, begin, from.subspan(done, bytes));
    done += bytes;
  }
  size_ = std::max(size_, offset + from.size());
}

void Content::adopt(const Content& from, std::uint64_t offset, std::uint64_t bytes) {
  need_slots(offset + bytes);
  for (std::size_t i = offset / block_bytes; i < std::min(blocks_for(offset + bytes), from.slots_.size()); ++i) {
    reserved_blocks_ -= slots_[i].reserved ? 1 : 0;
    reserved_blocks_ += from.slots_[i].reserved ? 1 : 0;
    slots_[i] = from.slots_[i];
  }
  size_ = std::max(size_, offset + bytes);
}

void Content::grow(std::uint64_t to) {
  need_slots(to);
  size_ = std::max(size_, to);
}

void Content::cut(std::uint64_t to) {
  if (to >= size_) return;
  for (std::size_t i = blocks_for(to); i < slots_.size(); ++i) reserved_blocks_ -= slots_[i].reserved ? 1 : 0;
  slots_.resize(blocks_for(to));
  size_ = to;
  if (to % block_bytes == 0 || !slots_.back().block) return;
  auto block = std::make_shared<Block>(*slots_.back().block);
  std::fill(block->begin() + static_cast<std::ptrdiff_t>(to % block_bytes), block->end(), '\0');
  slots_.back().block = std::move(block);
}

void Content::release(std::uint64_t offset, std::uint64_t bytes) {
  PLIMSOLL_CHECK(offset % block_bytes == 0 && bytes % block_bytes == 0);
  for (std::size_t i = offset / block_bytes; i < std::min<std::size_t>(slots_.size(), blocks_for(offset + bytes)); ++i) {
    reserved_blocks_ -= slots_[i].reserved ? 1 : 0;
    slots_[i] = {};
  }
}

void Content::reserve(std::uint64_t offset, std::uint64_t bytes) {
  grow(offset + bytes);
  for (std::size_t i = offset / block_bytes; i < blocks_for(offset + bytes); ++i) {
    if (!slots_[i].reserved) ++reserved_blocks_;
    slots_[i].reserved = true;
  }
  PLIMSOLL_DCHECK(reserved_blocks_ <= slots_.size());
}

std::uint64_t Content::hash() const {
  static constexpr Block zeroes{};
  std::uint64_t hash = XXH3_64bits_withSeed(&size_, sizeof size_, 0);
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (!slots_[i].block || *slots_[i].block == zeroes) continue;
    hash = XXH3_64bits_withSeed(slots_[i].block->data(), block_bytes, hash ^ i);
  }
  return hash;
}

}  // namespace plimsoll::io::simulation
