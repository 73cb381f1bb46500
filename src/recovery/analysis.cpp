#include "recovery/analysis.hpp"

#include <algorithm>

#include "base/fail.hpp"
#include "registry/slot.hpp"
#include "storage/page.hpp"

namespace plimsoll::recovery {

using registry::sequence_of;
using registry::slot_of;

namespace {

class Analyser {
 public:
  Analyser(Analysis& analysis, memory::MemoryBudget& budget) : analysis_(analysis), budget_(budget) {}

  Result<void> load_checkpoint(const log::Record& record);
  Result<bool> look(const log::Record& record);

 private:
  Result<Recovered*> slot(TxnId id);
  Result<void> charge();
  void end(TxnId id);

  Analysis& analysis_;
  memory::MemoryBudget& budget_;
};

std::unexpected<Error> unreadable(const log::Record& record) {
  return fail(ErrorCode::corruption, "log position {}: a {} record with a good checksum makes no sense", record.begin.value,
              name(record.kind));
}

// What the tables take, roughly, in steps of 64 KiB.
Result<void> Analyser::charge() {
  const std::size_t bytes = analysis_.slots.size() * sizeof(Recovered) + analysis_.freed.size() * 48;
  if (bytes <= analysis_.charge.bytes()) return {};
  PLIMSOLL_ASSIGN(auto more, memory::Charge::take(budget_, memory::Account::recovery, bytes + 65536));
  analysis_.charge = std::move(more);
  return {};
}

Result<Recovered*> Analyser::slot(TxnId id) {
  const std::size_t index = slot_of(id);
  if (index >= analysis_.slots.size()) {
    analysis_.slots.resize(index + 1);
    PLIMSOLL_TRY(charge());
  }
  analysis_.next_sequence = std::max(analysis_.next_sequence, sequence_of(id) + 1);
  Recovered& found = analysis_.slots[index];
  if (found.id != id) found = {id};
  return &found;
}

void Analyser::end(TxnId id) {
  analysis_.next_sequence = std::max(analysis_.next_sequence, sequence_of(id) + 1);
  const std::size_t index = slot_of(id);
  if (index >= analysis_.slots.size() || analysis_.slots[index].id != id) return;
  analysis_.slots[index] = {};
  analysis_.global_ids.erase(index);
}

Result<void> Analyser::load_checkpoint(const log::Record& record) {
  if (record.kind != log::Kind::checkpoint)
    return fail(ErrorCode::corruption, "log position {}: no checkpoint record", record.begin.value);
  log::Reader from(record.payload);
  log::Checkpoint checkpoint;
  if (!log::read_checkpoint(from, checkpoint)) return unreadable(record);
  analysis_.redo_start = checkpoint.redo_start;
  analysis_.clock_ceiling = checkpoint.clock_ceiling;
  analysis_.next_sequence = checkpoint.next_sequence;
  for (std::uint32_t i = 0; i < checkpoint.transactions; ++i) {
    log::CheckpointTransaction transaction;
    if (!log::read_checkpoint_transaction(from, transaction)) return unreadable(record);
    PLIMSOLL_ASSIGN(Recovered* const found, slot(transaction.transaction));
    found->state = static_cast<TransactionState>(transaction.state);
    found->last_entry = transaction.last_entry;
    if (!transaction.global_id.empty()) analysis_.global_ids[slot_of(transaction.transaction)] = transaction.global_id;
  }
  return {};
}

// Every record from redo start on counts, in order; the checkpoint's list only supplies transactions that have no record there. (A
// slot's earlier transaction ended before its later one wrote, so all records of the later one follow.)
Result<bool> Analyser::look(const log::Record& record) {
  ++analysis_.records;
  if (record.kind == log::Kind::pages) {
    log::Reader from(record.payload);
    for (log::PageAction action; log::read_action(from, action);) {
      analysis_.pages_named.add(action.page_key);
      log::Reader data(action.data);
      const auto first = data.number<std::uint32_t>(), count = data.number<std::uint32_t>();
      if (action.action == log::Action::space_clear && count == 1) analysis_.freed[first] = record.end.value;
    }
    PLIMSOLL_TRY(charge());
    return from.ok() ? Result<bool>(true) : unreadable(record);
  }
  switch (record.kind) {
    case log::Kind::update:
    case log::Kind::revert: {
      log::Update update;
      if (!log::read_update(record.payload, update)) return unreadable(record);
      analysis_.pages_named.add(update.leaf);
      PLIMSOLL_ASSIGN(Recovered* const found, slot(update.transaction));
      if (record.kind == log::Kind::revert) found->last_entry = update.previous_entry;
      if (update.version != 0) found->last_entry = update.version;
      break;
    }
    case log::Kind::commit: {
      log::Commit commit;
      if (!log::read_commit(record.payload, commit)) return unreadable(record);
      analysis_.clock_ceiling = std::max(analysis_.clock_ceiling, commit.timestamp.value);
      end(commit.transaction);
      break;
    }
    case log::Kind::abort:
    case log::Kind::end:
    case log::Kind::prepare: {
      log::Ending ending;
      if (!log::read_ending(record.payload, ending)) return unreadable(record);
      if (record.kind == log::Kind::end) {
        end(ending.transaction);
        break;
      }
      PLIMSOLL_ASSIGN(Recovered* const found, slot(ending.transaction));
      found->last_entry = ending.last_entry;
      found->state = record.kind == log::Kind::abort ? TransactionState::aborted : TransactionState::prepared;
      if (record.kind == log::Kind::prepare) analysis_.global_ids[slot_of(ending.transaction)] = ending.global_id;
      break;
    }
    case log::Kind::pages:
    case log::Kind::checkpoint: break;
  }
  return true;
}

}  // namespace

bool Analysis::has_entries(TxnId id) const {
  const std::size_t index = slot_of(id);
  return index < slots.size() && slots[index].id == id && slots[index].last_entry != 0;
}

bool Analysis::is_freed(std::uint64_t page_key, Lsn record_end) const {
  if (page_key >> 32 != 0 || freed.empty()) return false;
  const auto found = freed.find(static_cast<std::uint32_t>(page_key));
  return found != freed.end() && record_end.value <= found->second;
}

Result<Analysis> analyse(io::FileSystem& files, memory::PageProvider& provider, const log::LogOptions& options, Lsn checkpoint) {
  Analysis analysis;
  Analyser analyser(analysis, provider.budget());
  Result<void> loaded =
      fail(ErrorCode::corruption, "log position {}: the checkpoint record that the superblock names is damaged or missing",
           checkpoint.value);
  PLIMSOLL_TRY(log::scan(files, provider, options, checkpoint, [&](const log::Record& record) -> Result<bool> {
    loaded = analyser.load_checkpoint(record);
    return false;
  }));
  PLIMSOLL_TRY(loaded);
  PLIMSOLL_ASSIGN(const log::ScanEnd end, log::scan(files, provider, options, analysis.redo_start,
                                                    [&](const log::Record& record) { return analyser.look(record); }));
  if (end.end <= checkpoint)
    return fail(ErrorCode::corruption, "the log ends at position {}, before the checkpoint at {}: a segment is damaged or missing",
                end.end.value, checkpoint.value);
  analysis.end = end.end;
  return analysis;
}

}  // namespace plimsoll::recovery
