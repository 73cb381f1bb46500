// Byte strings as text, and back: UTF-8 validity, escapes for people, hexadecimal, base64 (RFC 4648, padded), JSON strings.
// Decoders are strict: what they accept, the encoder would have written (letter case of hexadecimal aside). Pure functions.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "plimsoll/types.hpp"

namespace plimsoll::cli {

// Valid UTF-8 as RFC 3629 defines it: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(Bytes bytes);

// For people: printable UTF-8 stays, `\` becomes `\\`, tab, line feed, carriage return `\t \n \r`, all else `\xNN`.
std::string escape(Bytes bytes);
// The same, but a backslash stays as it is: for messages, which may hold text that is escaped already.
std::string escape_control(Bytes bytes);

std::string encode_hex(Bytes bytes);
std::string encode_base64(Bytes bytes);
void append_base64(std::string& to, Bytes bytes);
// The error says what is wrong and where, counted from 1.
std::expected<std::string, std::string> decode_hex(std::string_view text);
std::expected<std::string, std::string> decode_base64(std::string_view text);

// Reads what escape() writes: `\\`, `\t`, `\n`, `\r` and `\xNN`, and all else as it is.
std::expected<std::string, std::string> unescape(std::string_view text);

// How bytes are written as text, and back. `text` is for bytes that are text already; all the others are exact for any bytes.
enum class Encoding : std::uint8_t { text, escaped, hex, base64 };
std::string encode(Bytes bytes, Encoding encoding);
std::expected<std::string, std::string> decode(std::string_view text, Encoding encoding);

// Appends `text` with quotes and escapes. `text` must be valid UTF-8.
void append_json_string(std::string& to, std::string_view text);

}  // namespace plimsoll::cli
