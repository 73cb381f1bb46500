// The completion scripts: one function a shell, from the syntax of all commands to the text that the shell reads. Each is in the
// file of its shell.
#pragma once

#include <string>
#include <string_view>

#include "completion/syntax.hpp"

namespace plimsoll::cli {

std::string bash_completion(const CommandSyntax& program);
std::string zsh_completion(const CommandSyntax& program);
std::string fish_completion(const CommandSyntax& program);

// In single quotes, as bash and zsh read them.
inline std::string in_quotes(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

}  // namespace plimsoll::cli
