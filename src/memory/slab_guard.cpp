#include "memory/slab_guard.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.hpp"

namespace plimsoll::memory {
namespace {

constexpr std::size_t page_bytes = PageProvider::page_bytes;
constexpr char pattern = '\x5A';

bool is_pattern(const char* from, const char* to) {
  return std::all_of(from, to, [](char c) { return c == pattern; });
}

}  // namespace

Result<Mapping> SlabGuards::map(PageProvider& provider, Account account, std::size_t places) {
  return provider.map(account, (2 * places + 1) * page_bytes);
}

SlabGuards::SlabGuards(Mapping memory) : memory_(std::move(memory)) {
  if (!memory_) return;
  if (!PageProvider::protect(memory_.data(), memory_.bytes())) return;  // nothing is sampled
  places_ = (memory_.bytes() / page_bytes - 1) / 2;
  PLIMSOLL_CHECK(places_ != 0 && places_ <= places_max);
}

std::size_t SlabGuards::place_of(const char* at) const {
  return (static_cast<std::size_t>(at - memory_.data()) / page_bytes - 1) / 2;
}

// Places are used in turn, so that one just freed is used again after all the others.
char* SlabGuards::take(std::size_t bytes, std::size_t alignment, std::uint64_t now_ns) {
  bytes = std::max<std::size_t>(bytes, 1);
  if (bytes > object_bytes_max || alignment > page_bytes) return nullptr;
  const MutexLock lock(mutex_);
  std::size_t tried = 0;
  while (tried < places_ && samples_[next_].at != nullptr) {
    next_ = (next_ + 1) % places_;
    ++tried;
  }
  if (tried == places_) return nullptr;
  char* page = page_of(next_);
  if (!PageProvider::open(page, page_bytes)) return nullptr;
  std::memset(page, pattern, page_bytes);
  char* at = page + (page_bytes - bytes) / alignment * alignment;
  samples_[next_] = {.at = at, .label = SlabLabel::now(), .bytes = bytes, .taken_ns = now_ns};
  next_ = (next_ + 1) % places_;
  ++taken_;
  return at;
}

void SlabGuards::give(char* at, std::size_t bytes) {
  const MutexLock lock(mutex_);
  const std::size_t place = place_of(at);
  PLIMSOLL_CHECK(place < places_);
  SlabSample& sample = samples_[place];
  PLIMSOLL_CHECK(sample.at == at && sample.bytes == std::max<std::size_t>(bytes, 1));  // else given back twice, or a wrong size
  char* page = page_of(place);
  PLIMSOLL_CHECK(is_pattern(page, at) && is_pattern(at + sample.bytes, page + page_bytes));  // else written beside the object
  static_cast<void>(PageProvider::protect(page, page_bytes));  // where that fails, nobody notices a late use of the object
  sample = {};
}

std::uint64_t SlabGuards::taken() const {
  const MutexLock lock(mutex_);
  return taken_;
}

std::size_t SlabGuards::list(std::array<SlabSample, places_max>& into) const {
  const MutexLock lock(mutex_);
  std::size_t live = 0;
  for (const SlabSample& sample : samples_) {
    if (sample.at != nullptr) into[live++] = sample;
  }
  return live;
}

}  // namespace plimsoll::memory
