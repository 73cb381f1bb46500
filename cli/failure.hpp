// What a command answers when it could not do its work, and the exit statuses of the program. A Failure becomes one line on
// standard error (or one JSON object with --json): what failed, on what, why, and a hint what to do. Plain value; used by every
// command.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

#include "plimsoll/error.hpp"

namespace plimsoll::cli {

// Part of the interface that scripts rely on: never renumbered.
enum class Exit : int { done = 0, failed = 1, wrong_usage = 2, not_found = 3, corruption = 4, busy = 5 };

struct [[nodiscard]] Failure {
  Exit exit = Exit::failed;
  std::string code;     // a name of ErrorCode, or "usage", "malformed_input"
  std::string message;  // what failed, on what, why
  std::string hint;     // what to do about it; may be empty

  Failure(Exit exit_status, std::string_view code_name, std::string text, std::string advice = {});
  // Implicit, so that PLIMSOLL_TRY carries an engine's error out of a command.
  Failure(const Error& error);  // NOLINT(google-explicit-constructor)
};

template <class T>
using Outcome = std::expected<T, Failure>;

// The engine's result with what was being done put in front of the error: "cannot open the store 'x': busy: ...".
template <class T>
Outcome<T> context(Result<T>&& result, std::string_view doing) {
  if (result) {
    if constexpr (std::is_void_v<T>) {
      return {};
    } else {
      return std::move(*result);
    }
  }
  Failure failure(result.error());
  failure.message.insert(0, std::string(doing) + ": ");
  return std::unexpected(std::move(failure));
}

// A mistake in the command line that only the command itself could see.
std::unexpected<Failure> wrong_usage(std::string text, std::string hint = {});

// One line without its line feed. Control characters and broken UTF-8 in names come out escaped, so that it stays one line.
std::string failure_line(const Failure& failure, std::string_view command);
std::string failure_json(const Failure& failure, std::string_view command);

}  // namespace plimsoll::cli
