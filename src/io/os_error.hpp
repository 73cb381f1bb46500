// From an errno to an Error that names the action and the path. Shared by all back ends, so that each answers alike.
#pragma once

#include <string_view>

#include "plimsoll/error.hpp"

namespace plimsoll::io {

// ENOENT: not_found. EEXIST: already_exists. ENOSPC, EDQUOT: no_space. All else: io_error. The errno is kept in each case.
std::unexpected<Error> fail_path(int os_error, std::string_view action, std::string_view path);

// The answer of a poisoned file (file.hpp).
std::unexpected<Error> fail_poisoned(std::string_view path);

}  // namespace plimsoll::io
