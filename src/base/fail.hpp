// Making errors: `return fail(ErrorCode::conflict, "key {}", key);` formats into the Error itself and allocates nothing.
#pragma once

#include <fmt/core.h>

#include "plimsoll/error.hpp"

namespace plimsoll {

namespace detail {
Error format_error(ErrorCode code, int os_error, fmt::string_view format, fmt::format_args args) noexcept;
}

template <class... Args>
std::unexpected<Error> fail(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) {
  return std::unexpected(detail::format_error(code, 0, format, fmt::make_format_args(args...)));
}

// The same with an errno whose text is appended when the message is rendered. ENOSPC and EDQUOT become no_space.
template <class... Args>
std::unexpected<Error> fail_os(int os_error, fmt::format_string<Args...> format, Args&&... args) {
  return std::unexpected(detail::format_error(ErrorCode::io_error, os_error, format, fmt::make_format_args(args...)));
}

// `TRY(expression)`: returns the error of an expression of type Result<...> from the enclosing function.
#define PLIMSOLL_TRY(expression)                                    \
  do {                                                              \
    if (auto try_result_ = (expression); !try_result_) [[unlikely]] \
      return std::unexpected(std::move(try_result_.error()));       \
  } while (false)

// `PLIMSOLL_ASSIGN(auto x, expression)`: x gets the value, or the enclosing function returns the error.
#define PLIMSOLL_CAT_(a, b) a##b
#define PLIMSOLL_CAT(a, b) PLIMSOLL_CAT_(a, b)
#define PLIMSOLL_ASSIGN(target, expression)                                     \
  auto PLIMSOLL_CAT(assign_, __LINE__) = (expression);                          \
  if (!PLIMSOLL_CAT(assign_, __LINE__)) [[unlikely]]                            \
    return std::unexpected(std::move(PLIMSOLL_CAT(assign_, __LINE__).error())); \
  target = std::move(*PLIMSOLL_CAT(assign_, __LINE__))

}  // namespace plimsoll
