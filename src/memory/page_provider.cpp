#include "memory/page_provider.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <limits>
#include <utility>

#include "base/check.hpp"
#include "base/fail.hpp"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23  // Linux 5.14
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102  // Linux 6.13; does not split the kernel's list of mappings, as mprotect does
#define MADV_GUARD_REMOVE 103
#endif

namespace plimsoll::memory {
namespace {

constexpr std::size_t page_bytes = PageProvider::page_bytes;

std::size_t round_up(std::size_t bytes, std::size_t unit) { return (bytes + unit - 1) / unit * unit; }

void unmap(char* at, std::size_t bytes) {
  if (bytes == 0 || munmap(at, bytes) == 0) return;
  // The kernel has no room to split its list of mappings: the addresses stay, their memory must not.
  PLIMSOLL_CHECK(madvise(at, bytes, MADV_DONTNEED) == 0);
}

// What follows the first `lead` bytes is aligned. Null: errno says why.
char* map_aligned(std::size_t bytes, std::size_t alignment, std::size_t lead = 0) {
  PLIMSOLL_DCHECK(bytes % page_bytes == 0 && alignment % page_bytes == 0 && lead % page_bytes == 0);
  const std::size_t spare = alignment - page_bytes;
  void* mapped = mmap(nullptr, bytes + spare, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  char* begin = static_cast<char*>(mapped);
  const auto address = reinterpret_cast<std::uintptr_t>(begin) + lead;
  const std::size_t before = round_up(address, alignment) - address;
  PLIMSOLL_CHECK(before <= spare);
  unmap(begin, before);
  unmap(begin + before + bytes, spare - before);
  return begin + before;
}

// A kernel without huge pages refuses both, and then there is nothing to choose.
void choose_page_size(char* at, std::size_t bytes, std::size_t unit) {
  madvise(at, bytes, unit % PageProvider::huge_page_bytes == 0 ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
}

// Makes the range resident; 0 or an errno.
int populate(char* at, std::size_t bytes) {
  while (madvise(at, bytes, MADV_POPULATE_WRITE) != 0) {
    if (errno == EINTR || errno == EAGAIN) continue;
    if (errno != EINVAL) return errno;
    for (std::size_t i = 0; i < bytes; i += page_bytes) *static_cast<volatile char*>(at + i) = 0;  // an older kernel
    break;
  }
  return 0;
}

}  // namespace

Mapping::Mapping(Mapping&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)),
      guard_bytes_(std::exchange(other.guard_bytes_, 0)),
      charge_(std::move(other.charge_)) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  if (this == &other) return *this;
  release();
  data_ = std::exchange(other.data_, nullptr);
  bytes_ = std::exchange(other.bytes_, 0);
  guard_bytes_ = std::exchange(other.guard_bytes_, 0);
  charge_ = std::move(other.charge_);
  return *this;
}

Mapping::~Mapping() { release(); }

void Mapping::release() {
  PLIMSOLL_DCHECK((data_ != nullptr) == (bytes_ != 0));
  unmap(data_, bytes_ + guard_bytes_);  // before the discharge: what is charged is never less than what is held
  charge_.release();
  data_ = nullptr;
  bytes_ = guard_bytes_ = 0;
}

ChunkArena::ChunkArena(ChunkArena&& other) noexcept { *this = std::move(other); }

ChunkArena& ChunkArena::operator=(ChunkArena&& other) noexcept {
  if (this == &other) return *this;
  release();
  budget_ = std::exchange(other.budget_, nullptr);
  account_ = other.account_;
  data_ = std::exchange(other.data_, nullptr);
  chunk_bytes_ = std::exchange(other.chunk_bytes_, 0);
  chunks_ = std::exchange(other.chunks_, 0);
  committed_ = std::move(other.committed_);
  return *this;
}

ChunkArena::~ChunkArena() { release(); }

void ChunkArena::release() {
  if (data_ == nullptr) return;
  const std::size_t charged = committed_chunks() * chunk_bytes_;
  unmap(data_, chunks_ * chunk_bytes_ + PageProvider::slack_bytes);
  budget_->discharge(account_, charged);
  committed_ = Mapping();
  data_ = nullptr;
  chunks_ = 0;
}

bool ChunkArena::try_commit(std::size_t index, Site site) {
  PLIMSOLL_CHECK(index < chunks_ && !committed(index));
  return budget_->try_charge(account_, chunk_bytes_, site) && fault(index) == 0;
}

Result<void> ChunkArena::commit(std::size_t index, Site site) {
  PLIMSOLL_CHECK(index < chunks_ && !committed(index));
  PLIMSOLL_TRY(budget_->charge(account_, chunk_bytes_, site));
  if (const int error = fault(index); error != 0) return fail_os(error, "{} bytes of memory for {}", chunk_bytes_, name(account_));
  return {};
}

// Huge pages only where memory is charged: what a late reader makes resident elsewhere is then 4 KiB, not 2 MiB.
int ChunkArena::fault(std::size_t index) {
  choose_page_size(chunk(index), chunk_bytes_, chunk_bytes_);
  const int error = populate(chunk(index), chunk_bytes_);
  if (error == 0) {
    std::atomic_ref(committed_.as<std::uint8_t>()[index]).store(1, std::memory_order_release);
  } else {
    PLIMSOLL_CHECK(madvise(chunk(index), chunk_bytes_, MADV_DONTNEED) == 0);  // the part that did come
    budget_->discharge(account_, chunk_bytes_);
  }
  return error;
}

void ChunkArena::decommit(std::size_t index) {
  PLIMSOLL_CHECK(index < chunks_ && committed(index));
  choose_page_size(chunk(index), chunk_bytes_, page_bytes);
  PLIMSOLL_CHECK(madvise(chunk(index), chunk_bytes_, MADV_DONTNEED) == 0);
  std::atomic_ref(committed_.as<std::uint8_t>()[index]).store(0, std::memory_order_release);
  budget_->discharge(account_, chunk_bytes_);
}

void ChunkArena::scrub(std::size_t index) {
  PLIMSOLL_CHECK(index < chunks_ && !committed(index));
  PLIMSOLL_CHECK(madvise(chunk(index), chunk_bytes_, MADV_DONTNEED) == 0);
}

bool ChunkArena::committed(std::size_t index) const {
  PLIMSOLL_DCHECK(index < chunks_);
  return std::atomic_ref(committed_.as<std::uint8_t>()[index]).load(std::memory_order_acquire) != 0;
}

std::size_t ChunkArena::committed_chunks() const {
  std::size_t n = 0;
  for (std::size_t i = 0; i < chunks_; ++i) n += committed(i);
  return n;
}

Result<Mapping> PageProvider::map(Account account, std::size_t bytes, const MapOptions& options, Site site) {
  if (bytes <= budget_.limit()) bytes = round_up(std::max<std::size_t>(bytes, 1), page_bytes);  // else refused as it is
  Mapping mapping;
  PLIMSOLL_ASSIGN(mapping.charge_, Charge::take(budget_, account, bytes, site));
  PLIMSOLL_CHECK(options.lead_bytes < bytes && options.lead_bytes % page_bytes == 0);
  const std::size_t rest = bytes - options.lead_bytes;
  const std::size_t alignment = rest % huge_page_bytes == 0 ? huge_page_bytes : page_bytes;
  const std::size_t guard = options.guard ? page_bytes : 0;
  char* data = map_aligned(bytes + guard, alignment, options.lead_bytes);
  if (data == nullptr) return fail_os(errno, "{} bytes of memory for {}", bytes, name(account));
  mapping.data_ = data;
  mapping.bytes_ = bytes;
  mapping.guard_bytes_ = guard;
  if (guard != 0 && !protect(data + bytes, guard)) return fail_os(errno, "a guard page for {}", name(account));
  if (options.lead_bytes != 0) choose_page_size(data, options.lead_bytes, page_bytes);
  choose_page_size(data + options.lead_bytes, rest, rest);
  if (options.exclude_from_dumps) madvise(data, bytes, MADV_DONTDUMP);
  if (!options.prefault) return mapping;
  if (const int error = populate(data, bytes); error != 0) return fail_os(error, "{} bytes of memory for {}", bytes, name(account));
  return mapping;
}

bool PageProvider::protect(char* at, std::size_t bytes) {
  if (madvise(at, bytes, MADV_GUARD_INSTALL) == 0) return true;
  PLIMSOLL_CHECK(madvise(at, bytes, MADV_DONTNEED) == 0);
  return mprotect(at, bytes, PROT_NONE) == 0;
}

bool PageProvider::open(char* at, std::size_t bytes) {
  return madvise(at, bytes, MADV_GUARD_REMOVE) == 0 || mprotect(at, bytes, PROT_READ | PROT_WRITE) == 0;
}

Result<ChunkArena> PageProvider::reserve(Account account, std::size_t chunk_bytes, std::size_t chunks, Site site) {
  PLIMSOLL_CHECK(chunk_bytes != 0 && chunk_bytes % page_bytes == 0);
  PLIMSOLL_CHECK(chunks != 0 && chunks < std::numeric_limits<std::size_t>::max() / 2 / chunk_bytes);
  ChunkArena arena;
  PLIMSOLL_ASSIGN(arena.committed_, map(account, chunks, {}, site));
  const std::size_t bytes = chunks * chunk_bytes;
  char* data = map_aligned(bytes + slack_bytes, chunk_bytes);
  if (data == nullptr) return fail_os(errno, "{} bytes of addresses for {}", bytes, name(account));
  arena.budget_ = &budget_;
  arena.account_ = account;
  arena.data_ = data;
  arena.chunk_bytes_ = chunk_bytes;
  arena.chunks_ = chunks;
  choose_page_size(data, bytes, page_bytes);
  if (mprotect(data + bytes, slack_bytes, PROT_READ) != 0) return fail_os(errno, "protecting the memory after {}", name(account));
  return arena;
}

std::size_t PageProvider::chunk_bytes() const { return budget_.limit_at_first() < (64u << 20) ? 256u << 10 : 2u << 20; }

}  // namespace plimsoll::memory
