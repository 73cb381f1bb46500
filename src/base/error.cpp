#include "plimsoll/error.hpp"

#include <algorithm>
#include <cstring>

namespace plimsoll {
namespace {

struct CodeFacts {
  std::string_view name, meaning;
  bool retryable;
};
constexpr CodeFacts facts[] = {
#define PLIMSOLL_X(name, meaning, retryable) {#name, meaning, retryable},
    PLIMSOLL_ERROR_CODES(PLIMSOLL_X)
#undef PLIMSOLL_X
};

const CodeFacts& of(ErrorCode code) { return facts[static_cast<std::size_t>(code)]; }

}  // namespace

std::string_view name(ErrorCode code) noexcept { return of(code).name; }
std::string_view meaning(ErrorCode code) noexcept { return of(code).meaning; }
bool is_retryable(ErrorCode code) noexcept { return of(code).retryable; }

Error::Error(ErrorCode code, std::string_view details, int os_error) noexcept : code_(code), os_error_(os_error) {
  length_ = static_cast<std::uint8_t>(std::min(details.size(), details_max));
  details.copy(text_, length_);  // not memcpy: an empty view may be null
}

std::string Error::message() const {
  std::string text(name(code_));
  text += ": ";
  text += details();
  if (os_error_ != 0) text.append(length_ != 0 ? ": " : "").append(std::strerror(os_error_));
  if (length_ != 0 || os_error_ != 0) text.append(" (").append(meaning(code_)).append(")");
  if (length_ == 0 && os_error_ == 0) text += meaning(code_);
  return text;
}

}  // namespace plimsoll
