// Begin, commit, visibility, stamping, the commit table, lingering slots and slot reuse. Mirrors src/registry/registry.cpp
// (acquire, release, take_snapshot, refresh_snapshots, note_commit, find), commit_table.cpp, src/txn/commit.cpp (commit_writes,
// finish_writes, release_committed), src/version/visibility.cpp and src/txn/read.cpp (what a reader validates).
//
// Bounds: one writer slot used by two transactions one after the other, or (long) two slots used once; a transaction writes key
// 0, or both keys; a reader reads key 0, then key 1 (long: and key 0 again) at one snapshot. Each key lies on a leaf of its own and
// keeps every version; one step under a leaf latch, lookups load by load. What a transaction could not stamp goes to the commit
// table, or, if that is full, its slot lingers. The background evicts the table and releases lingering slots by the oldest
// admissible snapshot that it has published.
//
// Properties: a read is the newest version committed at or before its snapshot; a reader of the read-only horizon sees durable
// commits only; the log's end that another reader has read, and waits for when it commits, is behind every commit that it can see.
#include "model.hpp"

using model::Kind;
using model::u8;

namespace {

model::Option as_of(Kind::variant, "snapshot-given-by-the-caller");  // at the newest timestamp, like Options::as_of
model::Option read_only(Kind::variant, "read-only");                 // at the read-only horizon, never spins
model::Option table_full(Kind::variant, "commit-table-full");        // slots linger

model::Option two_slots(Kind::long_variant, "two-slots-one-transaction-each");

model::Option no_pending(Kind::mutation, "pending-before-the-draw");
model::Option pending_invisible(Kind::mutation, "readers-spin-on-pending", &as_of);
model::Option not_validated(Kind::mutation, "found-nowhere-counts-if-the-leaf-is-unchanged");
model::Option table_first(Kind::mutation, "slot-before-table");
model::Option free_first(Kind::mutation, "table-before-the-slot-is-freed");
model::Option silent_stamp(Kind::mutation, "stamp-bumps-the-leaf-word");
model::Option clean_stamp(Kind::mutation, "a-stamp-makes-its-page-dirty");  // the leaf may be dropped and read again
model::Option no_acquiring(Kind::mutation, "acquiring-before-the-snapshot-is-loaded");
model::Option scan_first(Kind::mutation, "horizon-before-the-scan");
model::Option state_first(Kind::mutation, "timestamp-before-committing");
model::Option id_stays(Kind::mutation, "id-is-cleared-before-the-slot-is-used-again");
model::Option lingers_short(Kind::mutation, "lingering-until-every-snapshot-is-newer", &table_full);
model::Option no_recheck(Kind::mutation, "id-is-checked-again");
model::Option position_last(Kind::mutation, "position-before-the-draw");
model::Option horizon_early(Kind::mutation, "horizon-counts-durable-commits", &read_only);

constexpr u8 slots_max = 2, transactions = 4, mark = 100, none = 255, acquiring = 254, undrawn = 0;
enum SlotState : u8 { active, pending, committed };
enum Pc : u8 {
  w_begin,
  w_id,
  w_write,
  w_pending,
  w_claim,
  w_draw,
  w_timestamp,
  w_committing,
  w_finish,
  w_table,
  w_free,
  w_unpublish,
  w_done,
  r_begin,
  r_load,
  r_position,
  r_publish,
  r_leaf,
  r_slot_id,
  r_slot_state,
  r_slot_timestamp,
  r_slot_again,
  r_table,
  r_decide,
  r_done,
  b_horizon,
  b_scan,
  b_publish,
};

struct Slot {
  u8 id, state, timestamp, lingering;
};
struct Writer {
  u8 pc, count, both, wrote;
};
struct Reader {
  u8 pc, snapshot, position, published, key, reads, stamp, owner, state, timestamp, changed, table_missed;
};
struct Background {
  u8 pc, horizon, point;
};
struct State {
  u8 now, durable, horizon, oldest, clock,
      log_end;         // durable: newest durable commit; horizon: read-only; oldest: as published; clock: what newcomers load
  u8 newest_stamp[2];  // of the record of each key: a timestamp or mark + transaction
  u8 timestamp_of[transactions + 1], position_of[transactions + 1], wrote[transactions + 1], table[transactions + 1];
  Slot slot[slots_max];
  Writer writer[slots_max];
  Reader reader;
  Background background;
};

int slots() { return two_slots ? 2 : 1; }
u8 count_max() { return two_slots ? 1 : 2; }
u8 id_of(int slot, const Writer& writer) { return static_cast<u8>(slot * 2 + writer.count + 1); }
u8 slot_of(u8 id) { return static_cast<u8>((id - 1) / 2); }
void bump(State& s, u8 key) {
  if (s.reader.key == key) s.reader.changed = 1;
}
// The version chain of a key as ghosts: every transaction that wrote it and has a timestamp, newest first.
u8 expected(const State& s, u8 key, u8 snapshot) {
  u8 best = 0, newest = 0;
  for (u8 id = 1; id <= transactions; ++id)
    if ((s.wrote[id] >> key & 1) && s.timestamp_of[id] != undrawn && s.timestamp_of[id] <= snapshot &&
        s.timestamp_of[id] > newest) {
      best = id;
      newest = s.timestamp_of[id];
    }
  return best;
}

// The commit latch is held from the first of the two, position and timestamp, to w_committing.
bool latched(const State& s) {
  for (int index = 0; index < slots(); ++index) {
    const u8 pc = s.writer[index].pc;
    if (pc == w_timestamp || pc == w_committing || pc == (position_last ? w_claim : w_draw)) return true;
  }
  return false;
}

void writer_runs(const State& s0, int index, model::Search<State>& search) {
  State s = s0;
  Writer& w = s.writer[index];
  Slot& slot = s.slot[index];
  const u8 id = id_of(index, w);
  switch (w.pc) {
    case w_begin:
      if (slot.lingering) return;
      slot.state = active;
      slot.timestamp = undrawn;
      w.pc = w_id;
      return search.step(s, "T% takes its slot", id);
    case w_id:
      slot.id = id;
      w.pc = w_write;
      w.both = two_slots && index == 0 ? 1 : 0;
      search.step(s, "T% has begun, will write key 0", id);
      if (two_slots) return;
      w.both = 1;
      return search.step(s, "T% has begun, will write keys 0 and 1", id);
    case w_write: {
      const u8 key = w.wrote;
      const u8 stamp = s.newest_stamp[key];
      if (stamp >= mark && s.slot[slot_of(stamp - mark)].id == stamp - mark && s.slot[slot_of(stamp - mark)].state != committed)
        return;  // waits
      s.newest_stamp[key] = mark + id;
      s.wrote[id] |= static_cast<u8>(1 << key);
      bump(s, key);
      w.pc = ++w.wrote > w.both ? u8{w_pending} : u8{w_write};
      return search.step(s, "T% writes key %", id, key);
    }
    case w_pending:
      if (!no_pending) slot.state = pending;
      w.pc = position_last ? w_draw : w_claim;
      return search.step(s, "T%: state = pending", id);
    case w_claim:
      if (!position_last && latched(s)) return;
      s.position_of[id] = ++s.log_end;
      w.pc = !position_last ? w_draw : state_first ? w_committing : w_timestamp;
      return search.step(s, "T% claims position %", id, s.log_end);
    case w_draw:
      if (position_last && latched(s)) return;
      s.timestamp_of[id] = ++s.now;
      s.clock = s.now;
      w.pc = position_last ? w_claim : state_first ? w_committing : w_timestamp;
      return search.step(s, "T% draws timestamp %", id, s.now);
    case w_timestamp:
      slot.timestamp = s.timestamp_of[id];
      w.pc = state_first ? w_finish : w_committing;
      return search.step(s, "T%: slot timestamp", id);
    case w_committing:
      slot.state = committed;
      if (horizon_early) s.horizon = s.timestamp_of[id];
      w.pc = state_first ? w_timestamp : w_finish;
      return search.step(s, "T%: state = committing", id);
    case w_finish: {
      if (w.wrote != 0) {  // stamps a record, or does not reach it
        const u8 key = --w.wrote;
        State stamps = s;
        if (s.newest_stamp[key] == mark + id) stamps.newest_stamp[key] = s.timestamp_of[id];
        if (!silent_stamp) bump(stamps, key);
        search.step(stamps, "T% stamps key %", id, key);
        return search.step(s, "T% does not reach key %", id, key);
      }
      const bool all = s.newest_stamp[0] != mark + id && s.newest_stamp[1] != mark + id;
      if (all) {
        w.pc = w_free;
        return search.step(s, "T%: all its records are stamped", id);
      }
      w.pc = free_first ? w_free : w_table;
      return search.step(s, "T%: some records keep their marks", id);
    }
    case w_table:
      if (table_full) {
        slot.lingering = 1;
        ++w.count;
        w.pc = w.count == count_max() ? w_done : w_begin;
        return search.step(s, "T% lingers", id);
      }
      s.table[id] = 1;
      w.pc = free_first ? w_unpublish : w_free;
      return search.step(s, "T%: commit table", id);
    case w_free:
      if (!id_stays) slot.id = 0;
      w.pc = free_first && !(s.newest_stamp[0] != mark + id && s.newest_stamp[1] != mark + id) ? w_table : w_unpublish;
      return search.step(s, "T%: slot id = 0", id);
    case w_unpublish:
      ++w.count;
      w.pc = w.count == count_max() ? w_done : w_begin;
      return search.step(s, "T% has ended", id);
    default: return;
  }
}

// The reader holds a stamp; the version below it, if it does not see this one, is the next older ghost.
void decide(State s, bool sees, model::Search<State>& search) {
  Reader& r = s.reader;
  const bool validate = !(not_validated && r.stamp >= mark && r.state == none);
  if (validate && r.changed) {
    r.pc = r_leaf;
    r.stamp = r.owner = r.state = r.timestamp = r.changed = r.table_missed = 0;
    return search.step(s, "reader: the leaf has changed, again");
  }
  const u8 right = expected(s, r.key, r.snapshot);
  const u8 got = sees ? r.owner
                      : expected(s, r.key,
                                 r.snapshot < s.timestamp_of[r.owner] || s.timestamp_of[r.owner] == undrawn
                                     ? r.snapshot
                                     : static_cast<u8>(s.timestamp_of[r.owner] - 1));
  if (!read_only && s.position_of[got] > r.position)
    return search.wrong("who only reads acknowledges what can be lost",
                        "reader sees T%, whose commit ends at %, and has seen the log's end %", got, s.position_of[got],
                        r.position);
  if (got != right)
    return search.wrong("a read is not the state at its snapshot", "reader at % gets T% for key %, right is T%", r.snapshot, got,
                        r.key, right);
  ++r.reads;
  r.key = r.reads & 1;
  r.stamp = r.owner = r.state = r.timestamp = r.changed = r.table_missed = 0;
  r.pc = r.reads == (model::short_run ? 2 : 3) ? u8{r_done} : u8{r_leaf};
  if (r.pc == r_done) r.published = none;
  search.step(s, "reader at % gets T%", r.snapshot, got);
}

void reader_runs(const State& s0, model::Search<State>& search) {
  State s = s0;
  Reader& r = s.reader;
  const u8 id = r.stamp >= mark ? r.stamp - mark : 0;
  const Slot* slot = id != 0 ? &s.slot[slot_of(id)] : nullptr;
  const auto not_in_slot = [&] {
    r.state = none;
    r.pc = table_first || r.table_missed ? u8{r_decide} : u8{r_table};
  };
  switch (r.pc) {
    case r_begin:
      if (!no_acquiring) r.published = acquiring;
      r.pc = r_load;
      return search.step(s, "reader: acquiring");
    case r_load:
      r.snapshot = read_only && !as_of ? s.horizon : s.clock;
      r.pc = r_position;
      return search.step(s, "reader loads snapshot %", r.snapshot);
    case r_position:
      r.position = s.log_end;
      r.pc = r_publish;
      return search.step(s, "reader loads the log's end %", r.position);
    case r_publish:
      if (read_only && r.snapshot > s.durable)
        return search.wrong("a read-only snapshot is not durable", "reader publishes %", r.snapshot);
      r.published = r.snapshot;
      r.pc = r_leaf;
      return search.step(s, "reader publishes snapshot %", r.snapshot);
    case r_leaf:
      r.changed = 0;
      r.stamp = s.newest_stamp[r.key];
      r.owner = r.stamp >= mark ? r.stamp - mark : 0;
      if (r.stamp < mark)
        for (u8 t = 1; t <= transactions; ++t)
          if (s.timestamp_of[t] == r.stamp && r.stamp != 0) r.owner = t;
      r.pc = r.stamp < mark ? u8{r_decide} : table_first ? u8{r_table} : u8{r_slot_id};
      return search.step(s, "reader samples key %: stamp %", r.key, r.stamp);
    case r_slot_id:
      r.pc = r_slot_state;
      if (slot->id != id) not_in_slot();
      return search.step(s, "reader: slot id %", slot->id);
    case r_slot_state:
      r.state = slot->state;
      r.pc = r_slot_timestamp;
      return search.step(s, "reader: slot state %", r.state);
    case r_slot_timestamp:
      r.timestamp = slot->timestamp;
      r.pc = no_recheck ? r_decide : r_slot_again;
      return search.step(s, "reader: slot timestamp %", r.timestamp);
    case r_slot_again:
      r.pc = r_decide;
      if (slot->id != id) not_in_slot();
      return search.step(s, "reader: slot id again %", slot->id);
    case r_table:
      if (s.table[id]) {
        r.state = committed;
        r.timestamp = s.timestamp_of[id];
        r.pc = r_decide;
      } else {
        r.state = none;
        r.table_missed = 1;
        r.pc = table_first ? u8{r_slot_id} : u8{r_decide};
      }
      return search.step(s, "reader: commit table %", s.table[id]);
    case r_decide:
      if (r.stamp < mark) return decide(s, r.stamp <= r.snapshot, search);
      if (r.state == pending && !(read_only && !as_of) && !pending_invisible) {
        r.pc = r_slot_id;
        r.state = r.timestamp = 0;
        return search.step(s, "reader spins");
      }
      if (r.state == none) return decide(s, true, search);
      return decide(s, r.state == committed && r.timestamp <= r.snapshot, search);
    default: return;
  }
}

// The log, the collector's scan, eviction of the table, lingering slots.
void background_runs(const State& s0, model::Search<State>& search) {
  State s = s0;
  for (u8 id = 1; id <= transactions; ++id) {  // commits become durable in order
    const bool in_log = s0.timestamp_of[id] == s0.durable + 1 && s0.slot[slot_of(id)].state == committed;
    if (!in_log && !(s0.timestamp_of[id] == s0.durable + 1 && s0.slot[slot_of(id)].id != id)) continue;
    State flushed = s0;
    ++flushed.durable;
    flushed.horizon = std::max(flushed.horizon, flushed.durable);
    search.step(flushed, "the commit of T% is durable", id);
  }
  Background& b = s.background;
  switch (b.pc) {
    case b_horizon:
      b.horizon = s.horizon;
      b.pc = scan_first ? b_publish : b_scan;
      if (scan_first || b.horizon != s.oldest || s.reader.pc != r_done) search.step(s, "collector loads horizon %", b.horizon);
      break;
    case b_scan:
      if (s.reader.published == acquiring) break;
      b.point = s.reader.published;
      b.pc = scan_first ? b_horizon : b_publish;
      search.step(s, "collector scans: point %", b.point);
      break;
    default:
      s.oldest = std::max(s.oldest, std::min(b.horizon, b.point));
      b = {scan_first ? u8{b_scan} : u8{b_horizon}, 0, 0};
      search.step(s, "collector publishes oldest %", s.oldest);
  }
  for (u8 id = 1; id <= transactions; ++id)
    if (s0.table[id] && s0.timestamp_of[id] <= s0.oldest) {
      State evicted = s0;
      evicted.table[id] = 0;
      search.step(evicted, "T% leaves the commit table", id);
    }
  for (u8 key = 0; clean_stamp && key < 2; ++key)
    for (u8 id = 1; id <= transactions; ++id)
      if (s0.timestamp_of[id] != undrawn && s0.newest_stamp[key] == s0.timestamp_of[id]) {
        State evicted = s0;
        evicted.newest_stamp[key] = mark + id;
        bump(evicted, key);
        search.step(evicted, "the leaf of key % is dropped and read again", key);
      }
  for (int i = 0; i < slots(); ++i)
    if (s0.slot[i].lingering && (lingers_short || s0.slot[i].timestamp <= s0.oldest)) {
      State released = s0;
      released.slot[i].lingering = released.slot[i].id = 0;
      search.step(released, "slot % lingers no longer", i);
    }
}

struct Model {
  static State initial() {
    State s{};
    s.now = s.durable = s.horizon = s.oldest = s.clock = 1;
    s.reader.pc = r_begin;
    s.reader.published = none;
    s.background.pc = scan_first ? b_scan : b_horizon;
    return s;
  }
  static void successors(const State& s, model::Search<State>& search) {
    for (int i = 0; i < slots(); ++i) writer_runs(s, i, search);
    reader_runs(s, search);
    background_runs(s, search);
  }
  static bool may_end(const State&) { return true; }
};

}  // namespace

int main(int argc, char** argv) { return model::main_of<Model, State>("visibility", argc, argv); }
