// Where page images land before they are checked: an image never lies unchecked in a frame, because its first bytes would be taken
// for a version word by readers with an old hint. At most 64 buffers of a page each; whoever finds none waits until one comes back,
// which takes no longer than a read. Charged to Account::io_buffers. Thread-safe.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <utility>

#include "base/check.hpp"
#include "base/fail.hpp"
#include "base/latch.hpp"
#include "memory/page_provider.hpp"

namespace plimsoll::storage {

class ReadBuffers {
 public:
  static constexpr std::size_t buffers_max = 64;

  // Move-only owner of one buffer.
  class Buffer {
   public:
    Buffer() = default;
    Buffer(Buffer&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)), index_(other.index_) {}
    Buffer& operator=(Buffer&& other) noexcept {
      std::swap(owner_, other.owner_);
      std::swap(index_, other.index_);
      return *this;
    }
    ~Buffer() {
      if (owner_ != nullptr) owner_->free_.fetch_or(std::uint64_t{1} << index_, std::memory_order_release);
    }
    explicit operator bool() const { return owner_ != nullptr; }
    char* data() const { return owner_->memory_.data() + index_ * owner_->page_bytes_; }

   private:
    friend class ReadBuffers;
    Buffer(ReadBuffers* owner, unsigned index) : owner_(owner), index_(index) {}
    ReadBuffers* owner_ = nullptr;
    unsigned index_ = 0;
  };

  Result<void> open(memory::PageProvider& provider, std::size_t page_bytes, std::size_t count) {
    PLIMSOLL_CHECK(count != 0 && count <= buffers_max);
    page_bytes_ = page_bytes;
    PLIMSOLL_ASSIGN(memory_, provider.map(memory::Account::io_buffers, page_bytes * count));
    free_ = ~std::uint64_t{0} >> (buffers_max - count);
    return {};
  }

  // An empty one if all are in use.
  Buffer try_take() {
    for (std::uint64_t free = free_.load(std::memory_order_relaxed); free != 0;) {
      if (free_.compare_exchange_weak(free, free & (free - 1), std::memory_order_acquire)) {
        return {this, static_cast<unsigned>(std::countr_zero(free))};
      }
    }
    return {};
  }
  Buffer take() {
    for (Backoff backoff;; backoff.pause()) {
      if (Buffer buffer = try_take()) return buffer;
    }
  }

 private:
  memory::Mapping memory_;
  std::size_t page_bytes_ = 0;
  std::atomic<std::uint64_t> free_{0};  // a bit each
};

}  // namespace plimsoll::storage
