// The interchange format: exact round trips, a reason for every refusal, lines of any length up to the limit.
#include "interchange/jsonl.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <memory>

namespace plimsoll::cli {
namespace {

using namespace std::string_view_literals;

std::string reason(std::string_view line) {
  const auto record = parse_jsonl(line);
  return record ? "accepted" : record.error();
}

bool mentions(std::string_view line, std::string_view words) { return reason(line).find(words) != std::string::npos; }

std::string written(const JsonlLine& line) {
  std::string text;
  append_jsonl(text, line);
  return text;
}

// A file with `text` in it, at its beginning.
auto file_of(std::string_view text) {
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), std::fclose);
  EXPECT_EQ(std::fwrite(text.data(), 1, text.size(), file.get()), text.size());
  std::rewind(file.get());
  return file;
}

bool at_end(LineReader& lines) {
  const auto line = lines.next();
  return line && !line->has_value();
}

TEST(Jsonl, text_stays_text_and_bytes_become_base64) {
  EXPECT_EQ(written({.key = "alice", .value = "17"}), "{\"key\":\"alice\",\"value\":\"17\"}\n");
  EXPECT_EQ(written({.table = "t", .key = "\0\1"sv, .value = "\xff"}),
            "{\"table\":\"t\",\"key\":\"\\u0000\\u0001\",\"value_base64\":\"/w==\"}\n");
  EXPECT_EQ(written({.table = "empty"}), "{\"table\":\"empty\"}\n");
  EXPECT_EQ(written({.key = "k", .value = "ab", .part = true, .more = true}),
            "{\"key\":\"k\",\"value_base64\":\"YWI=\",\"more\":true}\n");
}

RC_GTEST_PROP(Jsonl, what_is_written_reads_back_exactly,
              (const std::string& table, const std::string& key, const std::string& value)) {
  const bool named = *rc::gen::arbitrary<bool>();
  const bool more = *rc::gen::arbitrary<bool>();
  JsonlLine line{.key = key, .value = value, .part = more, .more = more};
  if (named) line.table = table;
  std::string text = written(line);
  RC_ASSERT(text.back() == '\n');
  text.pop_back();
  RC_ASSERT(text.find('\n') == std::string::npos);
  const auto record = parse_jsonl(text);
  RC_ASSERT(record.has_value());
  RC_ASSERT(record->key == key);
  RC_ASSERT(record->value == value);
  RC_ASSERT(record->more == more);
  RC_ASSERT(record->table == (named ? std::optional(table) : std::nullopt));
}

TEST(Jsonl, members_come_in_any_order_and_with_spaces) {
  const auto record = parse_jsonl(" { \"value_base64\" : \"/w==\" , \"more\":false, \"key\" : \"\\u00e4\" } \r");
  ASSERT_TRUE(record);
  EXPECT_EQ(record->key, "ä");
  EXPECT_EQ(record->value, "\xff");
  EXPECT_FALSE(record->table);
  EXPECT_FALSE(record->more);
}

TEST(Jsonl, what_is_not_json_is_refused) {
  EXPECT_TRUE(mentions("", "empty"));
  EXPECT_TRUE(mentions(" \t\r", "empty"));
  EXPECT_TRUE(mentions(R"({"key":"a","value":"b")", "not valid JSON at byte"));
  EXPECT_TRUE(mentions(R"({"key":"a","value":"b"} x)", "not valid JSON"));
  EXPECT_TRUE(mentions(R"({"key":"a","value":"b"}{"key":"a","value":"b"})", "not valid JSON"));
  EXPECT_TRUE(mentions(R"({'key':'a'})", "not valid JSON"));
  EXPECT_TRUE(mentions("{\"key\":\"\xff\",\"value\":\"\"}", "not valid JSON"));
  EXPECT_TRUE(mentions(R"({"key":"\ud800","value":""})", "not valid JSON"));
  EXPECT_TRUE(mentions("{\"key\":\"a\0b\",\"value\":\"\"}"sv, "not valid JSON"));
  EXPECT_TRUE(mentions("{\"key\":\"a\",\"value\":\"1\"}\0{\"key\":\"b\",\"value\":\"2\"}"sv, "not valid JSON"));
  EXPECT_TRUE(mentions("{\"key\":\"a\",\"value\":\"1\"}\0"sv, "not valid JSON"));
}

TEST(Jsonl, what_is_json_but_no_record_is_refused) {
  EXPECT_TRUE(mentions("[]", "the line is an array, not an object"));
  EXPECT_TRUE(mentions("\"a\"", "the line is a string"));
  EXPECT_TRUE(mentions("null", "the line is null"));
  EXPECT_TRUE(mentions("17", "the line is a number"));
  EXPECT_TRUE(mentions("true", "the line is a boolean"));
  EXPECT_TRUE(mentions("{}", "neither a key nor a table"));
  EXPECT_TRUE(mentions(R"({"key":"a"})", "a key without a value"));
  EXPECT_TRUE(mentions(R"({"value":"a"})", "a value without a key"));
  EXPECT_TRUE(mentions(R"({"table":"a","more":true})", "'more' without a key"));
  EXPECT_TRUE(mentions(R"({"key":"a","value":17})", "member 'value' is a number, not a string"));
  EXPECT_TRUE(mentions(R"({"key":"a","value":null})", "null"));
  EXPECT_TRUE(mentions(R"({"key":"a","value":{"b":"c"}})", "member 'value' is an object"));
  EXPECT_TRUE(mentions(R"({"key":["a"],"value":""})", "member 'key' is an array"));
  EXPECT_TRUE(mentions(R"({"key":"a","value":"","more":"yes"})", "member 'more' is a string, not a boolean"));
  EXPECT_TRUE(mentions(R"({"key":true,"value":""})", "member 'key' is a boolean"));
  EXPECT_TRUE(mentions(R"({"key":"a","key":"b","value":""})", "member 'key' is there twice"));
  EXPECT_TRUE(mentions(R"({"key":"a","key_base64":"YQ==","value":""})", "member 'key_base64' is there twice"));
  EXPECT_TRUE(mentions(R"({"key":"a","value":"","ttl":"1"})", "unknown member 'ttl'"));
  EXPECT_TRUE(mentions(R"({"key_base64":"YQ","value":""})", "member 'key_base64': 2 base64 characters"));
}

TEST(LineReader, gives_every_line_with_its_number) {
  const auto file = file_of("one\n\nthree\r\nlast");
  LineReader lines(file.get());
  for (const std::string_view expected : {"one", "", "three\r", "last"}) {
    const auto line = lines.next();
    ASSERT_TRUE(line && *line);
    EXPECT_EQ(**line, expected);
  }
  EXPECT_EQ(lines.line_number(), 4u);
  EXPECT_TRUE(at_end(lines));
  EXPECT_EQ(lines.bytes_read(), 16u);
}

TEST(LineReader, a_line_of_the_limit_passes_and_a_longer_one_is_refused) {
  const std::string longest(line_bytes_max, 'x');
  {
    const auto file = file_of("a\n" + longest + "\nb");
    LineReader lines(file.get());
    EXPECT_EQ(**lines.next(), "a");
    EXPECT_EQ((**lines.next()).size(), line_bytes_max);
    EXPECT_EQ(**lines.next(), "b");
  }
  for (const char* end : {"", "\n", "\nb"}) {
    const auto file = file_of(longest + "x" + end);
    LineReader lines(file.get());
    const auto line = lines.next();
    ASSERT_FALSE(line);
    EXPECT_EQ(line.error(), "the line is longer than 16.0 MiB; `plimsoll put --file` stores a value of any size");
  }
}

TEST(LineReader, an_empty_file_has_no_line) {
  const auto file = file_of("");
  LineReader lines(file.get());
  EXPECT_TRUE(at_end(lines));
}

TEST(Jsonl, the_worst_part_fits_a_line) {
  const std::string part(part_bytes_max, '\x01');
  const std::string text = written({.table = std::string(1024, '\x01'), .key = std::string(1024, '\x01'), .value = part});
  EXPECT_LE(text.size() - 1, line_bytes_max);
  const auto record = parse_jsonl(std::string_view(text).substr(0, text.size() - 1));
  ASSERT_TRUE(record);
  EXPECT_EQ(record->value, part);
}

}  // namespace
}  // namespace plimsoll::cli
