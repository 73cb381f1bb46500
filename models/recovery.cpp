// Checkpoint, crash, analysis, redo and revert. Mirrors src/recovery/checkpoint.cpp (the order: captured, oldest change, list,
// record), analysis.cpp and redo.cpp, src/txn/write.cpp (apply), revert.cpp, begin_end.cpp (abort, prepare), commit.cpp,
// Store::scratch and the reuse of version pages (src/version/store.cpp), src/storage/write_back.cpp (what a write waits for,
// doublewrite) and the stamps of src/db/store.cpp (before_write).
//
// Bounds: one transaction T that updates one key up to twice, with a savepoint between, and rolls back, commits, aborts, or
// (variant) prepares first; when it has been reverted, another transaction may change the key; its leaf page; one version page with
// all its entries, which somebody else may use again once; one checkpoint; a crash at any point, with any part of the log that is
// not yet durable lost, and one more crash during recovery. A page written without doublewrite may be torn by the crash.
//
// Positions are record numbers; a page's LSN is the number of records up to and including its newest one; rec_lsn is a lower bound
// + 1, 0: clean.
//
// Properties: after recovery the key has its value of before T unless T's commit record survived; recovery always finds the entries
// it must revert; T comes back prepared, with its global id, if and only if its prepare record survived and nothing ended it.
#include "model.hpp"

using model::Kind;
using model::u8;

namespace {

model::Option prepares(Kind::variant, "t-prepares");
model::Option finish_before_end(Kind::variant, "entries-finish-one-by-one");
model::Option elsewhere(Kind::variant, "first-entry-on-another-page");  // which is always found
model::Option relaxed(Kind::variant, "eviction-stamps-before-the-commit-is-durable");

model::Option analysis_from_captured(Kind::mutation, "analysis-looks-from-redo-start");
model::Option revert_unlatches_first(Kind::mutation, "revert-moves-the-last-entry-under-the-latch", &elsewhere);
model::Option stamp_without_limit(Kind::mutation, "stamp-waits-for-the-commit-record", &relaxed);
model::Option unlink_without_limit(Kind::mutation, "unlink-waits-for-the-commit-record");
model::Option reset_without_limit(Kind::mutation, "reset-page-waits-for-the-log");
model::Option scratch_without_limit(Kind::mutation, "scratch-page-waits-for-the-log");
model::Option no_repair(Kind::mutation, "torn-version-pages-are-repaired");
model::Option list_first(Kind::mutation, "list-comes-after-the-oldest-change");
model::Option no_address_test(Kind::variant, "without-the-address-test");  // the log's last entry says enough for one reverter
model::Option change_after_claim(Kind::mutation, "page-is-dirty-before-the-claim");
model::Option prepared_late(Kind::mutation, "prepared-together-with-the-claim", &prepares);

enum Type : u8 { none, update, revert, commit_record, abort_record, prepare_record, end_record, checkpoint_record, other_record };
enum TransactionState : u8 { unknown, active, preparing, prepared, committed, aborted };
constexpr u8 mark = 1, stamped = 2, other_value = 9, records_max = 20, entries = 2, all_entries = 6;  // bits 1 and 2 of entry sets

struct Record {
  u8 stamp, previous, value;
};
struct Leaf {
  Record record;
  u8 lsn;
};
struct VersionPage {
  u8 set, lsn, foreign;  // entries 1 and 2: bits 1 and 2; foreign: used again by somebody else
};
template <class Page>
struct Frame {
  Page memory, disk;
  u8 rec_lsn, limit, latched, torn;  // torn: what is on disk was written without doublewrite
};
struct Listed {
  u8 state, last, global_id;
};
struct Checkpoint {
  u8 pc, captured, redo_start, at;  // at: position of its record + 1
  Listed listed;
};

enum Pc : u8 {
  ready,
  update_claim,
  update_fill,
  update_leaf,
  revert_change,
  revert_done,
  rolled_back,
  abort_log,
  abort_next,
  end_log,
  finish,
  committed_finish,
  prepare_log,
  prepare_done,
  ended
};

struct State {
  u8 log[records_max];  // type << 4 | entry
  u8 size, durable, crashes, recovered;
  u8 pc, state, last, unfinished, next, target, rollbacks, told_prepared, unlinked, global_id;
  Frame<Leaf> leaf;
  Frame<VersionPage> version;
  Checkpoint making, super;
};

constexpr Record before_of(u8 entry) { return entry == 1 ? Record{0, 0, 0} : Record{mark, 1, 1}; }
u8 type_of(u8 record) { return record >> 4; }
u8 entry_of(u8 record) { return record & 15; }

void append(State& s, Type type, u8 entry) { s.log[s.size++] = static_cast<u8>(type << 4 | entry); }
bool room(const State& s) { return s.size < records_max - 1; }
u8 tracked() { return elsewhere ? 4 : all_entries; }
bool scratch(const State& s) { return (s.unfinished & tracked()) == 0 && !s.version.memory.foreign; }
template <class Page>
void will_change(const State& s, Frame<Page>& frame) {
  if (frame.rec_lsn == 0) frame.rec_lsn = s.size + 1;
}
u8 position_of(const State& s, Type type) {
  for (u8 i = 0; i < s.size; ++i)
    if (type_of(s.log[i]) == type) return i + 1;
  return 0;
}

// --- T ---

void finish_entries(State& s, u8 which) { s.unfinished &= static_cast<u8>(~which); }

void t_begins_or_updates(const State& s0, model::Search<State>& search) {
  State s = s0;
  const u8 entry = s.next;
  switch (s.pc) {
    case ready: {
      if (s.state != active && s.state != prepared) return;
      if (s.state == active && s.next <= entries) {
        State u = s;
        u.unfinished |= static_cast<u8>(1 << entry);
        u.leaf.latched = u.version.latched = 1;
        if (!change_after_claim) {
          will_change(u, u.leaf);
          will_change(u, u.version);
        }
        u.pc = update_claim;
        search.step(u, "T: pages latched and dirty for entry %", entry);
      }
      if (s.last == 2 && s.state == active && !s.rollbacks) {
        State u = s;
        u.rollbacks = 1;
        u.target = 1;
        u.pc = revert_change;
        search.step(u, "T rolls back to its savepoint");
      }
      if (s.last == 0) return;
      if (prepares && s.state == active) {
        State u = s;
        u.state = preparing;
        u.pc = prepare_log;
        search.step(u, "T: state = preparing");
      } else {
        State u = s;
        append(u, commit_record, 0);  // the commit latch: position and state together
        u.state = committed;
        u.pc = committed_finish;
        search.step(u, "T commits");
      }
      s.state = aborted;
      s.pc = abort_log;
      return search.step(s, "T: state = aborted");
    }
    case update_claim:
      append(s, update, entry);
      s.pc = update_fill;
      return search.step(s, "T appends update of entry %", entry);
    case update_fill:
      if (change_after_claim) {
        will_change(s, s.leaf);
        will_change(s, s.version);
      }
      s.version.memory.set |= static_cast<u8>(1 << entry);
      s.version.memory.lsn = s.size;
      for (u8 i = 0; i < s.size; ++i)
        if (s.log[i] == (update << 4 | entry)) s.version.memory.lsn = i + 1;
      s.version.latched = 0;
      s.last = entry;
      s.pc = update_leaf;
      return search.step(s, "T fills entry % and stores it as its last", entry);
    case update_leaf:
      s.leaf.memory = {{mark, entry, entry}, s.version.memory.lsn};
      for (u8 i = 0; i < s.size; ++i)
        if (s.log[i] == (update << 4 | entry)) s.leaf.memory.lsn = i + 1;
      s.leaf.latched = 0;
      ++s.next;
      s.pc = ready;
      return search.step(s, "T changes the leaf");
    default: return;
  }
}

// Rolls back, aborts, prepares or ends.
void t_ends(const State& s0, model::Search<State>& search) {
  State s = s0;
  switch (s.pc) {
    case revert_change: {
      const u8 reverted = s.last;
      if (s.recovered && (s.version.memory.set >> reverted & 1) == 0 && (tracked() >> reverted & 1) != 0)
        return search.wrong("recovery does not find an entry that it must revert", "T reverts entry %", reverted);
      const Record& record = s.leaf.memory.record;
      if (no_address_test || (record.stamp == mark && record.previous == reverted)) {
        if (!room(s)) return;
        will_change(s, s.leaf);
        append(s, revert, reverted);
        s.leaf.memory = {before_of(reverted), s.size};
        s.leaf.latched = !revert_unlatches_first;
      }
      s.pc = revert_done;
      return search.step(s, "T reverts entry %", reverted);
    }
    case revert_done: {
      const u8 reverted = s.last;
      s.last = reverted - 1;  // of this transaction's entries, 2 follows 1
      s.leaf.latched = 0;
      if (finish_before_end) finish_entries(s, static_cast<u8>(1 << reverted));
      s.pc = s.state == aborted ? u8{abort_next} : u8{rolled_back};
      return search.step(s, "T: last entry = %", s.last);
    }
    case rolled_back:
      finish_entries(s, 4);
      s.next = entries + 1;  // enough updates
      s.pc = ready;
      return search.step(s, "T has rolled back");
    case abort_log:
      if (!room(s)) return;
      append(s, abort_record, s.last);
      s.pc = abort_next;
      return search.step(s, "T appends ABORT");
    case abort_next: s.pc = s.last == 0 ? u8{end_log} : u8{revert_change}; return search.step(s, "T: % is to be reverted", s.last);
    case end_log:
      if (!room(s)) return;
      append(s, end_record, 0);
      s.pc = finish;
      return search.step(s, "T appends END");
    case finish:
    case committed_finish:
      finish_entries(s, all_entries);
      if (s.pc == finish) s.state = unknown;
      s.pc = ended;
      return search.step(s, "T: its entries are finished");
    case prepare_log:
      append(s, prepare_record, s.last);
      if (!prepared_late) s.state = prepared;
      s.pc = prepare_done;
      return search.step(s, "T appends PREPARE");
    case prepare_done:
      if (s.durable < position_of(s, prepare_record)) s.durable = s.size;
      s.state = prepared;
      s.told_prepared = 1;
      s.pc = ready;
      return search.step(s, "T is durably prepared and says so");
    default: return;
  }
}

void t_runs(const State& s, model::Search<State>& search) {
  const bool early = s.pc == ready || s.pc == update_claim || s.pc == update_fill || s.pc == update_leaf;
  early ? t_begins_or_updates(s, search) : t_ends(s, search);
}

// --- pages ---

template <class Page>
void write(State& s, Frame<Page>& frame, u8 limit) {
  if (s.durable < limit) s.durable = limit;
  frame.disk = frame.memory;
  frame.rec_lsn = frame.limit = 0;
}

void pages_change(const State& s0, model::Search<State>& search) {
  if (s0.leaf.rec_lsn && !s0.leaf.latched) {
    State s = s0;
    // Eviction stamps what has committed; with relaxed commits before that is durable.
    const u8 position = position_of(s, commit_record);
    if (s.state == committed && position != 0 && s.leaf.memory.record.stamp == mark && (relaxed || s.durable >= position)) {
      s.leaf.memory.record.stamp = stamped;
      if (!stamp_without_limit && s.leaf.limit < position) s.leaf.limit = position;
    }
    write(s, s.leaf, std::max(s.leaf.memory.lsn, s.leaf.limit));
    search.step(s, "the leaf is written");
  }
  const Record& record = s0.leaf.memory.record;
  if (s0.state == aborted && !s0.recovered && !s0.leaf.latched && record.stamp == 0 && s0.last == 0 && room(s0)) {
    State s = s0;  // the record is free again: somebody else changes it and commits, in one log record here
    will_change(s, s.leaf);
    append(s, other_record, other_value);
    s.leaf.memory = {{stamped, 0, other_value}, s.size};
    search.step(s, "another transaction changes the key and commits");
  }
  if (s0.version.rec_lsn && !s0.version.latched) {
    State s = s0;
    s.version.torn = scratch(s) || no_repair;
    const u8 limit = scratch(s) && !scratch_without_limit ? s.size : std::max(s.version.memory.lsn, s.version.limit);
    write(s, s.version, limit);
    search.step(s, "the version page is written");
  }
  if (s0.pc == ended && s0.state == committed && s0.leaf.memory.record.stamp == mark && !s0.leaf.latched && !s0.unlinked) {
    State s = s0;  // a sweep takes the entry out of the chain of a record that still has its mark
    s.unlinked = 1;
    will_change(s, s.leaf);
    s.leaf.memory.record.previous = 0;
    if (!unlink_without_limit) s.leaf.limit = s.size;
    search.step(s, "a sweep unlinks the entry");
    State stamps = s0;
    will_change(stamps, stamps.leaf);
    stamps.leaf.memory.record = {stamped, 0, stamps.leaf.memory.record.value};
    if (!stamp_without_limit) stamps.leaf.limit = std::max(stamps.leaf.limit, position_of(s, commit_record));
    search.step(stamps, "T stamps its record");
  }
  if (scratch(s0) && s0.version.memory.set != 0 && !s0.version.latched && !s0.recovered) {
    State s = s0;
    s.version.memory = {0, 0, 1};
    if (s.version.rec_lsn == 0) s.version.rec_lsn = s.size + 1;
    s.version.limit = reset_without_limit ? u8{0} : s.size;
    search.step(s, "the version page is used again");
  }
}

// --- checkpoint ---

void read_list(State& s) {
  Listed& listed = s.making.listed;
  listed.last = s.last;
  const bool has_id = s.state == prepared || s.state == aborted;
  listed.global_id = s.global_id && has_id;
  const bool unfinished =
      listed.state == active || listed.state == preparing || listed.state == prepared || listed.state == aborted;
  if (!unfinished || (listed.last == 0 && listed.state != prepared)) listed = {};
}

void checkpoint_runs(const State& s0, model::Search<State>& search) {
  enum { capture, scan_leaf, scan_version, list_state, list_last, log_it };
  State s = s0;
  if (s.recovered || s.super.at != 0) return;
  Checkpoint& making = s.making;
  static constexpr u8 order[] = {capture, scan_leaf, scan_version, list_state, list_last, log_it};
  static constexpr u8 other_order[] = {list_state, list_last, capture, scan_leaf, scan_version, log_it};
  switch ((list_first ? other_order : order)[making.pc]) {
    case capture:
      making.captured = making.redo_start = s.size;
      ++making.pc;
      return search.step(s, "checkpoint: captured at %", s.size);
    case scan_leaf:
      if (s.leaf.rec_lsn != 0 && s.leaf.rec_lsn - 1 < making.redo_start) making.redo_start = s.leaf.rec_lsn - 1;
      ++making.pc;
      return search.step(s, "checkpoint: the leaf scanned, redo from %", making.redo_start);
    case scan_version:
      if (s.version.rec_lsn != 0 && !scratch(s) && s.version.rec_lsn - 1 < making.redo_start)
        making.redo_start = s.version.rec_lsn - 1;
      ++making.pc;
      return search.step(s, "checkpoint: the version page scanned, redo from %", making.redo_start);
    case list_state:
      making.listed.state = s.state;
      ++making.pc;
      return search.step(s, "checkpoint: T has state %", s.state);
    case list_last:
      read_list(s);
      ++making.pc;
      return search.step(s, "checkpoint: T listed with state %, last entry %", making.listed.state, making.listed.last);
    default:
      if (!room(s)) return;
      append(s, checkpoint_record, 0);
      s.durable = s.size;
      s.super = making;
      s.super.at = s.size;
      s.super.pc = 0;
      s.making = {};
      return search.step(s, "checkpoint: record and superblock written");
  }
}

// --- crash and recovery ---

void redo(State& s, u8 from) {
  for (u8 i = from; i < s.size; ++i) {
    const u8 type = type_of(s.log[i]), entry = entry_of(s.log[i]);
    if (type != update && type != revert && type != other_record) continue;
    if (i + 1 > s.leaf.memory.lsn) {
      const Record record = type == update   ? Record{mark, entry, entry}
                            : type == revert ? before_of(entry)
                                             : Record{stamped, 0, entry};
      s.leaf.memory = {record, static_cast<u8>(i + 1)};
      if (s.leaf.rec_lsn == 0) s.leaf.rec_lsn = i + 1;
    }
    if (type == update && s.state != unknown && i + 1 > s.version.memory.lsn) {
      s.version.memory = {static_cast<u8>(s.version.memory.set | 1 << entry), static_cast<u8>(i + 1), s.version.memory.foreign};
      if (s.version.rec_lsn == 0) s.version.rec_lsn = i + 1;
    }
  }
}

void analyse(State& s, u8 from) {
  const Listed& listed = s.super.listed;
  s.state = listed.state;
  s.last = listed.last;
  s.global_id = listed.global_id;
  for (u8 i = from; i < s.size; ++i) {
    const u8 type = type_of(s.log[i]), entry = entry_of(s.log[i]);
    if (analysis_from_captured && s.super.at != 0 && i < s.super.captured) continue;
    if (type == update || type == revert) {
      if (s.state == unknown || s.state == committed) s.state = active;
      s.last = type == update ? entry : static_cast<u8>(entry - 1);
    }
    if (type == commit_record || type == end_record) s.state = s.last = 0;
    if (type == abort_record || type == prepare_record) {
      s.state = type == abort_record ? aborted : prepared;
      s.last = entry;
      if (type == prepare_record) s.global_id = 1;
    }
  }
  if (s.state == preparing) s.state = prepared_late ? prepared : active;
}

State recover(const State& s0, u8 keep, bool torn) {
  State s = s0;
  for (u8 i = keep; i < s.size; ++i) s.log[i] = 0;
  s.size = s.durable = keep;
  ++s.crashes;
  s.recovered = 1;
  s.making = {};
  s.leaf = {s.leaf.disk, s.leaf.disk, 0, 0, 0, 0};
  s.version = {s.version.disk, s.version.disk, 0, 0, 0, 0};
  if (torn) s.version.memory = {};
  s.unfinished = s.next = s.target = s.rollbacks = s.unlinked = 0;
  const u8 from = s.super.at != 0 ? s.super.redo_start : u8{0};
  analyse(s, from);
  redo(s, from);
  s.pc = ended;
  if (s.state == active || s.state == aborted) {
    s.state = aborted;
    s.unfinished = all_entries;
    s.pc = s.last == 0 ? u8{ended} : u8{abort_log};
    if (s.last == 0) s.state = unknown;
  }
  return s;
}

// What the key must be worth, by the log that survived.
u8 expected_value(const State& s) {
  if (position_of(s, other_record) != 0) return other_value;
  if (position_of(s, commit_record) == 0) return 0;
  u8 value = 0;
  for (u8 i = 0; i < s.size; ++i) {
    if (type_of(s.log[i]) == update) value = entry_of(s.log[i]);
    if (type_of(s.log[i]) == revert) value = entry_of(s.log[i]) - 1;
  }
  return value;
}

const char* what_is_wrong(const State& s) {
  if (!s.recovered) return nullptr;
  const bool may_be_prepared =
      position_of(s, prepare_record) != 0 && position_of(s, commit_record) == 0 && position_of(s, end_record) == 0;
  if (s.state == prepared && !may_be_prepared) return "T comes back prepared and never was";
  if (s.state == prepared && !s.global_id) return "T comes back prepared without its global id";
  if (s.told_prepared && s.state != prepared && s.state != aborted && may_be_prepared && position_of(s, abort_record) == 0)
    return "T was prepared and is forgotten";
  if (s.pc != ended || s.state == prepared) return nullptr;
  return s.leaf.memory.record.value == expected_value(s) ? nullptr : "after recovery the key has a wrong value";
}

void crash(const State& s0, model::Search<State>& search) {
  const u8 crashes_max = model::short_run ? 1 : 2;
  if (s0.crashes == crashes_max) return;
  for (u8 keep = s0.durable; keep <= s0.size; ++keep) {
    for (int torn = 0; torn <= s0.version.torn; ++torn) {
      const State s = recover(s0, keep, torn != 0);
      if (const char* wrong = what_is_wrong(s)) {
        search.wrong(wrong, "crash: % records of % survive, version page torn: %", keep, s0.size, torn);
      } else {
        search.step(s, "crash: % records of % survive, version page torn: %", keep, s0.size, torn);
      }
    }
  }
}

struct Model {
  static State initial() {
    State s{};
    s.state = active;
    s.next = 1;
    s.global_id = prepares ? 1 : 0;
    return s;
  }
  static void successors(const State& s, model::Search<State>& search) {
    if (const char* wrong = what_is_wrong(s)) return search.wrong(wrong, "recovery is done");
    t_runs(s, search);
    pages_change(s, search);
    checkpoint_runs(s, search);
    crash(s, search);
  }
  static bool may_end(const State&) { return true; }
};

}  // namespace

int main(int argc, char** argv) { return model::main_of<Model, State>("recovery", argc, argv); }
