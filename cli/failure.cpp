#include "failure.hpp"

#include <fmt/core.h>

#include "base/check.hpp"
#include "render/bytes.hpp"

namespace plimsoll::cli {
namespace {

Exit exit_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::not_found: return Exit::not_found;
    case ErrorCode::corruption: return Exit::corruption;
    case ErrorCode::busy: return Exit::busy;
    case ErrorCode::invalid_argument: return Exit::wrong_usage;
    default: return Exit::failed;
  }
}

std::string_view hint_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::busy: return "one process at a time may have a store open: end the other one, or run the command later";
    case ErrorCode::corruption:
      return "`plimsoll check STORE` lists the damage; `plimsoll log dump STORE` shows where the log ends";
    case ErrorCode::memory_budget_exceeded: return "raise --memory-budget";
    case ErrorCode::no_space: return "make room on the disk, then run the command again";
    case ErrorCode::version_mismatch: return "dump the store with the version that wrote it and load the dump with this one";
    case ErrorCode::commit_outcome_unknown: return "read the record again to learn whether it was written";
    default: return {};
  }
}

}  // namespace

Failure::Failure(Exit exit_status, std::string_view code_name, std::string text, std::string advice)
    : exit(exit_status), code(code_name), message(std::move(text)), hint(std::move(advice)) {
  PLIMSOLL_CHECK(exit != Exit::done);
  PLIMSOLL_DCHECK(!code.empty());
}

Failure::Failure(const Error& error)
    : Failure(exit_of(error.code()), name(error.code()), error.message(), std::string(hint_of(error.code()))) {}

std::unexpected<Failure> wrong_usage(std::string text, std::string hint) {
  return std::unexpected(Failure(Exit::wrong_usage, "usage", std::move(text), std::move(hint)));
}

std::string failure_line(const Failure& failure, std::string_view command) {
  std::string line = command.empty() ? "plimsoll: " : fmt::format("plimsoll {}: ", command);
  line += escape_control(failure.message);
  if (!failure.hint.empty()) line += fmt::format("; hint: {}", escape_control(failure.hint));
  PLIMSOLL_DCHECK(line.find('\n') == std::string::npos);
  return line;
}

std::string failure_json(const Failure& failure, std::string_view command) {
  std::string text = R"({"error":{"command":)";
  append_json_string(text, command);
  text += R"(,"code":)";
  append_json_string(text, failure.code);
  text += R"(,"message":)";
  append_json_string(text, escape_control(failure.message));
  if (!failure.hint.empty()) {
    text += R"(,"hint":)";
    append_json_string(text, escape_control(failure.hint));
  }
  return text + fmt::format(R"(,"status":{}}}}})", static_cast<int>(failure.exit));
}

}  // namespace plimsoll::cli
