// A copy of a slot's label, taken while its owner may change. The reader looks afterwards whether the slot still is the same
// transaction's; only then the copy means anything.
#pragma once

#include <array>
#include <string_view>

#include "registry/slot.hpp"

namespace plimsoll::registry {

class Label {
 public:
  explicit Label(const Slot& slot) : bytes_(slot.label_bytes.load(std::memory_order_acquire)) {
    for (std::size_t at = 0; at < bytes_; ++at)
      text_[at] = std::atomic_ref(const_cast<char&>(slot.label[at])).load(std::memory_order_acquire);
  }
  std::string_view text() const { return {text_.data(), bytes_}; }

 private:
  std::array<char, sizeof Slot::label> text_;
  std::size_t bytes_;
};

}  // namespace plimsoll::registry
