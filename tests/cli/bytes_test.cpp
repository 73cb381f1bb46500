// Bytes as text and back: what is written can be read again, and what no encoder would write is refused.
#include "render/bytes.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <nlohmann/json.hpp>

namespace plimsoll::cli {
namespace {

using namespace std::string_view_literals;

TEST(Bytes, utf8_is_judged_as_rfc_3629_says) {
  for (const Bytes good :
       {""sv, "a\0b"sv, "grün"sv, "\xE2\x82\xAC"sv, "\xF0\x9F\x9A\xA2"sv, "\xF4\x8F\xBF\xBF"sv, "\xED\x9F\xBF"sv}) {
    EXPECT_TRUE(is_utf8(good)) << encode_hex(good);
  }
  for (const Bytes bad : {"\x80"sv, "\xC0\x80"sv, "\xC1\xBF"sv, "\xE0\x9F\xBF"sv, "\xED\xA0\x80"sv, "\xF0\x8F\xBF\xBF"sv,
                          "\xF4\x90\x80\x80"sv, "\xF5\x80\x80\x80"sv, "\xE2\x82"sv, "a\xFF"sv, "\xC3("sv}) {
    EXPECT_FALSE(is_utf8(bad)) << encode_hex(bad);
  }
}

TEST(Bytes, escapes_keep_one_line_and_printable_text) {
  EXPECT_EQ(escape("grün\t\n\r\\"), "grün\\t\\n\\r\\\\");
  EXPECT_EQ(escape("\0\x1b\x7f\xff"sv), "\\x00\\x1b\\x7f\\xff");
  EXPECT_EQ(escape("\xC2\x9B"), "\\xc2\\x9b") << "C1 controls reach terminals too";
  EXPECT_EQ(escape_control("a\\b\n"), "a\\b\\n");
}

TEST(Bytes, base64_matches_the_examples_of_rfc_4648) {
  const std::pair<Bytes, std::string_view> examples[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : examples) {
    EXPECT_EQ(encode_base64(bytes), text);
    EXPECT_EQ(decode_base64(text), std::string(bytes));
  }
}

TEST(Bytes, decoders_refuse_what_no_encoder_writes) {
  for (const std::string_view bad : {"Zg", "Zg=", "Zh==", "Zm9=", "=Zg=", "Z===", "====", "Zm9v\n", "Zm 9", "Zm-_", "Zg==Zg=="}) {
    EXPECT_FALSE(decode_base64(bad)) << bad;
  }
  EXPECT_FALSE(decode_hex("abc"));
  EXPECT_FALSE(decode_hex("0g"));
  EXPECT_FALSE(decode_hex("0x"));
  EXPECT_EQ(decode_hex("00fFAb"), std::string("\0\xff\xab", 3));
}

RC_GTEST_PROP(Bytes, every_encoding_reads_back, (const std::string& bytes)) {
  RC_ASSERT(decode_hex(encode_hex(bytes)).value() == bytes);
  RC_ASSERT(decode_base64(encode_base64(bytes)).value() == bytes);
  RC_ASSERT(is_utf8(escape(bytes)));
  RC_ASSERT(escape(bytes).find_first_of("\n\t\r") == std::string::npos);
}

RC_GTEST_PROP(Bytes, json_strings_read_back_with_another_parser, (const std::string& bytes)) {
  std::string text;
  append_json_string(text, escape(bytes));
  RC_ASSERT(nlohmann::json::parse(text).get<std::string>() == escape(bytes));
}

TEST(Bytes, every_control_character_is_escaped_in_json) {
  std::string all;
  for (char c = 0; c < 0x7f; ++c) all += c;
  std::string text;
  append_json_string(text, all);
  EXPECT_EQ(nlohmann::json::parse(text).get<std::string>(), all);
}

}  // namespace
}  // namespace plimsoll::cli
