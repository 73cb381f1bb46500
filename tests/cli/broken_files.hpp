// A grammar of CSV and JSON Lines for rapidcheck: files that are whole, and files with one planted fault each, which the loader has
// a known reason to refuse. Functions that draw from the generators of the property that calls them.
#pragma once

#include <fmt/format.h>
#include <rapidcheck.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "cli/load_support.hpp"

namespace plimsoll::cli::broken {

using namespace std::string_literals;
namespace gen = rc::gen;

// ---- pieces of a grammar

inline bool coin() { return *gen::arbitrary<bool>(); }  // no range: those are narrow at first
template <class T>
T one_of(std::vector<T> choices) {
  return *gen::elementOf(std::move(choices));
}

// A character, and how JSON may write it; the first way is that without an escape, if there is one.
struct Character {
  std::string text;
  std::vector<std::string> json;
};
inline const std::vector<Character>& characters() {
  static const std::vector<Character> all{{"a", {"a", "\\u0061"}},
                                          {"B", {"B"}},
                                          {" ", {" "}},
                                          {"/", {"/", "\\/"}},
                                          {"\"", {"\\\""}},
                                          {"\\", {"\\\\"}},
                                          {",", {","}},
                                          {"\t", {"\\t"}},
                                          {"\n", {"\\n"}},
                                          {"\r\n", {"\\r\\n"}},
                                          {"\0"s, {"\\u0000"}},
                                          {"ä", {"ä", "\\u00E4"}},
                                          {"€", {"€", "\\u20ac"}},
                                          {"😀", {"😀", "\\ud83d\\ude00"}}};
  return all;
}
inline std::string any_text(int least = 0) {
  std::string text;
  for (int n = *gen::inRange(least, 8); n != 0; --n) text += one_of(characters()).text;
  return text;
}
inline std::string any_bytes(int least = 0) {
  std::string bytes = any_text(least);
  if (coin()) bytes += one_of<std::string>({"\xff", "\xc3", "\xed\xa0\x80"});
  return bytes;
}

// A file in the making: its rows with their ends, what it holds, and how it is to be loaded.
struct File {
  std::vector<std::string> rows{};
  std::string end = "\n";
  Tables holds{};
  LoadOptions options{};
  std::size_t fault = 0;  // the row that has it

  std::string text() const {
    std::string all;
    for (const std::string& row : rows) all += row;
    return all;
  }
  std::size_t line(std::size_t row) const {
    std::size_t line = 1;
    for (std::size_t i = 0; i < row; ++i) line += static_cast<std::size_t>(std::ranges::count(rows[i], '\n'));
    return line;
  }
  // In the place of a row, or between two.
  void put(const std::string& row, std::size_t first) {
    fault = *gen::inRange<std::size_t>(first, rows.size() + 1);
    if (fault != 0 && !rows[fault - 1].ends_with('\n')) rows[fault - 1] += end;
    if (fault == rows.size() || coin()) {
      rows.insert(rows.begin() + static_cast<std::ptrdiff_t>(fault), row + end);
    } else {
      rows[fault] = row + end;
    }
  }
  void drop_last_end() {
    if (!rows.empty() && coin()) rows.back().resize(rows.back().size() - end.size());
  }
};

// ---- csv

inline std::string field(const std::string& text, char separator) {
  if (text.find_first_of("\"\r\n"s + separator) == text.npos && coin()) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + '"';
}

// With two columns values are bytes, with three they are the members of an object.
inline File any_csv(std::size_t columns, char separator = ',') {
  File file{.end = one_of<std::string>({"\n", "\r\n"})};
  file.rows.push_back((coin() ? "\xef\xbb\xbf" : "") + "id"s + separator + "name" + (columns == 3 ? separator + "more"s : "") +
                      file.end);
  std::set<std::string> keys;
  for (int n = *gen::inRange(1, 6); n != 0; --n) keys.insert(any_bytes(1));
  for (const std::string& key : keys) {
    const std::string name = columns == 3 ? any_text() : any_bytes(), more = any_text();
    file.rows.push_back(field(key, separator) + separator + field(name, separator) +
                        (columns == 3 ? separator + field(more, separator) : "") + file.end);
    file.holds[std::string(nameless)][key] = columns == 3 ? nlohmann::ordered_json{{"name", name}, {"more", more}}.dump() : name;
  }
  file.drop_last_end();
  return file;
}

inline File dumped_csv(Encoding encoding, const char* name) {
  File file;
  file.rows.push_back(fmt::format("key_{0},value_{0}\n", name));
  for (int n = *gen::inRange(1, 6); n != 0; --n)
    file.rows.push_back(field(encode(fmt::format("{}{}", n, any_bytes()), encoding), ',') + "," +
                        field(encode(any_bytes(), encoding), ',') + "\n");
  return file;
}

struct Fault {
  const char* kind;
  const char* reason;
  std::function<File()> make;
};

inline Fault csv_row(const char* kind, const char* reason, std::function<std::string()> row, std::size_t columns = 2) {
  return {kind, reason, [=] {
            File file = any_csv(columns);
            file.put(row(), 1);
            return file;
          }};
}
inline Fault csv_header(const char* kind, const char* reason, std::string header, std::vector<std::string> key_columns = {}) {
  return {kind, reason, [=] {
            File file = any_csv(3);
            file.rows[0] = header + file.end;
            file.options.csv.key_columns = key_columns;
            return file;
          }};
}
inline Fault csv_dumped(const char* kind, const char* reason, Encoding encoding, const char* name, std::string row) {
  return {kind, reason, [=] {
            File file = dumped_csv(encoding, name);
            file.put(row, 1);
            return file;
          }};
}
// Lines without a quote, which an open one would take in.
inline std::string plain_lines() {
  std::string lines;
  for (int n = *gen::inRange(0, 4); n != 0; --n) lines += "x,y\n";
  return lines;
}

inline const std::vector<Fault>& csv_faults() {
  const auto quoted = [] { return field(any_bytes(1), ','); };
  static const std::vector<Fault> all{
      {"unterminated quote", "a quote is not closed",
       [=] {
         File file = any_csv(2);
         file.put("", 1);
         file.rows.resize(file.fault);
         file.rows.push_back(quoted() + ",\"open\n" + plain_lines());
         return file;
       }},
      {"truncated within a field", "a quote is not closed",
       [=] {
         File file = any_csv(2);
         file.fault = file.rows.size() - 1;
         file.rows.back() = quoted() + ",\"" + one_of<std::string>({"", "a", "a\n", "a\"\"", "\xc3"});
         return file;
       }},
      csv_row("bare quote", "a quote inside a field without quotes", [=] { return quoted() + ",x\"y"; }),
      csv_row("text behind a quote", "text behind a closing quote", [=] { return quoted() + ",\"x\" "; }),
      csv_row("too few fields", "1 fields instead of 2", quoted),
      csv_row("too many fields", "3 fields instead of 2", [=] { return quoted() + "," + quoted() + ","; }),
      csv_row("blank line", "the line is empty", [] { return ""s; }),
      csv_row("lone carriage return", "a carriage return without a line feed", [=] { return quoted() + ",x\ry"; }),
      csv_row("empty key", "key of 0 bytes", [] { return ",x"s; }),
      csv_row("long key", "key of 1025 bytes", [] { return std::string(1025, 'k') + ",x"; }),
      csv_row(
          "bad UTF-8", "column 'more' is not UTF-8", [=] { return quoted() + ",x,\xed\xa0\x80"; }, 3),
      {"key there twice", "is there twice",
       [] {
         File file = any_csv(2);
         if (!file.rows.back().ends_with('\n')) file.rows.back() += file.end;
         file.fault = file.rows.size();
         file.rows.push_back(
             field(one_of(std::vector(file.holds.begin()->second.begin(), file.holds.begin()->second.end())).first, ',') +
             ",again");
         return file;
       }},
      {"zero byte in a composite key", "holds a zero byte",
       [] {
         File file{.rows = {"id,name,more\n", "1,a,x\n", "2,b,x\n"}, .options = {.csv = {.key_columns = {"id", "name"}}}};
         file.put("3,a\0b,x"s, 1);
         return file;
       }},
      {"trailing garbage", "1 fields instead of 2",
       [] {
         File file = any_csv(2);
         if (!file.rows.back().ends_with('\n')) file.rows.back() += file.end;
         file.fault = file.rows.size();
         file.rows.push_back("DATA=END");
         return file;
       }},
      csv_header("two columns of one name", "two columns are named 'name'", "id,name,name"),
      csv_header("no such key column", "no column 'nowhere'", "id,name,more", {"nowhere"}),
      csv_header("damaged byte order mark", "a damaged byte order mark", "\xef\xbbid,name,more"),
      csv_dumped("bad escape", "begins no escape", Encoding::escaped, "escaped", "k,\\q"),
      csv_dumped("odd hexadecimal digits", "an odd number", Encoding::hex, "hex", "6b,616"),
      csv_dumped("bad base64", "base64", Encoding::base64, "base64", "aw==,a"),
  };
  return all;
}

// ---- jsonl

inline std::string blanks() { return one_of<std::string>({"", "", " ", "\t"}); }

inline std::string json_string(const std::string& text) {
  std::string json = "\"";
  for (std::size_t at = 0; at < text.size();) {
    const auto character = std::ranges::find_if(characters(), [&](const auto& c) { return text.substr(at).starts_with(c.text); });
    json += character == characters().end() ? text.substr(at, 1) : one_of(character->json);
    at += character == characters().end() ? 1 : character->text.size();
  }
  return json + '"';
}

// The member, as text or in base64; `bytes` may be no UTF-8.
inline std::string member(const std::string& name, const std::string& bytes) {
  const bool text = is_utf8(bytes) && coin();
  return json_string(text ? name : name + "_base64") + blanks() + ":" + blanks() +
         (text ? json_string(bytes) : '"' + encode_base64(bytes) + '"');
}

inline std::string object(std::vector<std::string> members) {
  std::string json = blanks() + "{";
  for (std::size_t left = members.size(); left != 0; --left) {
    const std::size_t chosen = *gen::inRange<std::size_t>(0, left);
    json += (left == members.size() ? "" : ",") + blanks() + members[chosen] + blanks();
    std::swap(members[chosen], members[left - 1]);
  }
  return json + "}" + blanks();
}

inline File any_jsonl() {
  File file;
  for (int n = *gen::inRange(1, 6); n != 0; --n) {
    std::vector<std::string> at;
    std::string table(nameless);
    if (coin()) at.push_back(member("table", table = one_of<std::string>({"t", "ä", "\xff"})));
    if (at.size() == 1 && coin() && coin()) {
      file.rows.push_back(object(at) + "\n");
      file.holds[table];
      continue;
    }
    const std::string key = any_bytes(1);
    at.push_back(member("key", key));
    std::string& value = file.holds[table][key] = "";
    for (int parts = *gen::inRange(1, 4); parts != 0; --parts) {
      const bool more = parts != 1;
      const std::string part = any_bytes();
      value += part;
      auto members = at;
      members.push_back(member("value", part));
      if (more || coin()) members.push_back(more ? "\"more\":true" : "\"more\":false");
      file.rows.push_back(object(members) + "\n");
    }
  }
  file.drop_last_end();
  return file;
}

// Between two records, never inside the parts of a value.
inline Fault jsonl_line(const char* kind, const char* reason, std::string line) {
  return {kind, reason, [=] {
            File file;
            for (int n = *gen::inRange(0, 5); n != 0; --n)
              file.rows.push_back(object({member("key", any_bytes(1)), member("value", any_bytes())}) + "\n");
            file.put(line, 0);
            return file;
          }};
}

inline const std::vector<Fault>& jsonl_faults() {
  constexpr auto invalid = "not valid JSON at byte";
  static const std::vector<Fault> all{
      jsonl_line("unterminated quote", invalid, R"({"key":"a","value":"b})"),
      jsonl_line("bad escape", invalid, R"({"key":"a","value":"\q"})"),
      jsonl_line("half a surrogate pair", invalid, R"({"key":"\ud800","value":"b"})"),
      jsonl_line("bad UTF-8", invalid, "{\"key\":\"a\",\"value\":\"\xc3\"}"),
      jsonl_line("zero byte", "a NUL byte", "{\"key\":\"a\0\",\"value\":\"b\"}"s),
      jsonl_line("control character", invalid, "{\"key\":\"a\",\"value\":\"\t\"}"),
      jsonl_line("brace missing", invalid, R"({"key":"a","value":"b")"),
      jsonl_line("comma too many", invalid, R"({"key":"a","value":"b",})"),
      jsonl_line("trailing garbage", invalid, R"({"key":"a","value":"b"} DATA=END)"),
      jsonl_line("two objects in a line", invalid, R"({"key":"a","value":"b"}{"key":"a","value":"b"})"),
      jsonl_line("member there twice", "member 'key' is there twice", R"({"key":"a","value":"b","key":"a"})"),
      jsonl_line("member there in two forms", "member 'value_base64' is there twice",
                 R"({"key":"a","value":"b","value_base64":""})"),
      jsonl_line("unknown member", "unknown member 'ttl'", R"({"key":"a","value":"b","ttl":"1"})"),
      jsonl_line("key missing", "a value without a key", R"({"value":"b"})"),
      jsonl_line("value missing", "a key without a value", R"({"table":"new","key":"a"})"),
      jsonl_line("nothing there", "neither a key nor a table", "{}"),
      jsonl_line("number for a string", "member 'value' is a number, not a string", R"({"key":"a","value":17})"),
      jsonl_line("null for a string", "member 'key' is null, not a string", R"({"key":null,"value":"b"})"),
      jsonl_line("object for a string", "member 'value' is an object, not a string", R"({"key":"a","value":{}})"),
      jsonl_line("string for a boolean", "member 'more' is a string, not a boolean", R"({"key":"a","value":"b","more":"yes"})"),
      jsonl_line("array for an object", "the line is an array, not an object", R"(["a","b"])"),
      jsonl_line("bad base64", "member 'key_base64': ", R"({"key_base64":"YQ","value":"b"})"),
      jsonl_line("blank line", "the line is empty", " "),
      jsonl_line("empty key", "key of 0 bytes", R"({"key":"","value":"b"})"),
      jsonl_line("long key", "key of 1025 bytes", R"({"key":")" + std::string(1025, 'k') + R"(","value":"b"})"),
      jsonl_line("long name of a table", "invalid_argument", R"({"table":")" + std::string(256, 't') + R"("})"),
      {"truncated within a line", invalid,
       [] {
         File file = any_jsonl();
         if (!file.rows.back().ends_with('\n')) file.rows.back() += '\n';
         file.fault = file.rows.size();
         const std::string whole = R"({"table":"new","key":"a","value":"b"})";
         file.rows.push_back(whole.substr(0, *gen::inRange<std::size_t>(1, whole.size())));
         return file;
       }},
      {"truncated within a value", "the input ends within the value",
       [] {
         File file = any_jsonl();
         if (!file.rows.back().ends_with('\n')) file.rows.back() += '\n';
         file.rows.push_back(R"({"table":"new","key":"a","value":"b","more":true})"
                             "\n");
         file.fault = file.rows.size();  // the line that is missing
         return file;
       }},
      {"another record within a value", "but this is another record",
       [] {
         File file = any_jsonl();
         if (!file.rows.back().ends_with('\n')) file.rows.back() += '\n';
         file.rows.push_back(R"({"key":"a","value":"b","more":true})"
                             "\n");
         file.fault = file.rows.size();
         file.rows.push_back(
             one_of<std::string>({R"({"key":"b","value":"b"})", R"({"table":"new","key":"a","value":"b"})", R"({"table":"new"})"}));
         return file;
       }},
  };
  return all;
}

}  // namespace plimsoll::cli::broken
