// Tables: aligned for a terminal, plain for a pipe.
#include "render/table.hpp"

#include <gtest/gtest.h>

namespace plimsoll::cli {
namespace {

TextTable sample() {
  TextTable table({{"name"}, {"value", TextTable::Align::right}, {"unit"}});
  table.add({"grün", "7", "pages"});
  table.add({"blue-green", "1234", ""});
  return table;
}

TEST(Table, columns_line_up_on_a_terminal) {
  EXPECT_EQ(sample().render(true),
            "name        value  unit\n"
            "grün            7  pages\n"
            "blue-green   1234  \n");
}

TEST(Table, a_pipe_gets_tabs_and_no_header) { EXPECT_EQ(sample().render(false), "grün\t7\tpages\nblue-green\t1234\t\n"); }

TEST(Table, without_rows_there_is_only_the_header) {
  const TextTable table({{"name"}});
  EXPECT_TRUE(table.empty());
  EXPECT_EQ(table.render(false), "");
  EXPECT_EQ(table.render(true), "name\n");
}

}  // namespace
}  // namespace plimsoll::cli
