// The JSON that the C interface writes: commas, escapes, and text that is no UTF-8.
#include "capi/json.hpp"

#include <gtest/gtest.h>

namespace plimsoll::capi {
namespace {

std::string quoted(std::string_view text) {
  JsonWriter json;
  json.text(text);
  return json.str();
}

TEST(CapiJson, MembersAndElementsAreSeparated) {
  JsonWriter json;
  json.open('{').member("a", std::uint64_t{1}).key("b").open('[').close(']').key("c").open('{').close('}');
  json.key("d").open('[').number(std::uint64_t{1}).text("x").open('{').close('}').boolean(true).close(']');
  json.key("e").number(0.5).member("f", "g").close('}');
  EXPECT_EQ(json.str(), R"({"a":1,"b":[],"c":{},"d":[1,"x",{},true],"e":0.5,"f":"g"})");
}

TEST(CapiJson, TextIsEscaped) {
  EXPECT_EQ(quoted(""), R"("")");
  EXPECT_EQ(quoted("a\"b\\c"), R"("a\"b\\c")");
  EXPECT_EQ(quoted(std::string_view("\0\n\x1f\x7f", 4)), "\"\\u0000\\u000a\\u001f\x7f\"");
  EXPECT_EQ(quoted("grün € 𝄞"), "\"grün € 𝄞\"");
}

TEST(CapiJson, WhatIsNoUtf8IsReplaced) {
  EXPECT_EQ(quoted("a\xff"
                   "b"),
            R"("a\ufffdb")");
  EXPECT_EQ(quoted("\xe2\x82"), R"("\ufffd\ufffd")");                      // cut
  EXPECT_EQ(quoted("\xc0\xaf"), R"("\ufffd\ufffd")");                      // longer than needed
  EXPECT_EQ(quoted("\xe0\x80\x80"), R"("\ufffd\ufffd\ufffd")");            // longer than needed
  EXPECT_EQ(quoted("\xed\xa0\x80"), R"("\ufffd\ufffd\ufffd")");            // a surrogate
  EXPECT_EQ(quoted("\xf4\x90\x80\x80"), R"("\ufffd\ufffd\ufffd\ufffd")");  // beyond Unicode
}

}  // namespace
}  // namespace plimsoll::capi
