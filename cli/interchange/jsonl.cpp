#include "interchange/jsonl.hpp"

#include <fmt/core.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/check.hpp"
#include "render/bytes.hpp"
#include "render/quantity.hpp"

namespace plimsoll::cli {
namespace {

using nlohmann::json;

constexpr std::size_t block_bytes = 256_KiB;

enum class Member : std::uint8_t { none, table, key, value, more };
struct MemberFacts {
  std::string_view name;
  Member member;
  bool base64;
};
constexpr MemberFacts members[] = {
    {"table", Member::table, false},   {"table_base64", Member::table, true}, {"key", Member::key, false},
    {"key_base64", Member::key, true}, {"value", Member::value, false},       {"value_base64", Member::value, true},
    {"more", Member::more, false},
};

// Takes the parser's events of one line. Every false ends the parse; reason() then says why.
class LineHandler final : public nlohmann::json_sax<json> {
 public:
  Record& record() { return record_; }
  const std::string& reason() const { return reason_; }

  bool null() override { return wrong_type("null"); }
  bool number_integer(number_integer_t) override { return wrong_type("a number"); }
  bool number_unsigned(number_unsigned_t) override { return wrong_type("a number"); }
  bool number_float(number_float_t, const string_t&) override { return wrong_type("a number"); }
  bool binary(binary_t&) override { return wrong_type("binary"); }
  bool start_array(std::size_t) override { return wrong_type("an array"); }
  bool end_array() override { return true; }
  bool end_object() override { return true; }

  bool boolean(bool value) override {
    if (!in_object_ || at_->member != Member::more) return wrong_type("a boolean");
    record_.more = value;
    return true;
  }

  bool start_object(std::size_t) override {
    if (in_object_) return wrong_type("an object");
    in_object_ = true;
    return true;
  }

  bool key(string_t& name) override {
    PLIMSOLL_DCHECK(in_object_);
    at_ = std::ranges::find(members, std::string_view(name), &MemberFacts::name);
    if (at_ == std::end(members)) return refuse(fmt::format("unknown member '{}'", name));
    bool& seen = seen_[static_cast<std::size_t>(at_->member)];
    if (seen) return refuse(fmt::format("member '{}' is there twice", name));
    return seen = true;
  }

  bool string(string_t& text) override {
    if (!in_object_ || at_->member == Member::more) return wrong_type("a string");
    auto& target = at_->member == Member::table ? record_.table : at_->member == Member::key ? record_.key : record_.value;
    if (!at_->base64) {
      target = std::move(text);
      return true;
    }
    auto bytes = decode_base64(text);
    if (!bytes) return refuse(fmt::format("member '{}': {}", at_->name, bytes.error()));
    target = std::move(*bytes);
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& error) override {
    // The library's text is "[json.exception...] parse error at line 1, column 5: syntax error while ..."; a line has its own
    // number.
    const std::string_view text = error.what();
    const std::size_t tail = text.find(": ");
    return refuse(fmt::format("not valid JSON at byte {}: {}", position, tail == text.npos ? text : text.substr(tail + 2)));
  }

 private:
  bool refuse(std::string reason) {
    reason_ = std::move(reason);
    return false;
  }
  bool wrong_type(std::string_view found) {
    if (!in_object_) return refuse(fmt::format("the line is {}, not an object", found));
    return refuse(fmt::format("member '{}' is {}, not a {}", at_->name, found, at_->member == Member::more ? "boolean" : "string"));
  }

  Record record_;
  std::string reason_;
  const MemberFacts* at_ = std::end(members);
  std::array<bool, 5> seen_{};  // by Member
  bool in_object_ = false;
};

std::string_view what_is_missing(const Record& record) {
  if (record.key && !record.value) return "a key without a value";
  if (!record.key && record.value) return "a value without a key";
  if (!record.key && !record.table) return "neither a key nor a table";
  if (!record.key && record.more) return "'more' without a key";
  return {};
}

}  // namespace

std::expected<Record, std::string> parse_jsonl(std::string_view line) {
  PLIMSOLL_CHECK(line.size() <= line_bytes_max);
  if (line.find_first_not_of(" \t\r") == line.npos) return std::unexpected("the line is empty");
  if (line.contains('\0')) return std::unexpected("not valid JSON: a NUL byte");  // which would end the line for the parser
  LineHandler handler;
  if (!json::sax_parse(line.begin(), line.end(), &handler)) {
    PLIMSOLL_DCHECK(!handler.reason().empty());
    return std::unexpected(handler.reason());
  }
  if (const auto missing = what_is_missing(handler.record()); !missing.empty()) return std::unexpected(std::string(missing));
  PLIMSOLL_CHECK(handler.record().key.has_value() == handler.record().value.has_value());
  return std::move(handler.record());
}

void append_jsonl_member(std::string& to, std::string_view name, Bytes bytes, bool binary) {
  if (!binary && is_utf8(bytes)) {
    to.append("\"").append(name).append("\":");
    append_json_string(to, bytes);
  } else {
    to.append("\"").append(name).append("_base64\":\"");
    append_base64(to, bytes);
    to += '"';
  }
}

void append_jsonl(std::string& to, const JsonlLine& line) {
  PLIMSOLL_CHECK(line.key || line.table);
  PLIMSOLL_CHECK(!line.more || (line.part && line.value));
  [[maybe_unused]] const std::size_t before = to.size();
  char separator = '{';
  const auto add = [&](std::string_view name, const std::optional<Bytes>& bytes, bool binary) {
    if (!bytes) return;
    to += std::exchange(separator, ',');
    append_jsonl_member(to, name, *bytes, binary);
  };
  add("table", line.table, false);
  add("key", line.key, false);
  add("value", line.value, line.part);
  if (line.more) to += ",\"more\":true";
  to += "}\n";
  PLIMSOLL_DCHECK(!line.value || line.value->size() > part_bytes_max || to.size() - before <= line_bytes_max);
}

std::expected<std::optional<std::string_view>, std::string> LineReader::next() {
  ++line_number_;
  for (std::size_t searched = 0;;) {
    PLIMSOLL_DCHECK(begin_ + searched <= buffer_.size());
    const std::string_view rest = std::string_view(buffer_).substr(begin_);
    const std::size_t end = rest.find('\n', searched);
    if (std::min(end, rest.size()) > line_bytes_max) {
      return std::unexpected(
          fmt::format("the line is longer than {}; `plimsoll put --file` stores a value of any size", render_size(line_bytes_max)));
    }
    if (end != rest.npos) {
      begin_ += end + 1;
      return rest.substr(0, end);
    }
    if (at_end_) {
      begin_ = buffer_.size();
      if (rest.empty()) return std::nullopt;
      return rest;
    }
    searched = rest.size();
    if (auto filled = fill(); !filled) return std::unexpected(filled.error());
  }
}

std::expected<void, std::string> LineReader::fill() {
  PLIMSOLL_DCHECK(!at_end_);
  buffer_.erase(0, begin_);
  begin_ = 0;
  const std::size_t held = buffer_.size();
  PLIMSOLL_CHECK(held <= line_bytes_max);
  buffer_.resize(held + block_bytes);
  const std::size_t count = std::fread(buffer_.data() + held, 1, block_bytes, file_);
  buffer_.resize(held + count);
  bytes_read_ += count;
  if (count == block_bytes) return {};
  if (std::ferror(file_) != 0) return std::unexpected(fmt::format("cannot read: {}", std::strerror(errno)));
  at_end_ = true;
  return {};
}

std::expected<std::optional<Record>, std::string> JsonlReader::next() {
  const auto line = lines_.next();
  if (!line) return std::unexpected(line.error());
  if (!*line) return std::nullopt;
  auto record = parse_jsonl(**line);
  if (!record) return std::unexpected(std::move(record.error()));
  return std::move(*record);
}

void JsonlWriter::begin_table(std::string& to, std::optional<Bytes> name) {
  table_ = name;
  if (name_tables_ && name) append_jsonl(to, {.table = name});
}

std::expected<void, std::string> JsonlWriter::add(std::string& to, const Part& part) {
  std::optional<Bytes> table;
  if (table_) table = *table_;
  append_jsonl(to, {.table = table, .key = part.key, .value = part.value, .part = !part.first || !part.last, .more = !part.last});
  return {};
}

}  // namespace plimsoll::cli
