#include "base/check.hpp"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace plimsoll::detail {

void check_failed(const char* file, int line, const char* expression) noexcept {
  char text[512];
  const int n = std::snprintf(text, sizeof text, "plimsoll: invariant violated at %s:%d: %s\n", file, line, expression);
  if (n > 0) [[maybe_unused]]
    auto ignored = write(2, text, static_cast<size_t>(n));
  std::abort();
}

}  // namespace plimsoll::detail
