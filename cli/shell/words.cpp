#include "shell/words.hpp"

#include <algorithm>

#include "render/bytes.hpp"

namespace plimsoll::cli {
namespace {

constexpr std::string_view blanks_and_end = " \t\r;";

class Splitter {
 public:
  explicit Splitter(std::string_view line) : rest_(line) {}

  std::expected<std::vector<Words>, std::string> split() {
    std::vector<Words> statements;
    Words words;
    const auto end_statement = [&] {
      if (!words.empty()) statements.push_back(std::move(words));
      words.clear();
    };
    for (;;) {
      rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r"), rest_.size()));
      if (rest_.empty() || (words.empty() && rest_.front() == '#')) break;
      if (rest_.front() == ';') {
        rest_.remove_prefix(1);
        end_statement();
        continue;
      }
      auto word = next();
      if (!word) return std::unexpected(std::move(word.error()));
      words.push_back(std::move(*word));
    }
    end_statement();
    return statements;
  }

 private:
  std::expected<Word, std::string> next() {
    if (rest_.starts_with("x'")) {
      rest_.remove_prefix(1);
      const auto digits = single_quoted();
      if (!digits) return std::unexpected(digits.error());
      auto bytes = decode_hex(*digits);
      if (!bytes) return std::unexpected("x'...': " + bytes.error());
      return word(std::move(*bytes));
    }
    if (rest_.front() == '\'') return word(single_quoted());
    if (rest_.front() == '"') return word(double_quoted());
    const std::size_t end = std::min(rest_.find_first_of(blanks_and_end), rest_.size());
    Word plain{.text = std::string(rest_.substr(0, end))};
    rest_.remove_prefix(end);
    return plain;
  }

  std::expected<Word, std::string> word(std::expected<std::string, std::string> text) {
    if (!text) return std::unexpected(std::move(text.error()));
    if (!rest_.empty() && rest_.find_first_of(blanks_and_end) != 0)
      return std::unexpected("a blank is missing behind a closing quote");
    return Word{.text = std::move(*text), .quoted = true};
  }

  std::expected<std::string, std::string> single_quoted() {
    std::string text;
    for (std::size_t i = 1; i < rest_.size(); ++i) {
      if (rest_[i] == '\'' && rest_.substr(i + 1, 1) != "'") {
        rest_.remove_prefix(i + 1);
        return text;
      }
      if (rest_[i] == '\'') ++i;
      text += rest_[i];
    }
    return std::unexpected("a quote is not closed");
  }

  std::expected<std::string, std::string> double_quoted() {
    std::string text;
    for (std::size_t i = 1; i < rest_.size(); ++i) {
      if (rest_[i] == '"') {
        rest_.remove_prefix(i + 1);
        return unescape(text);
      }
      if (rest_[i] == '\\' && i + 1 < rest_.size()) {
        if (rest_[i + 1] != '"') text += '\\';
        ++i;
      }
      text += rest_[i];
    }
    return std::unexpected("a quote is not closed");
  }

  std::string_view rest_;
};

}  // namespace

std::expected<std::vector<Words>, std::string> split_statements(std::string_view line) { return Splitter(line).split(); }

std::size_t last_word(std::string_view line) {
  std::size_t begin = 0, closed = line.npos;
  char quote = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote != 0) {
      if (c == '\\' && quote == '"') {
        ++i;
      } else if (c == quote) {
        quote = 0;
        closed = i;
      }
    } else if (blanks_and_end.find(c) != blanks_and_end.npos) {
      begin = i + 1;
    } else if (c == '\'' && (i == begin || (i == begin + 1 && line[begin] == 'x') || closed == i - 1)) {  // the last: it is doubled
      quote = c;
    } else if (c == '"' && i == begin) {
      quote = c;
    }
  }
  return begin;
}

std::optional<std::string> text_so_far(std::string_view word) {
  if (word.starts_with('"') || word.starts_with("x'")) return std::nullopt;
  if (!word.starts_with('\'')) return std::string(word);
  std::string text;
  for (std::size_t i = 1; i < word.size(); ++i) {
    if (word[i] == '\'' && word.substr(++i, 1) != "'") return std::nullopt;  // it is closed, or about to be doubled
    text += word[i];
  }
  return text;
}

std::string as_word(std::string_view text, bool always_quoted) {
  const bool plain = !text.empty() && text.find_first_of(" \t\r;'") == text.npos && !text.starts_with('"') &&
                     !text.starts_with('#') && !text.starts_with("--");
  if (plain && !always_quoted) return std::string(text);
  std::string word = "'";
  for (const char c : text) word.append(c == '\'' ? 2 : 1, c);
  return word += '\'';
}

}  // namespace plimsoll::cli
