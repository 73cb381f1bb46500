#include "shell/line_editor.hpp"

#include <fmt/core.h>
#include <histedit.h>

#include <algorithm>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>

#include "base/check.hpp"
#include "shell/words.hpp"

namespace plimsoll::cli {
namespace {

constexpr int history_lines_max = 1000;

// $PLIMSOLL_HISTORY, or plimsoll/history in the user's folder for such files; empty if there is none.
std::string history_path() {
  if (const char* given = std::getenv("PLIMSOLL_HISTORY")) return given;
  std::string folder;
  if (const char* state = std::getenv("XDG_STATE_HOME")) {
    folder = state;
  } else if (const char* home = std::getenv("HOME")) {
    folder = std::string(home) + "/.local/state";
  }
  if (folder.empty()) return {};
  std::error_code error;
  std::filesystem::create_directories(folder + "/plimsoll", error);
  return error ? std::string() : folder + "/plimsoll/history";
}

}  // namespace

struct LineEditor::State {
  Complete complete{};
  std::string prompt{};
  bool given_up = false;
  std::string history_file{};
  std::unique_ptr<EditLine, decltype(&el_end)> editor{nullptr, el_end};
  std::unique_ptr<History, decltype(&history_end)> history{nullptr, history_end};
};

namespace {

LineEditor::State& state_of(EditLine* editor) {
  void* data = nullptr;
  el_get(editor, EL_CLIENTDATA, &data);
  PLIMSOLL_CHECK(data != nullptr);
  return *static_cast<LineEditor::State*>(data);
}

char* prompt_of(EditLine* editor) { return state_of(editor).prompt.data(); }

unsigned char give_up(EditLine* editor, int) {
  state_of(editor).given_up = true;
  std::fputs("^C\n", stdout);
  return CC_NEWLINE;
}

// A byte inside a character of UTF-8.
bool continues(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// Replaces the word by what all candidates have in common; if that is no more than the word, lists them.
unsigned char complete(EditLine* editor, int) {
  const LineInfo* info = el_line(editor);
  const std::string line(info->buffer, info->cursor);
  const std::string word = line.substr(last_word(line));
  const auto candidates = state_of(editor).complete(line);
  if (candidates.empty()) return CC_REFRESH_BEEP;
  std::string common = candidates.front();
  for (const std::string& candidate : candidates) {
    const auto end = std::ranges::mismatch(common, candidate).in1;
    common.erase(end, common.end());
  }
  while (common.size() < candidates.front().size() && continues(candidates.front()[common.size()])) common.pop_back();
  if (candidates.size() == 1 && !common.ends_with('/')) common += ' ';
  if (common.size() > word.size()) {
    // Not only its end: a quote may have come in front. The editor counts characters.
    el_deletestr(editor, static_cast<int>(std::ranges::count_if(word, std::not_fn(continues))));
    el_insertstr(editor, common.c_str());
    return CC_REFRESH;
  }
  std::fputs("\n", stdout);
  for (const std::string& candidate : candidates) fmt::print("{}  ", candidate);
  std::fputs("\n", stdout);
  std::fflush(stdout);
  return CC_REDISPLAY;
}

}  // namespace

LineEditor::LineEditor(Complete complete_with) : state_(std::make_unique<State>()) {
  std::setlocale(LC_CTYPE, "");  // else the editor drops all that is not ASCII
  state_->complete = std::move(complete_with);
  state_->history_file = history_path();
  state_->history.reset(history_init());
  state_->editor.reset(el_init("plimsoll", stdin, stdout, stderr));
  PLIMSOLL_CHECK(state_->history && state_->editor);
  HistEvent event;
  history(state_->history.get(), &event, H_SETSIZE, history_lines_max);
  history(state_->history.get(), &event, H_SETUNIQUE, 1);
  if (!state_->history_file.empty()) history(state_->history.get(), &event, H_LOAD, state_->history_file.c_str());
  EditLine* editor = state_->editor.get();
  el_set(editor, EL_CLIENTDATA, state_.get());
  el_set(editor, EL_PROMPT, prompt_of);
  el_set(editor, EL_EDITOR, "emacs");
  el_set(editor, EL_HIST, history, state_->history.get());
  el_set(editor, EL_ADDFN, "shell-give-up", "Give up the line", give_up);
  el_set(editor, EL_ADDFN, "shell-complete", "Complete the word", complete);
  el_source(editor, nullptr);                        // the user's own key bindings
  el_set(editor, EL_SETTY, "-d", "-isig", nullptr);  // while a line is edited, Ctrl-C is a key like others
  el_set(editor, EL_BIND, "^C", "shell-give-up", nullptr);
  el_set(editor, EL_BIND, "^I", "shell-complete", nullptr);
}

LineEditor::~LineEditor() {
  HistEvent event;
  if (!state_->history_file.empty()) history(state_->history.get(), &event, H_SAVE, state_->history_file.c_str());
}

std::optional<std::string> LineEditor::next(const std::string& prompt) {
  state_->prompt = prompt;
  state_->given_up = false;
  int length = 0;
  const char* text = el_gets(state_->editor.get(), &length);
  if (text == nullptr || length <= 0) {
    std::fputs("\n", stdout);
    return std::nullopt;
  }
  if (state_->given_up) return std::string();
  std::string line(text, static_cast<std::size_t>(length));
  while (line.ends_with('\n') || line.ends_with('\r')) line.pop_back();
  HistEvent event;
  if (line.find_first_not_of(" \t") != line.npos) history(state_->history.get(), &event, H_ENTER, line.c_str());
  return line;
}

}  // namespace plimsoll::cli
