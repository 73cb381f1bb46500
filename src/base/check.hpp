// Three strengths of check: PLIMSOLL_DCHECK is proven and compiled into debug builds only; PLIMSOLL_CHECK is believed and always
// on, used where a wrong value would corrupt data; what a user can get wrong is returned as an Error instead.
#pragma once

namespace plimsoll::detail {
[[noreturn]] void check_failed(const char* file, int line, const char* expression) noexcept;
}

#define PLIMSOLL_CHECK(expression) \
  (static_cast<bool>(expression) ? static_cast<void>(0) : ::plimsoll::detail::check_failed(__FILE__, __LINE__, #expression))
#ifdef NDEBUG
#define PLIMSOLL_DCHECK(expression) static_cast<void>(0)
#else
#define PLIMSOLL_DCHECK(expression) PLIMSOLL_CHECK(expression)
#endif
