// Names of files as words of the shell's input, for completion.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace plimsoll::cli {

// The files and folders that a word may become whose beginning was typed, in any order; folders end with a slash, and stay open if
// they are quoted. Names that begin with a dot only if the dot was typed; none with control characters, which cannot be typed.
std::vector<std::string> file_names(std::string_view typed);

}  // namespace plimsoll::cli
