// Sizes, durations and misspelt words, as people write them.
#include "plimsoll/text.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace plimsoll {
namespace {

using namespace std::chrono_literals;

TEST(Text, sizes_are_binary_or_decimal_by_their_unit) {
  EXPECT_EQ(parse_size("64MiB"), 64ull << 20);
  EXPECT_EQ(parse_size("1GB"), 1'000'000'000ull);
  EXPECT_EQ(parse_size("4096"), 4096ull);
  EXPECT_EQ(parse_size("4096B"), 4096ull);
  EXPECT_EQ(parse_size("1.5KiB"), 1536ull);
  EXPECT_EQ(parse_size("1.000000000TB"), 1'000'000'000'000ull);
  EXPECT_EQ(parse_size("0"), 0ull);
  EXPECT_EQ(parse_size("18446744073709551615"), UINT64_MAX);
}

TEST(Text, sizes_that_mean_nothing_are_refused) {
  for (const char* bad : {"", "MiB", "64 MiB", "64mib", "64M", "-1", "+1", "0x10", "1.", ".5GB", "1.5", "1.5B", "1..5KB", "1e3",
                          "18446744073709551616", "16777216TiB", "1.0000000000KB"}) {
    EXPECT_FALSE(parse_size(bad)) << bad;
  }
  EXPECT_NE(parse_size("64M").error().find("unknown unit 'M'"), std::string::npos);
}

TEST(Text, durations_need_a_unit) {
  EXPECT_EQ(parse_duration("250ms"), 250ms);
  EXPECT_EQ(parse_duration("1.5s"), 1500ms);
  EXPECT_EQ(parse_duration("2h"), 2h);
  EXPECT_EQ(parse_duration("0"), 0ns);
  for (const char* bad : {"", "10", "1.5", "10 s", "1.5ns", "1d", "9999999999h"}) EXPECT_FALSE(parse_duration(bad)) << bad;
}

RC_GTEST_PROP(Text, WhatIsWrittenIsReadBack, (std::uint64_t bytes, std::uint32_t ms)) {
  RC_ASSERT(parse_size(size_text(bytes)).value() == bytes);
  RC_ASSERT(parse_size(size_text(bytes << 10)).value() == bytes << 10);
  const std::chrono::milliseconds time(ms);
  RC_ASSERT(parse_duration(duration_text(time)).value() == time);
  RC_ASSERT(parse_duration(duration_text(time * 1000)).value() == time * 1000);
}

TEST(Text, TheLargestUnitWithoutAFractionIsTaken) {
  EXPECT_EQ(size_text(0), "0");
  EXPECT_EQ(size_text(4097), "4097B");
  EXPECT_EQ(size_text(1536), "1536B");
  EXPECT_EQ(size_text(64ull << 20), "64MiB");
  EXPECT_EQ(size_text(UINT64_MAX), "18446744073709551615B");
  EXPECT_EQ(duration_text(0ms), "0");
  EXPECT_EQ(duration_text(1500ms), "1500ms");
  EXPECT_EQ(duration_text(90min), "90m");
  EXPECT_EQ(duration_text(-1ms), "-1ms");
}

TEST(Text, TheDistanceOfWordsIsTheNumberOfLettersToChange) {
  EXPECT_EQ(edit_distance("", ""), 0u);
  EXPECT_EQ(edit_distance("memory", "memory"), 0u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
  EXPECT_EQ(edit_distance("budget", "buget"), 1u);
}

}  // namespace
}  // namespace plimsoll
