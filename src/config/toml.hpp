// What a TOML file says, as far as options can be said: keys with plain values, each with its line. The one place that knows the
// parser. A pure function; used by configuration.cpp.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace plimsoll::config {

// More than any honest file; keeps the parser's recursion shallow, which goes as deep as a key has dots.
inline constexpr std::size_t file_bytes_max = 64u << 10, line_bytes_max = 1u << 10;

struct NoOption {
  std::string_view what;  // "a table", "a floating-point number": kinds of values that no option has
};

struct TomlValue {
  std::string key;
  std::uint64_t line = 0;
  std::variant<std::string, std::int64_t, bool, NoOption> value;
};

struct TomlError {
  std::uint64_t line = 0;  // from 1
  std::string reason;
};

// In the order of their lines. The error is what is no TOML, a key that is there twice, or a file or line that is too long.
std::expected<std::vector<TomlValue>, TomlError> parse_toml(std::string_view text);

}  // namespace plimsoll::config
