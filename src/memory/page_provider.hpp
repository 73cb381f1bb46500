// The only caller of mmap, munmap, mprotect and madvise. Hands out zeroed, page-aligned, already faulted memory that is charged to
// an account, in huge pages where the size is a multiple of 2 MiB and the kernel agrees, and never in huge pages otherwise: memory
// then becomes resident exactly as it is charged.
//
// Reading a decommitted chunk maps the kernel's shared zero page, which is nobody's memory: it is neither charged nor part of the
// resident size (a test measures it; docs/limitations.md says what a kernel without that page does). Writing there would be
// uncharged memory and is forbidden.
#pragma once

#include <cstddef>
#include <span>

#include "memory/budget.hpp"

namespace plimsoll::memory {

// Move-only owner of a mapped span; unmaps and discharges when it dies.
class Mapping {
 public:
  Mapping() = default;
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  ~Mapping();

  char* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }
  explicit operator bool() const { return data_ != nullptr; }
  template <class T>
  T* as() const {
    return static_cast<T*>(static_cast<void*>(data_));
  }

 private:
  friend class PageProvider;
  void release();
  char* data_ = nullptr;
  std::size_t bytes_ = 0;
  std::size_t guard_bytes_ = 0;  // that follow and nobody can touch
  Charge charge_;
};

struct MapOptions {
  std::size_t lead_bytes = 0;       // stand in small pages before the rest; the rest is what is aligned and gets huge pages
  bool prefault = true;             // false: charged at once, resident when it is touched
  bool guard = false;               // an access behind the end is a fault; such pages have no memory and are not charged
  bool exclude_from_dumps = false;  // the system's core dumps leave it out
};

// An address range without memory in it: chunks inside are committed (charged, faulted, zeroed) and decommitted (given back to the
// system, discharged). Committing keeps addresses stable, so that optimistic readers of a decommitted chunk read zeroes, never
// fault. commit/decommit of one chunk must not race with each other; different chunks may.
class ChunkArena {
 public:
  ChunkArena() = default;
  ChunkArena(ChunkArena&& other) noexcept;
  ChunkArena& operator=(ChunkArena&& other) noexcept;
  ~ChunkArena();  // decommits what is committed

  char* chunk(std::size_t index) const { return data_ + index * chunk_bytes_; }
  std::size_t chunk_bytes() const { return chunk_bytes_; }
  std::size_t chunks() const { return chunks_; }
  // try_commit never reclaims; commit may. False / memory_budget_exceeded when the budget has no room, io_error when the system has
  // none.
  bool try_commit(std::size_t index, Site site = Site::current());
  Result<void> commit(std::size_t index, Site site = Site::current());
  void decommit(std::size_t index);
  bool committed(std::size_t index) const;
  // Gives the system what late readers and writers have made resident in a chunk that is not committed; must not race with commit.
  void scrub(std::size_t index);
  std::size_t committed_chunks() const;  // O(chunks)

 private:
  friend class PageProvider;
  int fault(std::size_t index);  // 0 or an errno; takes over a charge that was made
  void release();
  MemoryBudget* budget_ = nullptr;
  Account account_{};
  char* data_ = nullptr;
  std::size_t chunk_bytes_ = 0, chunks_ = 0;
  Mapping committed_;  // one byte a chunk
};

class PageProvider {
 public:
  static constexpr std::size_t page_bytes = 4096;
  static constexpr std::size_t huge_page_bytes = 2u << 20;
  static constexpr std::size_t slack_bytes = 64u << 10;

  explicit PageProvider(MemoryBudget& budget) : budget_(budget) {}
  MemoryBudget& budget() const { return budget_; }
  // Bytes are rounded up to 4 KiB; those of the lead are part of them.
  Result<Mapping> map(Account account, std::size_t bytes, const MapOptions& options = {}, Site site = Site::current());
  // Whole pages of a mapping that lose their content and cannot be touched (a fault) until they are opened again, zeroed. They stay
  // charged. False, and nothing is changed but their content: the process may have no more mappings (older kernels).
  [[nodiscard]] static bool protect(char* at, std::size_t bytes);
  [[nodiscard]] static bool open(char* at, std::size_t bytes);
  // Reserves addresses only; aligned to chunk_bytes, a multiple of 4 KiB. A slack of 64 KiB readable zero bytes follows the last
  // chunk, for torn reads.
  Result<ChunkArena> reserve(Account account, std::size_t chunk_bytes, std::size_t chunks, Site site = Site::current());
  // 2 MiB, or 256 KiB for budgets that were below 64 MiB at first.
  std::size_t chunk_bytes() const;

 private:
  MemoryBudget& budget_;
};

}  // namespace plimsoll::memory
