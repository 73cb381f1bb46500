#include "config/toml.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <optional>

// The parser's assertions fail for some files that are no TOML, which it then refuses all the same (a key that begins with a byte
// that no key has). They are taken out; with NDEBUG they would be assumed to hold instead.
#undef NDEBUG
#define TOML_ASSERT(expr) static_assert(true)
#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

namespace plimsoll::config {
namespace {

std::optional<TomlError> too_long(std::string_view text) {
  std::uint64_t line = 1;
  std::size_t begin = 0;  // of the line
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (at >= file_bytes_max) return TomlError{line, fmt::format("the file has more than {} bytes", file_bytes_max)};
    if (text[at] == '\n') {
      ++line;
      begin = at + 1;
    } else if (at - begin >= line_bytes_max) {
      return TomlError{line, fmt::format("the line has more than {} bytes", line_bytes_max)};
    }
  }
  return {};
}

// Without a byte order mark, and with a `?` for every byte beyond ASCII: no option needs one, comments may have any, and elsewhere
// both are wrong. The parser's test for other scripts' blanks is undefined for most letters.
std::string in_ascii(std::string_view text) {
  constexpr std::string_view mark = "\xEF\xBB\xBF";
  if (text.starts_with(mark)) text.remove_prefix(mark.size());
  std::string ascii(text);
  for (char& c : ascii) {
    if (static_cast<unsigned char>(c) >= 0x80) c = '?';
  }
  return ascii;
}

std::string_view kind_of(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table: return "a table";
    case toml::node_type::array: return node.is_array_of_tables() ? "an array of tables" : "an array";
    case toml::node_type::floating_point: return "a floating-point number";
    default: return "a date or a time";
  }
}

TomlValue to_value(const toml::key& key, const toml::node& node) {
  const auto line = std::max<std::uint64_t>(key.source().begin.line, 1);
  TomlValue all{.key = std::string(key.str()), .line = line, .value = NoOption{kind_of(node)}};
  if (const auto* text = node.as_string()) all.value = text->get();
  if (const auto* number = node.as_integer()) all.value = number->get();
  if (const auto* boolean = node.as_boolean()) all.value = boolean->get();
  return all;
}

}  // namespace

std::expected<std::vector<TomlValue>, TomlError> parse_toml(std::string_view text) {
  if (auto error = too_long(text)) return std::unexpected(std::move(*error));
  const std::string ascii = in_ascii(text);
  const toml::parse_result parsed = toml::parse(std::string_view(ascii));
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    return std::unexpected(TomlError{std::max<std::uint64_t>(error.source().begin.line, 1), std::string(error.description())});
  }
  std::vector<TomlValue> values;
  for (const auto& [key, node] : parsed.table()) values.push_back(to_value(key, node));
  std::ranges::sort(values, {}, &TomlValue::line);  // no line holds two
  return values;
}

}  // namespace plimsoll::config
