// The words by which the command line and the shell name the values of an enumeration: a constant array of choices, looked up both
// ways. Pure functions.
#pragma once

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/check.hpp"
#include "failure.hpp"

namespace plimsoll::cli {

template <class E>
struct Choice {
  std::string_view word;
  E value;
};

template <class E>
std::optional<E> value_of(std::span<const Choice<E>> choices, std::string_view word) {
  const auto found = std::ranges::find(choices, word, &Choice<E>::word);
  return found == choices.end() ? std::nullopt : std::optional<E>(found->value);
}

// The value must be one of them.
template <class E>
std::string_view word_of(std::span<const Choice<E>> choices, E value) {
  const auto found = std::ranges::find(choices, value, &Choice<E>::value);
  PLIMSOLL_CHECK(found != choices.end());
  return found->word;
}

// "durable|relaxed"
template <class E>
std::string words_of(std::span<const Choice<E>> choices) {
  std::string words;
  for (const Choice<E>& choice : choices) words.append(words.empty() ? "" : "|").append(choice.word);
  return words;
}

// The value of a word that somebody typed; `what` is the option or command that it was meant for.
template <class E>
Outcome<E> choose(std::span<const Choice<E>> choices, std::string_view word, std::string_view what) {
  if (const auto value = value_of(choices, word)) return *value;
  return wrong_usage(std::string(what) + ": '" + std::string(word) + "' is none of " + words_of(choices));
}

}  // namespace plimsoll::cli
