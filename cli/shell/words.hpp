// The words of the shell's input. Statements end at a `;` or at the end of the line; a statement that begins with `#` is a comment
// up to the end of the line. Words stand between blanks:
//   word          as it is
//   'any text'    as it is; a quote is written twice
//   "a\tb\x00"    with the escapes \\ \" \t \n \r \xNN
//   x'00ff'       bytes in hexadecimal
// Pure functions.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace plimsoll::cli {

struct Word {
  std::string text;
  bool quoted = false;  // never an option, whatever it begins with
};
using Words = std::vector<Word>;

// The statements of a line; none is empty. The error says what cannot be read.
std::expected<std::vector<Words>, std::string> split_statements(std::string_view line);

// Where the word begins that is being typed at the end of the line; the line's size if none is.
std::size_t last_word(std::string_view line);
// What the word says that is being typed, if it is a plain one or in single quotes.
std::optional<std::string> text_so_far(std::string_view word);
// The text as one word: as it is if it can be and `always_quoted` is false, else in single quotes.
std::string as_word(std::string_view text, bool always_quoted = false);

}  // namespace plimsoll::cli
