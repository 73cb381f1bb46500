#include "memory/extent_cache.hpp"

#include <algorithm>
#include <cstdint>
#include <new>
#include <utility>

#include "base/check.hpp"
#include "memory/poison.hpp"

namespace plimsoll::memory {

// Stands at the begin of the mapping, in a page of its own.
struct ExtentCache::Header {
  Mapping mapping;    // all of it, this page included
  std::size_t bytes;  // what the owner knows of
  bool cached;

  std::size_t usable() const { return mapping.bytes() - PageProvider::page_bytes; }
};

namespace {

constexpr std::size_t page = PageProvider::page_bytes, huge_page = PageProvider::huge_page_bytes;

std::size_t round_up(std::size_t bytes, std::size_t unit) { return (bytes + unit - 1) / unit * unit; }

}  // namespace

std::size_t ExtentCache::extent_bytes(std::size_t bytes) {
  const std::size_t small = round_up(bytes, page), huge = round_up(bytes, huge_page);
  return huge - bytes < bytes / 8 ? huge : small;
}

ExtentCache::Header* ExtentCache::header_of(char* extent) {
  PLIMSOLL_CHECK(extent != nullptr && reinterpret_cast<std::uintptr_t>(extent) % page == 0);
  return static_cast<Header*>(static_cast<void*>(extent - page));
}

char* ExtentCache::take(std::size_t bytes, std::size_t& got) {
  if (bytes > provider_.budget().limit()) return nullptr;
  got = extent_bytes(bytes);
  if (char* extent = take_cached(got)) return extent;
  const MapOptions options{.lead_bytes = page,
                           .prefault = options_.prefault,
                           .guard = options_.guard,
                           .exclude_from_dumps = options_.exclude_from_dumps};
  auto mapping = provider_.map(account_, page + got, options);
  if (!mapping) return nullptr;
  char* start = mapping->data();
  new (start) Header{.mapping = std::move(*mapping), .bytes = got, .cached = false};
  return start + page;
}

// The smallest that fits and wastes less than an eighth; with guards its end must be the very end, and whole huge pages must begin
// with one.
char* ExtentCache::take_cached(std::size_t bytes) {
  const MutexLock lock(mutex_);
  std::size_t best = places;
  for (std::size_t i = 0; i < count_; ++i) {
    const std::size_t usable = cached_[i]->usable();
    if (usable < bytes || usable - bytes >= (options_.guard ? 1 : bytes / 8)) continue;
    if (bytes % huge_page == 0 && (reinterpret_cast<std::uintptr_t>(cached_[i]) + page) % huge_page != 0) continue;
    if (best == places || usable < cached_[best]->usable()) best = i;
  }
  if (best == places) return nullptr;
  Header* header = remove(best);
  header->bytes = bytes;
  char* extent = static_cast<char*>(static_cast<void*>(header)) + page;
  unpoison(extent, bytes);
  return extent;
}

// Makes room by giving up older ones, each outside of the mutex.
void ExtentCache::give(char* extent, std::size_t got) {
  Header* header = header_of(extent);
  PLIMSOLL_CHECK(header->mapping.data() == extent - page && header->bytes == got);  // else underrun, or another extent's size
  for (Header* oldest = nullptr;; unmap(std::exchange(oldest, nullptr))) {
    const MutexLock lock(mutex_);
    PLIMSOLL_CHECK(!header->cached);  // given back twice
    if (header->mapping.bytes() > options_.cached_bytes_max) break;
    if (count_ < places && cached_bytes_ + header->mapping.bytes() <= options_.cached_bytes_max) return keep(header);
    oldest = remove(0);
  }
  unmap(header);
}

void ExtentCache::keep(Header* header) {
  poison(static_cast<char*>(static_cast<void*>(header)) + page, header->usable());
  header->cached = true;
  cached_[count_++] = header;
  cached_bytes_ += header->mapping.bytes();
}

ExtentCache::Header* ExtentCache::remove(std::size_t place) {
  PLIMSOLL_CHECK(place < count_);
  Header* header = cached_[place];
  std::move(cached_.begin() + static_cast<std::ptrdiff_t>(place) + 1, cached_.begin() + static_cast<std::ptrdiff_t>(count_),
            cached_.begin() + static_cast<std::ptrdiff_t>(place));
  --count_;
  PLIMSOLL_CHECK(header->cached && header->mapping.bytes() <= cached_bytes_);
  cached_bytes_ -= header->mapping.bytes();
  header->cached = false;
  return header;
}

std::size_t ExtentCache::unmap(Header* header) {
  const Mapping mapping = std::move(header->mapping);  // its memory, and the header's, goes at the end of this scope
  unpoison(mapping.data(), mapping.bytes());
  return mapping.bytes();
}

std::size_t ExtentCache::trim(std::size_t bytes) {
  std::size_t discharged = 0;
  while (discharged < bytes) {
    Header* header = nullptr;
    {
      const MutexLock lock(mutex_);
      if (count_ != 0) header = remove(0);
    }
    if (header == nullptr) break;
    discharged += unmap(header);
  }
  return discharged;
}

std::size_t ExtentCache::cached_bytes() const {
  const MutexLock lock(mutex_);
  return cached_bytes_;
}

}  // namespace plimsoll::memory
