#include "memory/buddy.hpp"

#include <bit>
#include <limits>
#include <new>
#include <utility>

#include "base/check.hpp"
#include "memory/poison.hpp"

namespace plimsoll::memory {
namespace {

// A byte of the table: 0 where no block begins, else state and order.
constexpr std::uint8_t free_block = 0x40, taken_block = 0x80;
constexpr std::uint8_t entry(std::uint8_t state, unsigned order) { return static_cast<std::uint8_t>(state | order); }

constexpr unsigned order_mask = 0x07;

static_assert(Buddy::block_bytes_max == 256u << 10 && Buddy::order_max <= order_mask);
static_assert((free_block & Buddy::order_max) == 0 && (taken_block & Buddy::order_max) == 0);

}  // namespace

unsigned Buddy::order_of(std::size_t bytes) {
  PLIMSOLL_DCHECK(bytes <= block_bytes_max);
  if (bytes <= unit_bytes) return 0;
  return static_cast<unsigned>(std::bit_width((bytes - 1) / unit_bytes));
}

Buddy::Buddy(char* base, std::size_t chunk_bytes, std::size_t chunks, Mapping table, Mapping free_units)
    : base_(base),
      units_per_chunk_(chunk_bytes / unit_bytes),
      units_(units_per_chunk_ * chunks),
      table_(std::move(table)),
      free_units_(std::move(free_units)) {
  PLIMSOLL_CHECK(chunk_bytes % block_bytes_max == 0 && units_per_chunk_ <= std::numeric_limits<std::uint16_t>::max());
  PLIMSOLL_CHECK(table_.bytes() >= units_ && free_units_.bytes() >= chunks * sizeof(std::uint16_t));
  for (Link& head : free_) head = {&head, &head};
}

void Buddy::unlink(Link* link) {
  PLIMSOLL_DCHECK(link->before->after == link && link->after->before == link);
  link->before->after = link->after;
  link->after->before = link->before;
}

void Buddy::link_after(Link* at, Link* link) {
  *link = {at, at->after};
  at->after->before = link;
  at->after = link;
}

Buddy::Link* Buddy::link_of(std::size_t unit) const {
  PLIMSOLL_DCHECK(unit < units_);
  return static_cast<Link*>(static_cast<void*>(base_ + unit * unit_bytes));
}

void Buddy::put_free(std::size_t unit, unsigned order) {
  PLIMSOLL_DCHECK(table()[unit] == 0);
  table()[unit] = entry(free_block, order);
  Link* link = link_of(unit);
  poison(link + 1, bytes_of(order) - sizeof(Link));
  link_after(&free_[order], new (link) Link);
}

void Buddy::drop_free(std::size_t unit, unsigned order) {
  PLIMSOLL_CHECK(table()[unit] == entry(free_block, order));
  table()[unit] = 0;
  unlink(link_of(unit));
}

void Buddy::add_chunk(std::size_t chunk) {
  const std::size_t first = chunk * units_per_chunk_;
  PLIMSOLL_CHECK(first < units_ && free_units()[chunk] == 0 && table()[first] == 0);
  for (std::size_t i = 0; i < units_per_chunk_; i += 1u << order_max) put_free(first + i, order_max);
  free_units()[chunk] = static_cast<std::uint16_t>(units_per_chunk_);
}

void Buddy::remove_chunk(std::size_t chunk) {
  PLIMSOLL_CHECK(empty(chunk));
  const std::size_t first = chunk * units_per_chunk_;
  if (chunk == withheld_) {
    withheld_ = std::numeric_limits<std::size_t>::max();
  } else {
    for (std::size_t i = 0; i < units_per_chunk_; i += 1u << order_max) drop_free(first + i, order_max);
  }
  unpoison(link_of(first), units_per_chunk_ * unit_bytes);
  free_units()[chunk] = 0;
}

void Buddy::use_chunk_last(std::size_t chunk) {
  PLIMSOLL_CHECK(empty(chunk));
  const std::size_t first = chunk * units_per_chunk_;
  for (std::size_t i = 0; i < units_per_chunk_; i += 1u << order_max) {
    Link* link = link_of(first + i);
    unlink(link);
    link_after(free_[order_max].before, link);
  }
}

char* Buddy::take(unsigned order) {
  PLIMSOLL_DCHECK(order <= order_max);
  unsigned found = order;
  while (found <= order_max && free_[found].after == &free_[found]) ++found;
  if (found > order_max) return nullptr;
  const std::size_t unit = unit_of(static_cast<char*>(static_cast<void*>(free_[found].after)));
  drop_free(unit, found);
  unpoison(link_of(unit), bytes_of(found));
  while (found > order) {  // the upper halves stay free
    --found;
    put_free(unit + (std::size_t{1} << found), found);
  }
  table()[unit] = entry(taken_block, order);
  std::uint16_t& free = free_units()[unit / units_per_chunk_];
  PLIMSOLL_CHECK(free >= 1u << order);
  free = static_cast<std::uint16_t>(free - (1u << order));
  return base_ + unit * unit_bytes;
}

void Buddy::give(char* block, unsigned order) {
  PLIMSOLL_CHECK(owns(block) && static_cast<std::size_t>(block - base_) % unit_bytes == 0);
  const std::size_t unit = unit_of(block);
  PLIMSOLL_CHECK(table()[unit] == entry(taken_block, order));
  const std::size_t chunk = chunk_of(block);
  table()[unit] = 0;
  std::uint16_t& free = free_units()[chunk];
  free = static_cast<std::uint16_t>(free + (1u << order));
  PLIMSOLL_CHECK(free <= units_per_chunk_);
  if (chunk == withheld_) {
    poison(block, bytes_of(order));
  } else {
    put_merged(unit, order);
  }
}

void Buddy::put_merged(std::size_t unit, unsigned order) {
  // Chunks begin at multiples of the largest block, so that a buddy's number differs in one bit.
  while (order < order_max) {
    const std::size_t buddy = unit ^ (std::size_t{1} << order);
    if (table()[buddy] != entry(free_block, order)) break;
    drop_free(buddy, order);
    unit &= ~(std::size_t{1} << order);
    ++order;
  }
  unpoison(link_of(unit), sizeof(Link));
  put_free(unit, order);
}

void Buddy::withhold(std::size_t chunk) {
  PLIMSOLL_CHECK(withheld_ == std::numeric_limits<std::size_t>::max());
  const std::size_t first = chunk * units_per_chunk_;
  for (std::size_t unit = first; unit < first + units_per_chunk_;) {
    const std::uint8_t state = table()[unit];
    PLIMSOLL_CHECK(state != 0);  // the blocks of an added chunk cover it
    const unsigned order = state & order_mask;
    if ((state & free_block) != 0) {
      drop_free(unit, order);
      poison(link_of(unit), sizeof(Link));
    }
    unit += std::size_t{1} << order;
  }
  withheld_ = chunk;
}

void Buddy::restore(std::size_t chunk) {
  if (chunk != withheld_) return;  // it was removed
  withheld_ = std::numeric_limits<std::size_t>::max();
  const std::size_t first = chunk * units_per_chunk_;
  for (std::size_t unit = first; unit < first + units_per_chunk_;) {
    const std::uint8_t state = table()[unit];
    if (state == 0) put_merged(unit, 0);
    unit += state == 0 ? 1 : std::size_t{1} << (state & order_mask);
  }
}

}  // namespace plimsoll::memory
