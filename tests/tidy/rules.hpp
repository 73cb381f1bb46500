// The rules that keep the source tree tidy, as plain functions from a file's text to findings. Used by the lint program
// (tidy_main.cpp) and proven by planted bad inputs (tidy_test.cpp). No state, no file access apart from check_tree.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace plimsoll::tidy {

inline constexpr std::size_t file_lines_max = 800;
inline constexpr std::size_t function_lines_max = 90;

struct SourceFile {
  std::string path;  // relative to the root, with slashes
  std::string text;
  bool has_header = false;  // a .cpp beside the .hpp of the same name, which speaks for both
};

struct Finding {
  std::string path;
  std::size_t line;  // from 1; 0: the whole file
  std::string rule;
  std::string what;
};
using Findings = std::vector<Finding>;

// Comments and the contents of string and character literals replaced by blanks; line breaks stay.
std::string code_only(std::string_view text);

// Folders of src/ in their order: a file includes only its own folder and earlier ones; cli/ and examples/ only public headers.
Findings check_includes(const SourceFile& file);
// Files of at most file_lines_max lines, functions of at most function_lines_max.
Findings check_lengths(const SourceFile& file);
// One map is keyed by transaction id: the registry's.
Findings check_transaction_maps(const SourceFile& file);
// Memory comes from the system in one place of the engine: the page provider.
Findings check_memory_calls(const SourceFile& file);
// Words that mark unfinished work.
Findings check_words(const SourceFile& file);
// Every file begins with a comment that says what it is; a .cpp is spared when its header does.
Findings check_leading_comment(const SourceFile& file);
// Documentation pages that must exist, given the paths below docs/ that do.
Findings check_docs(const std::vector<std::string>& existing);

// All rules over the tree at `root`.
Findings check_tree(const std::string& root);

}  // namespace plimsoll::tidy
