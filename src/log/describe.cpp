// Records as text, for the log's inspection commands. Keys and values are cut and escaped: one record is one line.
#include <fmt/format.h>

#include <iterator>

#include "log/record.hpp"

namespace plimsoll::log {

namespace {

constexpr std::size_t shown_bytes_max = 40;
using Text = std::back_insert_iterator<std::string>;

std::string quoted(std::string_view bytes) {
  std::string text = "\"";
  for (const char c : bytes.substr(0, shown_bytes_max)) {
    if (c >= ' ' && c <= '~' && c != '"' && c != '\\') {
      text += c;
    } else {
      fmt::format_to(std::back_inserter(text), "\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  text += '"';
  if (bytes.size() > shown_bytes_max) fmt::format_to(std::back_inserter(text), "... ({} bytes)", bytes.size());
  return text;
}

std::string_view name(Action action) {
  switch (action) {
    case Action::image: return "image";
    case Action::space_set: return "space_set";
    case Action::space_clear: return "space_clear";
    case Action::keep_first: return "keep_first";
    case Action::inner_insert: return "inner_insert";
    case Action::inner_erase: return "inner_erase";
    case Action::leaf_put: return "leaf_put";
    case Action::leaf_erase: return "leaf_erase";
    case Action::inner_child: return "inner_child";
  }
  return "unknown";
}

bool describe_update(std::string_view payload, Text to) {
  Update update;
  if (!read_update(payload, update)) return false;
  fmt::format_to(to, " transaction={} tree={} leaf={} leaf_before={} version={:#x} version_before={} previous_entry={:#x}",
                 update.transaction.value, update.tree, update.leaf, update.leaf_before_lsn, update.version,
                 update.version_before_lsn, update.previous_entry);
  fmt::format_to(to, " before={{stamp={:#x} previous={:#x} flags={} {}}}", update.before_stamp, update.before_previous,
                 update.before_flags, quoted(update.before));
  fmt::format_to(to, " after={{stamp={:#x} previous={:#x} flags={} {}}} key={}", update.after_stamp, update.after_previous,
                 update.after_flags, quoted(update.after), quoted(update.key));
  return true;
}

bool describe_pages(std::string_view payload, Text to) {
  Reader from(payload);
  PageAction action;
  while (read_action(from, action)) {
    fmt::format_to(to, " {}(page={:#x} before={} bytes={})", name(action.action), action.page_key, action.before_lsn,
                   action.data.size());
  }
  return from.ok();
}

bool describe_commit(std::string_view payload, Text to) {
  Commit commit;
  if (!read_commit(payload, commit)) return false;
  fmt::format_to(to, " transaction={} timestamp={}", commit.transaction.value, commit.timestamp.value);
  return true;
}

bool describe_ending(std::string_view payload, Text to) {
  Ending ending;
  if (!read_ending(payload, ending)) return false;
  fmt::format_to(to, " transaction={} last_entry={:#x}", ending.transaction.value, ending.last_entry);
  if (!ending.global_id.empty()) fmt::format_to(to, " global_id={}", quoted(ending.global_id));
  return true;
}

bool describe_checkpoint(std::string_view payload, Text to) {
  Reader from(payload);
  Checkpoint checkpoint;
  if (!read_checkpoint(from, checkpoint)) return false;
  fmt::format_to(to, " redo_start={} captured={} clock_ceiling={} next_sequence={} incarnation={} transactions={}",
                 checkpoint.redo_start.value, checkpoint.captured.value, checkpoint.clock_ceiling, checkpoint.next_sequence,
                 checkpoint.incarnation, checkpoint.transactions);
  for (std::uint32_t i = 0; i < checkpoint.transactions; ++i) {
    CheckpointTransaction transaction;
    if (!read_checkpoint_transaction(from, transaction)) return false;
    fmt::format_to(to, " {{transaction={} state={} last_entry={:#x} global_id={}}}", transaction.transaction.value,
                   transaction.state, transaction.last_entry, quoted(transaction.global_id));
  }
  return from.empty();
}

bool describe_payload(Kind kind, std::string_view payload, Text to) {
  switch (kind) {
    case Kind::update:
    case Kind::revert: return describe_update(payload, to);
    case Kind::pages: return describe_pages(payload, to);
    case Kind::commit: return describe_commit(payload, to);
    case Kind::abort:
    case Kind::end:
    case Kind::prepare: return describe_ending(payload, to);
    case Kind::checkpoint: return describe_checkpoint(payload, to);
  }
  return false;
}

}  // namespace

std::string describe(const Record& record) {
  PLIMSOLL_DCHECK(record.end >= record.begin);
  std::string text =
      fmt::format("{} {} bytes={}", record.begin.value, log::name(record.kind), record.end.value - record.begin.value);
  if (!describe_payload(record.kind, record.payload, std::back_inserter(text))) text += " (payload damaged)";
  return text;
}

}  // namespace plimsoll::log
