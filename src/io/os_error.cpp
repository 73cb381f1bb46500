#include "io/os_error.hpp"

#include <cerrno>

#include "base/check.hpp"
#include "base/fail.hpp"

namespace plimsoll::io {

std::unexpected<Error> fail_path(int os_error, std::string_view action, std::string_view path) {
  PLIMSOLL_DCHECK(os_error > 0);
  auto failure = fail_os(os_error, "{} {}", action, path);
  if (os_error == ENOENT) return std::unexpected(Error(ErrorCode::not_found, failure.error().details(), os_error));
  if (os_error == EEXIST) return std::unexpected(Error(ErrorCode::already_exists, failure.error().details(), os_error));
  return failure;
}

std::unexpected<Error> fail_poisoned(std::string_view path) {
  return fail_os(EIO, "refused, because an earlier sync of this file failed: {}", path);
}

}  // namespace plimsoll::io
