#include "memory/slab_span.hpp"

#include <algorithm>
#include <bit>

#include "base/check.hpp"
#include "memory/slab_classes.hpp"

namespace plimsoll::memory {
namespace {

constexpr unsigned word_bits = 64;

constexpr std::size_t words_for(std::size_t objects) { return (objects + word_bits - 1) / word_bits; }

}  // namespace

SlabSpan::SlabSpan(unsigned index, std::size_t span_bytes, std::size_t size)
    : index_(index), size_(static_cast<std::uint32_t>(size)) {
  PLIMSOLL_CHECK(size % SlabClasses::granule == 0 && size <= SlabClasses::object_bytes_max);
  const std::size_t header = sizeof(SlabSpan) + words_for(span_bytes / size) * sizeof(std::uint64_t);
  const std::size_t alignment = std::min(size & (~size + 1), SlabClasses::alignment_max);
  first_ = static_cast<std::uint32_t>((header + alignment - 1) / alignment * alignment);
  capacity_ = static_cast<std::uint32_t>((span_bytes - first_) / size);
  PLIMSOLL_CHECK(capacity_ != 0 && capacity_ <= capacity_max);
  for (unsigned i = 0; i < words_for(capacity_); ++i) in()[i] = ~std::uint64_t{0};
  if (capacity_ % word_bits != 0) in()[capacity_ / word_bits] = (std::uint64_t{1} << capacity_ % word_bits) - 1;
  poison(begin() + first_, span_bytes - first_);
}

unsigned SlabSpan::take(char** into, unsigned most, SlabMark mark) {
  const unsigned words = static_cast<unsigned>(words_for(capacity_));
  unsigned taken = 0;
  for (; hint_ < words; ++hint_) {
    std::uint64_t& word = in()[hint_];
    while (word != 0 && taken < most) {
      const unsigned number = hint_ * word_bits + static_cast<unsigned>(std::countr_zero(word));
      word &= word - 1;
      char* at = object(number);
      if (number >= touched_) {
        mark.put(at);
        touched_ = number + 1;
      }
      into[taken++] = at;
    }
    if (taken == most) break;
  }
  out_ += taken;
  PLIMSOLL_CHECK(out_ <= capacity_);
  return taken;
}

unsigned SlabSpan::number_of(const char* at) const {
  const auto offset = static_cast<std::uint32_t>(at - static_cast<const char*>(static_cast<const void*>(this)));
  return (offset - first_) / size_;
}

bool SlabSpan::is_object(const char* at) const {
  const auto offset = static_cast<std::size_t>(at - static_cast<const char*>(static_cast<const void*>(this)));
  return offset >= first_ && (offset - first_) % size_ == 0 && (offset - first_) / size_ < capacity_;
}

void SlabSpan::give(char* at) {
  PLIMSOLL_CHECK(is_object(at));
  const unsigned number = number_of(at);
  std::uint64_t& word = in()[number / word_bits];
  const std::uint64_t bit = std::uint64_t{1} << number % word_bits;
  PLIMSOLL_CHECK((word & bit) == 0 && out_ != 0);  // else given back twice
  word |= bit;
  hint_ = std::min(hint_, number / word_bits);
  --out_;
}

unsigned SlabSpan::list_out(unsigned& from, char** into, unsigned most) const {
  unsigned listed = 0;
  for (; from < capacity_ && listed < most; ++from) {
    if ((in()[from / word_bits] >> from % word_bits & 1) == 0) {
      into[listed++] = const_cast<SlabSpan*>(this)->object(from);  // NOLINT: the objects are not the header's
    }
  }
  return listed;
}

}  // namespace plimsoll::memory
