// Sizes, durations and counts, as people write and read them.
#include "render/quantity.hpp"

#include <gtest/gtest.h>

#include "render/progress.hpp"

namespace plimsoll::cli {
namespace {

using namespace std::chrono_literals;

TEST(Quantity, sizes_are_binary_or_decimal_by_their_unit) {
  EXPECT_EQ(parse_size("64MiB"), 64ull << 20);
  EXPECT_EQ(parse_size("1GB"), 1'000'000'000ull);
  EXPECT_EQ(parse_size("4096"), 4096ull);
  EXPECT_EQ(parse_size("4096B"), 4096ull);
  EXPECT_EQ(parse_size("1.5KiB"), 1536ull);
  EXPECT_EQ(parse_size("1.000000000TB"), 1'000'000'000'000ull);
  EXPECT_EQ(parse_size("0"), 0ull);
  EXPECT_EQ(parse_size("18446744073709551615"), UINT64_MAX);
}

TEST(Quantity, sizes_that_mean_nothing_are_refused) {
  for (const char* bad : {"", "MiB", "64 MiB", "64mib", "64M", "-1", "+1", "0x10", "1.", ".5GB", "1.5", "1.5B", "1..5KB", "1e3",
                          "18446744073709551616", "16777216TiB", "1.0000000000KB"}) {
    EXPECT_FALSE(parse_size(bad)) << bad;
  }
  EXPECT_NE(parse_size("64M").error().find("unknown unit 'M'"), std::string::npos);
}

TEST(Quantity, durations_need_a_unit) {
  EXPECT_EQ(parse_duration("250ms"), 250ms);
  EXPECT_EQ(parse_duration("1.5s"), 1500ms);
  EXPECT_EQ(parse_duration("2h"), 2h);
  EXPECT_EQ(parse_duration("0"), 0ns);
  for (const char* bad : {"", "10", "1.5", "10 s", "1.5ns", "1d", "9999999999h"}) EXPECT_FALSE(parse_duration(bad)) << bad;
}

TEST(Quantity, rendering) {
  EXPECT_EQ(render_size(0), "0 B");
  EXPECT_EQ(render_size(1023), "1023 B");
  EXPECT_EQ(render_size(1536), "1.5 KiB");
  EXPECT_EQ(render_size(UINT64_MAX), "16.0 EiB");
  EXPECT_EQ(render_duration(0ns), "0 ns");
  EXPECT_EQ(render_duration(1500us), "1.50 ms");
  EXPECT_EQ(render_duration(25s), "25.0 s");
  EXPECT_EQ(render_duration(90min), "1.50 h");
  EXPECT_EQ(render_count(0), "0");
  EXPECT_EQ(render_count(999), "999");
  EXPECT_EQ(render_count(1000), "1,000");
  EXPECT_EQ(render_count(1234567), "1,234,567");
}

TEST(Quantity, progress_shows_a_share_only_of_a_known_total) {
  EXPECT_EQ(progress_text("loading", 50, 100, 1200), "loading  [###############...............]  50 %  1,200 records");
  EXPECT_EQ(progress_text("loading", 300, 100, 1), "loading  [##############################]  100 %  1 records");
  EXPECT_EQ(progress_text("dumping", 0, 0, 3), "dumping  3 records");
}

}  // namespace
}  // namespace plimsoll::cli
