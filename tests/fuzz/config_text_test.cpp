// Files of options with arbitrary bytes: each is taken, or refused in one line that names a line of the file, and then changes
// nothing.
#include <gtest/gtest.h>

#include <charconv>
#include <string>

#include "fuzz/support.hpp"
#include "plimsoll/config.hpp"

namespace plimsoll {
namespace {

constexpr std::string_view tokens[] = {"memory_budget",
                                       "page_size",
                                       "lock_deadline",
                                       "io_backend",
                                       "control_socket",
                                       "max_transactions",
                                       "events",
                                       "a",
                                       "=",
                                       " = ",
                                       "\"",
                                       "\"\"\"",
                                       "'",
                                       "'''",
                                       "[",
                                       "]",
                                       "[[",
                                       "]]",
                                       "{",
                                       "}",
                                       ".",
                                       ",",
                                       "#",
                                       "\n",
                                       "\n",
                                       "\n",
                                       "\r\n",
                                       "\"64MiB\"",
                                       "\"8KiB\"",
                                       "\"250ms\"",
                                       "\"auto\"",
                                       "true",
                                       "false",
                                       "0",
                                       "33554432",
                                       "-1",
                                       "1e9",
                                       "inf",
                                       "nan",
                                       "0x10",
                                       "1979-05-27",
                                       "07:32:00",
                                       "\\u0041",
                                       "\\",
                                       "\xFF",
                                       "\xED\xA0\x80",
                                       "\xEF\xBB\xBF",
                                       "\t",
                                       " "};

std::string valid_file(Random& random) {
  std::string text;
  for (const OptionFacts& option : option_table()) {
    if (option.kind == OptionKind::program || random.below(3) == 0) continue;
    const bool bare = option.kind == OptionKind::boolean || option.kind == OptionKind::count;
    const std::string quote = bare ? "" : "\"";
    text.append(option.name).append(" = ").append(quote).append(Configuration().text(option.name)).append(quote).append("\n");
  }
  return text;
}

std::string words(Random& random) {
  std::string text;
  for (std::uint64_t left = random.below(40); left > 0; --left) text += tokens[random.below(std::size(tokens))];
  return text;
}

// The message is one line of plain text that begins with the file and a line of it.
bool names_a_line(std::string_view message, std::string_view text) {
  constexpr std::string_view file = "f.toml:";
  if (!message.starts_with(file)) return false;
  for (const char c : message) {
    if (static_cast<unsigned char>(c) < 0x20) return false;
  }
  message.remove_prefix(file.size());
  std::uint64_t line = 0;
  const auto [end, error] = std::from_chars(message.data(), message.data() + message.size(), line);
  message.remove_prefix(static_cast<std::size_t>(end - message.data()));
  const auto lines = static_cast<std::uint64_t>(std::ranges::count(text, '\n')) + 1;
  return error == std::errc() && line >= 1 && line <= lines && message.starts_with(": ") && message.size() > 2;
}

TEST(ConfigText, EveryFileIsTakenOrRefusedWithALineAndThenChangesNothing) {
  Random random(1);
  std::uint64_t taken = 0, refused = 0;
  for (std::uint64_t round = 0; round < scaled(30'000, 1000); ++round) {
    SCOPED_TRACE(round);
    std::string text = random.below(3) == 0 ? words(random) : valid_file(random);
    if (random.below(4) != 0 && !text.empty()) damage(text, text.size(), random);
    Configuration values;
    const auto done = values.read_text(text, "f.toml");
    if (done) {
      ++taken;
      continue;
    }
    ++refused;
    ASSERT_TRUE(names_a_line(done.error().message, text)) << done.error().message << "\n" << text;
    for (const OptionFacts& option : option_table()) {
      if (option.kind == OptionKind::program) continue;
      ASSERT_EQ(values.origin(option.name).source, OptionSource::built_in);
      ASSERT_EQ(values.number(option.name), Configuration().number(option.name));
    }
  }
  EXPECT_GT(taken, 0u);
  EXPECT_GT(refused, 0u);
}

}  // namespace
}  // namespace plimsoll
