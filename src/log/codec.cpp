// The payloads of all record kinds: what each writer puts in, its reader takes out, in the same order.
#include <limits>

#include "log/record.hpp"

namespace plimsoll::log {

namespace {

std::uint16_t length16(std::string_view text) {
  PLIMSOLL_CHECK(text.size() <= std::numeric_limits<std::uint16_t>::max());
  return static_cast<std::uint16_t>(text.size());
}

bool known(Action action) { return action >= Action::image && action <= Action::inner_child; }

// Turns ok() false: what follows cannot be understood.
bool refuse(Reader& from) {
  from.bytes(std::numeric_limits<std::size_t>::max());
  PLIMSOLL_CHECK(!from.ok());
  return false;
}

}  // namespace

void write_action(Writer& to, const PageAction& action) {
  PLIMSOLL_CHECK(known(action.action));
  PLIMSOLL_CHECK(action.data.size() <= record_bytes_max);
  [[maybe_unused]] const std::size_t before = to.size();
  to.number<std::uint64_t>(action.page_key).number<std::uint64_t>(action.before_lsn);
  to.number<std::uint8_t>(static_cast<std::uint8_t>(action.action));
  to.number<std::uint32_t>(static_cast<std::uint32_t>(action.data.size()));
  PLIMSOLL_DCHECK(to.size() - before == page_action_header_bytes);
  to.bytes(action.data);
}

bool read_action(Reader& from, PageAction& action) {
  if (from.empty()) return false;
  action.page_key = from.number<std::uint64_t>();
  action.before_lsn = from.number<std::uint64_t>();
  action.action = Action{from.number<std::uint8_t>()};
  action.data = from.bytes(from.number<std::uint32_t>());
  if (!from.ok()) return false;
  return known(action.action) || refuse(from);
}

void write_update_head(Writer& to, const Update& update) {
  [[maybe_unused]] const std::size_t before = to.size();
  to.number<std::uint64_t>(update.transaction.value).number<std::uint32_t>(update.tree).number<std::uint32_t>(update.leaf);
  to.number<std::uint64_t>(update.leaf_before_lsn);
  to.number<std::uint64_t>(update.version).number<std::uint64_t>(update.version_before_lsn);
  to.number<std::uint64_t>(update.previous_entry);
  to.number<std::uint64_t>(update.before_stamp).number<std::uint64_t>(update.before_previous);
  to.number<std::uint64_t>(update.after_stamp).number<std::uint64_t>(update.after_previous);
  to.number<std::uint8_t>(update.before_flags).number<std::uint8_t>(update.after_flags);
  to.number<std::uint16_t>(length16(update.key)).number<std::uint16_t>(length16(update.before));
  to.number<std::uint16_t>(length16(update.after));
  PLIMSOLL_DCHECK(to.size() - before == update_fixed_bytes);
}

void write_update(Writer& to, const Update& update) {
  write_update_head(to, update);
  to.bytes(update.key).bytes(update.before).bytes(update.after);
}

bool read_update(std::string_view payload, Update& update) {
  Reader from(payload);
  update.transaction = TxnId{from.number<std::uint64_t>()};
  update.tree = from.number<std::uint32_t>();
  update.leaf = from.number<std::uint32_t>();
  update.leaf_before_lsn = from.number<std::uint64_t>();
  update.version = from.number<std::uint64_t>();
  update.version_before_lsn = from.number<std::uint64_t>();
  update.previous_entry = from.number<std::uint64_t>();
  update.before_stamp = from.number<std::uint64_t>();
  update.before_previous = from.number<std::uint64_t>();
  update.after_stamp = from.number<std::uint64_t>();
  update.after_previous = from.number<std::uint64_t>();
  update.before_flags = from.number<std::uint8_t>();
  update.after_flags = from.number<std::uint8_t>();
  const auto key_bytes = from.number<std::uint16_t>();
  const auto before_bytes = from.number<std::uint16_t>();
  const auto after_bytes = from.number<std::uint16_t>();
  update.key = from.bytes(key_bytes);
  update.before = from.bytes(before_bytes);
  update.after = from.bytes(after_bytes);
  return from.ok() && from.empty();
}

void write_commit(Writer& to, const Commit& commit) {
  to.number<std::uint64_t>(commit.transaction.value).number<std::uint64_t>(commit.timestamp.value);
}

bool read_commit(std::string_view payload, Commit& commit) {
  Reader from(payload);
  commit.transaction = TxnId{from.number<std::uint64_t>()};
  commit.timestamp = Timestamp{from.number<std::uint64_t>()};
  return from.ok() && from.empty();
}

void write_ending(Writer& to, const Ending& ending) {
  to.number<std::uint64_t>(ending.transaction.value).number<std::uint64_t>(ending.last_entry).bytes(ending.global_id);
}

bool read_ending(std::string_view payload, Ending& ending) {
  Reader from(payload);
  ending.transaction = TxnId{from.number<std::uint64_t>()};
  ending.last_entry = from.number<std::uint64_t>();
  if (!from.ok()) return false;
  ending.global_id = from.rest();
  return true;
}

void write_checkpoint(Writer& to, const Checkpoint& checkpoint) {
  to.number<std::uint64_t>(checkpoint.redo_start.value).number<std::uint64_t>(checkpoint.captured.value);
  to.number<std::uint64_t>(checkpoint.clock_ceiling);
  to.number<std::uint64_t>(checkpoint.next_sequence).number<std::uint16_t>(checkpoint.incarnation);
  to.number<std::uint32_t>(checkpoint.transactions);
}

void write_checkpoint_transaction(Writer& to, const CheckpointTransaction& transaction) {
  PLIMSOLL_CHECK(transaction.global_id.size() <= std::numeric_limits<std::uint8_t>::max());
  to.number<std::uint64_t>(transaction.transaction.value).number<std::uint8_t>(transaction.state);
  to.number<std::uint64_t>(transaction.last_entry);
  to.number<std::uint8_t>(static_cast<std::uint8_t>(transaction.global_id.size())).bytes(transaction.global_id);
}

bool read_checkpoint(Reader& from, Checkpoint& checkpoint) {
  checkpoint.redo_start = Lsn{from.number<std::uint64_t>()};
  checkpoint.captured = Lsn{from.number<std::uint64_t>()};
  checkpoint.clock_ceiling = from.number<std::uint64_t>();
  checkpoint.next_sequence = from.number<std::uint64_t>();
  checkpoint.incarnation = from.number<std::uint16_t>();
  checkpoint.transactions = from.number<std::uint32_t>();
  return from.ok();
}

bool read_checkpoint_transaction(Reader& from, CheckpointTransaction& transaction) {
  transaction.transaction = TxnId{from.number<std::uint64_t>()};
  transaction.state = from.number<std::uint8_t>();
  transaction.last_entry = from.number<std::uint64_t>();
  transaction.global_id = from.bytes(from.number<std::uint8_t>());
  return from.ok();
}

}  // namespace plimsoll::log
