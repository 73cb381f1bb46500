// The environment: which variables that begin with PLIMSOLL_ mean something, and to whom. Any other is refused, because most likely
// an option was meant. Used by Configuration, and for docs/configuration.md.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace plimsoll::config {

// Those that are no options.
struct OtherVariable {
  std::string_view name;  // one that ends with * stands for all that begin so
  std::string_view meaning;
};
std::span<const OtherVariable> other_variables();

struct UnknownVariable {
  std::string name;
  std::string reason;
};
// The first of the environment ("NAME=VALUE", up to a null pointer) that nobody knows; one that is empty counts as none.
std::optional<UnknownVariable> unknown_variable(const char* const* environment);

}  // namespace plimsoll::config
