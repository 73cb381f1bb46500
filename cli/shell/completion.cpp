// What may stand at the end of a line that is being typed: names of statements, options, tables and files, by what the usage of the
// statement says of the place.
#include <algorithm>

#include "shell/file_names.hpp"
#include "shell/shell.hpp"

namespace plimsoll::cli {
namespace {

// What the usage says of the word at `position`, without brackets: "FILE", "TABLE", "on|off". Empty: nothing stands there.
std::string_view place(std::string_view usage, std::size_t position) {
  for (;; --position) {
    const std::size_t end = std::min(usage.find(' '), usage.size());
    std::string_view token = usage.substr(0, end);
    usage.remove_prefix(std::min(end + 1, usage.size()));
    if (token.starts_with('[')) token.remove_prefix(1);
    if (token.ends_with(']')) token.remove_suffix(1);
    if (token.empty() || token.starts_with("--")) return {};  // options come last
    if (position == 0) return token;
  }
}

// What is taken for a word that begins with what was typed.
class Offers {
 public:
  Offers(std::string_view typed, std::vector<std::string>& to) : typed_(typed), to_(to) {}
  void add(std::string_view word) {
    if (word.starts_with(typed_)) to_.emplace_back(word);
  }
  void add_choices(std::string_view choices) {
    while (!choices.empty()) {
      const std::string_view one = choices.substr(0, choices.find('|'));
      if (one.front() >= 'a') add(one);  // else it stands for something
      choices.remove_prefix(std::min(one.size() + 1, choices.size()));
    }
  }
  // Of a name that may need quotes.
  void add_name(const std::string& name) {
    const auto beginning = text_so_far(typed_);
    if (beginning && name.starts_with(*beginning)) to_.push_back(as_word(name, typed_.starts_with('\'')));
  }

 private:
  const std::string_view typed_;
  std::vector<std::string>& to_;
};

}  // namespace

std::vector<std::string> Shell::completions(const std::string& line) {
  const std::size_t begin = last_word(line);
  const std::string word = line.substr(begin);
  auto statements_before = split_statements(line.substr(0, begin) + "x");  // x: the word itself, whatever it is
  if (!statements_before || statements_before->empty()) return {};
  Words words = std::move(statements_before->back());
  words.pop_back();
  if (!words.empty() && words.front().text == "explain") words.erase(words.begin());
  std::vector<std::string> all;
  if (words.empty()) {
    for (const auto* commands : {&statements(), &dot_commands()})
      for (const Command& command : *commands) Offers(word, all).add(command.name);
    Offers(word, all).add("explain");
  } else {
    add_arguments(words, word, all);
  }
  std::ranges::sort(all);
  return all;
}

// What may come behind these words of a statement.
void Shell::add_arguments(const Words& words, const std::string& word, std::vector<std::string>& to) {
  const auto& commands = words.front().text.starts_with('.') ? dot_commands() : statements();
  const auto command = std::ranges::find(commands, std::string_view(words.front().text), &Command::name);
  if (command == commands.end()) return;
  std::size_t position = 0, values_missing = 0;
  std::string_view last_option;
  for (const Word& before : std::span(words).subspan(1)) {
    const auto option = std::ranges::find(command->options, std::string_view(before.text), &Option::name);
    if (values_missing != 0) {
      --values_missing;
    } else if (!before.quoted && option != command->options.end()) {
      last_option = option->name;
      values_missing = option->values;
    } else {
      ++position;
    }
  }
  const std::string_view wanted = values_missing == 0        ? place(command->arguments, position)
                                  : last_option == "--table" ? "TABLE"
                                                             : "";
  Offers offers(word, to);
  if (values_missing == 0 && word.starts_with("--")) {
    for (const Option& option : command->options) offers.add(option.name);
  } else if (wanted == "FILE" || wanted == "STORE") {
    to = file_names(word);
  } else if (wanted.find('|') != wanted.npos) {
    offers.add_choices(wanted);
  } else if (wanted == "TABLE" && db_) {
    if (const auto tables = db_->tables())
      for (const TableInfo& info : *tables) offers.add_name(info.name);
  }
}

}  // namespace plimsoll::cli
