// Requests to a store that is open, in this process (Database::answer) or in another one (ask), as a line of JSON each way: what a
// person or a monitor wants to see of a running store, and the few things they may do to it. docs/control-socket.md lists the
// requests.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "plimsoll/error.hpp"

namespace plimsoll {

// Sends the request to the process that has the store in folder `path` open, through the store's control socket, and answers the
// line that comes back. Thread-safe. Errors: not_found (nobody has it open, or with Options::control_socket off), busy (no answer
// within `patience`), io_error (refused: another user's, or the process has ended meanwhile), invalid_argument (more than 4,095
// bytes, or a line feed).
Result<std::string> ask(std::string_view path, std::string_view request,
                        std::chrono::milliseconds patience = std::chrono::seconds(5));

}  // namespace plimsoll
