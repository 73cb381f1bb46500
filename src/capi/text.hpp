// Texts that the caller owns and ends with plimsoll_free. Stateless.
#pragma once

#include <cstdlib>
#include <new>
#include <string>

namespace plimsoll::capi {

// A NUL-terminated copy from malloc; throws std::bad_alloc.
inline char* to_text(const std::string& text) {
  auto* copy = static_cast<char*>(std::malloc(text.size() + 1));
  if (copy == nullptr) throw std::bad_alloc();
  text.copy(copy, text.size());
  copy[text.size()] = '\0';
  return copy;
}

}  // namespace plimsoll::capi
