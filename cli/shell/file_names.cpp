#include "shell/file_names.hpp"

#include <algorithm>
#include <filesystem>

#include "shell/words.hpp"

namespace plimsoll::cli {

std::vector<std::string> file_names(std::string_view typed) {
  namespace fs = std::filesystem;
  const auto beginning = text_so_far(typed);
  if (!beginning) return {};
  const std::size_t slash = beginning->rfind('/');
  const std::string folder = slash == beginning->npos ? "" : beginning->substr(0, slash + 1);
  const std::string name = beginning->substr(folder.size());
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(folder.empty() ? "." : folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::string found = entry->path().filename().string();
    const bool hidden = found.starts_with('.') && !name.starts_with('.');
    const bool typable = std::ranges::none_of(found, [](char c) { return (c >= 0 && c < ' ') || c == 0x7F; });
    if (!found.starts_with(name) || hidden || !typable) continue;
    std::error_code unknown;
    const bool is_folder = entry->is_directory(unknown);
    std::string word = as_word(folder + found + (is_folder ? "/" : ""), typed.starts_with('\''));
    if (is_folder && word.ends_with('\'')) word.pop_back();
    names.push_back(std::move(word));
  }
  return names;
}

}  // namespace plimsoll::cli
