#include "base/fail.hpp"

#include <fmt/format.h>

#include <cerrno>

namespace plimsoll::detail {

Error format_error(ErrorCode code, int os_error, fmt::string_view format, fmt::format_args args) noexcept {
  char text[Error::details_max];
  const auto end = fmt::vformat_to_n(text, sizeof text, format, args);
  if (os_error == ENOSPC || os_error == EDQUOT) code = ErrorCode::no_space;
  return Error(code, {text, static_cast<std::size_t>(end.out - text)}, os_error);
}

}  // namespace plimsoll::detail
