#include "render/bytes.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/check.hpp"

namespace plimsoll::cli {
namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";
constexpr std::string_view base64_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static_assert(hex_digits.size() == 16 && base64_digits.size() == 64);

std::uint8_t byte_at(Bytes bytes, std::size_t at) {
  PLIMSOLL_DCHECK(at < bytes.size());
  return static_cast<std::uint8_t>(bytes[at]);
}

// Bytes of the valid UTF-8 sequence at `at`, 0 if there is none. The ranges of the second byte are those of RFC 3629, section 4.
std::size_t utf8_length(Bytes bytes, std::size_t at) {
  const std::uint8_t lead = byte_at(bytes, at);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xC2 && lead <= 0xDF   ? 2
                             : lead >= 0xE0 && lead <= 0xEF ? 3
                             : lead >= 0xF0 && lead <= 0xF4 ? 4
                                                            : 0;
  if (length == 0 || bytes.size() - at < length) return 0;
  const std::uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const std::uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  const std::uint8_t second = byte_at(bytes, at + 1);
  if (second < low || second > high) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if ((byte_at(bytes, at + i) & 0xC0) != 0x80) return 0;
  }
  return length;
}

// C0 and DEL, and the C1 controls, which terminals also obey.
bool is_control(Bytes sequence) {
  const std::uint8_t lead = byte_at(sequence, 0);
  if (sequence.size() == 1) return lead < 0x20 || lead == 0x7F;
  return sequence.size() == 2 && lead == 0xC2 && byte_at(sequence, 1) < 0xA0;
}

void append_hex(std::string& to, std::uint8_t byte) {
  to += hex_digits[byte >> 4];
  to += hex_digits[byte & 15];
}

void append_escaped(std::string& to, std::uint8_t byte) {
  switch (byte) {
    case '\t': to += "\\t"; break;
    case '\n': to += "\\n"; break;
    case '\r': to += "\\r"; break;
    default: to += "\\x", append_hex(to, byte);
  }
}

struct LetterEscape {
  char letter;
  char byte;
};
constexpr LetterEscape letter_escapes[] = {{'\\', '\\'}, {'t', '\t'}, {'n', '\n'}, {'r', '\r'}};

std::string escape_with(Bytes bytes, bool double_backslash) {
  std::string text;
  text.reserve(bytes.size());
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t length = utf8_length(bytes, at);
    const Bytes sequence = bytes.substr(at, length == 0 ? 1 : length);
    if (length == 0 || is_control(sequence)) {
      for (const char c : sequence) append_escaped(text, static_cast<std::uint8_t>(c));
    } else {
      if (double_backslash && sequence == "\\") text += '\\';
      text += sequence;
    }
    at += sequence.size();
  }
  return text;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

constexpr auto base64_values = [] {
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  for (std::size_t i = 0; i < base64_digits.size(); ++i)
    values[static_cast<std::uint8_t>(base64_digits[i])] = static_cast<std::int8_t>(i);
  return values;
}();

}  // namespace

bool is_utf8(Bytes bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t length = utf8_length(bytes, at);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

std::string escape(Bytes bytes) { return escape_with(bytes, true); }
std::string escape_control(Bytes bytes) { return escape_with(bytes, false); }

std::string encode_hex(Bytes bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char c : bytes) append_hex(text, static_cast<std::uint8_t>(c));
  return text;
}

std::expected<std::string, std::string> decode_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::unexpected(fmt::format("{} hexadecimal digits, an odd number", text.size()));
  std::string bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_value(text[i]);
    const int low = hex_value(text[i + 1]);
    if (high < 0 || low < 0) return std::unexpected(fmt::format("character {} is no hexadecimal digit", i + (high < 0 ? 1 : 2)));
    bytes += static_cast<char>(high << 4 | low);
  }
  PLIMSOLL_DCHECK(bytes.size() * 2 == text.size());
  return bytes;
}

void append_base64(std::string& to, Bytes bytes) {
  const std::size_t before = to.size();
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t have = std::min<std::size_t>(3, bytes.size() - at);
    std::uint32_t group = std::uint32_t{byte_at(bytes, at)} << 16;
    if (have > 1) group |= std::uint32_t{byte_at(bytes, at + 1)} << 8;
    if (have > 2) group |= byte_at(bytes, at + 2);
    to += base64_digits[group >> 18];
    to += base64_digits[group >> 12 & 63];
    to += have > 1 ? base64_digits[group >> 6 & 63] : '=';
    to += have > 2 ? base64_digits[group & 63] : '=';
  }
  PLIMSOLL_CHECK(to.size() - before == (bytes.size() + 2) / 3 * 4);
}

std::string encode_base64(Bytes bytes) {
  std::string text;
  append_base64(text, bytes);
  return text;
}

std::expected<std::string, std::string> decode_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::unexpected(fmt::format("{} base64 characters, not a multiple of 4", text.size()));
  std::string_view digits = text;
  while (!digits.empty() && text.size() - digits.size() < 2 && digits.back() == '=') digits.remove_suffix(1);
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  std::uint32_t bits = 0;
  unsigned held = 0;  // bits not yet written, the low ones of `bits`
  for (std::size_t i = 0; i < digits.size(); ++i) {
    const int value = base64_values[static_cast<std::uint8_t>(digits[i])];
    if (value < 0) return std::unexpected(fmt::format("character {} is no base64 digit", i + 1));
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes += static_cast<char>(bits >> held & 0xFF);
    }
  }
  // Left-over bits other than 0 would be lost: two texts would mean the same bytes.
  if ((bits & ((1u << held) - 1)) != 0) return std::unexpected("the last base64 digit has bits that no byte holds");
  return bytes;
}

std::expected<std::string, std::string> unescape(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '\\') {
      bytes += text[at];
      continue;
    }
    const char kind = at + 1 < text.size() ? text[at + 1] : '\0';
    const int high = kind == 'x' && at + 3 < text.size() ? hex_value(text[at + 2]) : -1;
    const int low = high >= 0 ? hex_value(text[at + 3]) : -1;
    if (low >= 0) {
      bytes += static_cast<char>(high * 16 + low);
      at += 3;
    } else if (const auto* letter = std::ranges::find(letter_escapes, kind, &LetterEscape::letter);
               letter != std::end(letter_escapes)) {
      bytes += letter->byte;
      at += 1;
    } else {
      return std::unexpected(fmt::format("character {} is a backslash that begins no escape", at + 1));
    }
  }
  return bytes;
}

std::string encode(Bytes bytes, Encoding encoding) {
  switch (encoding) {
    case Encoding::text: return std::string(bytes);
    case Encoding::escaped: return escape(bytes);
    case Encoding::hex: return encode_hex(bytes);
    case Encoding::base64: return encode_base64(bytes);
  }
  return {};
}

std::expected<std::string, std::string> decode(std::string_view text, Encoding encoding) {
  switch (encoding) {
    case Encoding::text: break;
    case Encoding::escaped: return unescape(text);
    case Encoding::hex: return decode_hex(text);
    case Encoding::base64: return decode_base64(text);
  }
  return std::string(text);
}

void append_json_string(std::string& to, std::string_view text) {
  PLIMSOLL_DCHECK(is_utf8(text));
  to += '"';
  for (const char c : text) {
    switch (c) {
      case '"': to += "\\\""; break;
      case '\\': to += "\\\\"; break;
      case '\n': to += "\\n"; break;
      case '\r': to += "\\r"; break;
      case '\t': to += "\\t"; break;
      default:
        if (static_cast<std::uint8_t>(c) < 0x20) {
          to += "\\u00", append_hex(to, static_cast<std::uint8_t>(c));
        } else {
          to += c;
        }
    }
  }
  to += '"';
}

}  // namespace plimsoll::cli
