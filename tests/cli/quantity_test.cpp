// Sizes, durations and counts, as people read them.
#include "render/quantity.hpp"

#include <gtest/gtest.h>

#include "render/progress.hpp"

namespace plimsoll::cli {
namespace {

using namespace std::chrono_literals;

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
