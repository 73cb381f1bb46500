// Version chains, their collection and the reuse of version pages. Mirrors src/version/chain.cpp (prune_below, sweep, move_entry),
// collector.cpp (free whole segments without the leaf's latch, sweep), store.cpp (free_segment, next_page), src/txn/read.cpp
// (read_chain: sample the version page, validate the leaf, read, validate the page) and src/txn/revert.cpp (revert_entry), with
// eviction of version pages in between.
//
// Bounds: one key; a writer who commits three (short: two) versions and prunes what it supersedes; a reader at one snapshot; a
// transaction X that changes the key and reverts; a collector that frees, unlinks and moves; three version pages that hold one
// entry each (a page is a segment here), used again for the key or once for a foreign entry. A version is
// named by its commit timestamp. Clean pages may be dropped and read again at any time: what only a hint has changed is lost.
//
// Properties: the reader gets the newest version at its snapshot; nobody who holds the leaf's latch meets an entry that is missing,
// foreign or dead.
#include "model.hpp"

using model::Kind;
using model::u8;

namespace {

model::Option oldest_before_latch(Kind::mutation, "pruner-loads-oldest-under-the-page-latch");
model::Option copy_before_latch(Kind::mutation, "revert-reads-the-entry-under-the-leaf-latch");
model::Option leaf_before_page(Kind::mutation, "reader-samples-the-page-before-it-validates-the-leaf");
model::Option page_not_validated(Kind::mutation, "reader-validates-the-page-after-reading");
model::Option silent_discard(Kind::mutation, "freeing-bumps-the-page-word");
model::Option silent_move(Kind::mutation, "moving-bumps-the-leaf-word");
model::Option clean_pointer(Kind::mutation, "a-changed-pointer-makes-its-page-dirty");
model::Option horizon_only(Kind::mutation, "garbage-minds-the-live-snapshots");
model::Option frees_too_new(Kind::mutation, "segments-go-when-every-version-ended-before-oldest");

constexpr u8 pages = 3, nobody = 255, mark = 200, undecided = 254;
enum Content : u8 { empty, of_key, foreign };
struct Entry {
  u8 content, stamp, previous, dead;  // previous: page + 1, 0: none
};
struct Page {
  Entry entry, disk;
  u8 dirty, latched;
  u8 in_use, live, end, unfinished;  // the segment's: not on the page
};
struct Reader {
  u8 pc, snapshot, stamp, pointer, leaf_changed, page_changed, next;
};
struct Writer {
  u8 pc, snapshot, room, until, pointer;
};
struct Reverter {
  u8 pc, room, copy;
};
struct State {
  u8 now, commits, leaf_latched, foreigners, moves;
  u8 record_stamp, record_pointer;
  u8 points[2], horizon;  // published: the reader's and the writer's snapshots
  Reader reader;
  Writer writer;
  Reverter x;
  Page page[pages];
};

enum ReaderPc : u8 { r_begin, r_leaf, r_page, r_valid, r_read, r_check, r_done };
enum WriterPc : u8 { w_begin, w_room, w_latch, w_oldest, w_look, w_judge, w_apply, w_done };
enum ReverterPc : u8 { x_begin, x_latch, x_aborted, x_copied, x_done };

u8 oldest(const State& s) { return std::min({s.points[0], s.points[1], s.horizon}); }
bool garbage(const State& s, u8 from, u8 until) {
  if (until == undecided || until > s.horizon) return false;
  if (horizon_only) return true;
  for (const u8 point : s.points)
    if (point != nobody && point >= from && point < until) return false;
  return true;
}
void bump_leaf(State& s) { s.reader.leaf_changed = 1; }
void bump_page(State& s, u8 page) {
  if (s.reader.pointer == page + 1) s.reader.page_changed = 1;
}
u8 take_page(State& s, Content content, u8 end) {
  for (u8 i = 0; i < pages; ++i) {
    Page& page = s.page[i];
    if (page.in_use || page.latched) continue;
    page = {};
    page.entry = {content, 0, 0, 0};
    page.dirty = page.in_use = page.live = 1;
    page.end = end;
    bump_page(s, i);
    return i + 1;
  }
  return 0;
}
// What whoever walks the chain with the leaf latched must find.
bool sound(const State& s, u8 pointer) {
  const Entry& entry = s.page[pointer - 1].entry;
  return entry.content == of_key && !entry.dead;
}
void unlink_entry(Page& page) {
  page.entry.dead = 1;  // a hint: lost if the page is clean and dropped
  page.live = 0;
}

void reader_runs(const State& s0, model::Search<State>& search) {
  State s = s0;
  Reader& r = s.reader;
  const auto restart = [&](const char* label) {
    r = {r_leaf, r.snapshot, 0, 0, 0, 0, 0};
    search.step(s, label);
  };
  const auto decide = [&](u8 stamp, u8 next) {  // a version is in hand
    if (stamp <= r.snapshot) {
      if (stamp != r.snapshot)
        return search.wrong("a read is not the newest version at its snapshot", "reader at % gets version %", r.snapshot, stamp);
      r = {r_done, r.snapshot, 0, 0, 0, 0, 0};
      return search.step(s, "reader gets version %", stamp);
    }
    if (next == 0)
      return search.wrong("a reader finds no version", "reader at %: the chain ends after version %", r.snapshot, stamp);
    r.pointer = next;
    r.pc = leaf_before_page ? u8{r_valid} : u8{r_page};
    search.step(s, "reader at % steps over version %", r.snapshot, stamp);
  };
  switch (r.pc) {
    case r_begin:
      r.snapshot = s.now;
      r.pc = r_leaf;
      return search.step(s, "reader begins at snapshot %", s.now);
    case r_leaf:
      if (s.leaf_latched) return;
      r.leaf_changed = 0;
      return decide(s.record_stamp, s.record_pointer);
    case r_page:
      if (s.page[r.pointer - 1].latched) return;
      r.page_changed = 0;
      r.pc = leaf_before_page ? u8{r_read} : u8{r_valid};
      return search.step(s, "reader samples page %", r.pointer);
    case r_valid:
      if (r.leaf_changed || s.leaf_latched) return restart("reader: the leaf has changed");
      r.pc = leaf_before_page ? u8{r_page} : u8{r_read};
      return search.step(s, "reader validates the leaf");
    case r_read: {
      const Entry& entry = s.page[r.pointer - 1].entry;
      r.stamp = entry.content == of_key ? entry.stamp : u8{0};
      r.next = entry.previous;
      r.pc = r_check;
      return search.step(s, "reader reads page %: version %", r.pointer, r.stamp);
    }
    case r_check:
      if (!page_not_validated && (r.page_changed || s.page[r.pointer - 1].latched)) return restart("reader: the page has changed");
      return decide(r.stamp, r.next);
    default: return;
  }
}

void writer_runs(const State& s0, model::Search<State>& search) {
  State s = s0;
  Writer& w = s.writer;
  switch (w.pc) {
    case w_begin:
      w.snapshot = s.now;
      w.pc = w_room;
      return search.step(s, "writer begins at snapshot %", s.now);
    case w_room:
      w.room = take_page(s, empty, 0);
      if (w.room == 0) return;
      s.page[w.room - 1].unfinished = 1;
      w.pc = w_latch;
      return search.step(s, "writer reserves page %", w.room);
    case w_latch:
      if (s.leaf_latched || s.record_stamp == mark) return;
      s.leaf_latched = 1;
      w.until = s.record_stamp;
      w.pointer = s.record_pointer;
      w.pc = w.pointer == 0 ? u8{w_apply} : u8{w_oldest};
      return search.step(s, "writer latches the leaf, version %", w.until);
    case w_oldest:  // without a latch on the version page
      if (oldest_before_latch && w.until <= oldest(s)) {
        w.pointer = 0;
        w.pc = w_apply;
        return search.step(s, "writer: nothing below version % is needed", w.until);
      }
      w.pc = w_look;
      return search.step(s, "writer prunes below version %", w.until);
    case w_look:
      if (s.page[w.pointer - 1].latched) return;
      s.page[w.pointer - 1].latched = 1;
      w.pc = w_judge;
      return search.step(s, "writer latches page %", w.pointer);
    case w_judge: {
      Page& page = s.page[w.pointer - 1];
      page.latched = 0;
      if (!oldest_before_latch && w.until <= oldest(s)) {
        w.pointer = 0;
        w.pc = w_apply;
        return search.step(s, "writer: nothing below version % is needed", w.until);
      }
      if (!sound(s, w.pointer))
        return search.wrong("a pruner meets a missing, foreign or dead entry", "writer looks at page %", w.pointer);
      if (!garbage(s, page.entry.stamp, w.until)) {
        w.pc = w_apply;
        return search.step(s, "writer keeps version %", page.entry.stamp);
      }
      unlink_entry(page);
      bump_page(s, w.pointer - 1);
      w.until = page.entry.stamp;
      w.pointer = page.entry.previous;
      w.pc = w.pointer == 0 ? u8{w_apply} : u8{w_oldest};
      return search.step(s, "writer unlinks version %", w.until);
    }
    case w_apply: {  // change and commit in one
      Page& page = s.page[w.room - 1];
      ++s.now;
      page.entry = {of_key, s.record_stamp, w.pointer, 0};
      page.dirty = 1;
      page.end = s.now;
      page.unfinished = 0;
      bump_page(s, w.room - 1);
      s.record_stamp = s.now;
      s.record_pointer = w.room;
      s.leaf_latched = 0;
      bump_leaf(s);
      ++s.commits;
      const u8 commits_max = model::short_run ? 2 : 3;
      w = {s.commits == commits_max ? u8{w_done} : u8{w_begin}, nobody, 0, 0, 0};
      return search.step(s, "writer commits version %", s.now);
    }
    default: return;
  }
}

void x_runs(const State& s0, model::Search<State>& search) {
  State s = s0;
  Reverter& x = s.x;
  switch (x.pc) {
    case x_begin:
      if (s.commits == 0) return;  // there is something below
      x.room = take_page(s, empty, 0);
      if (x.room == 0) return;
      s.page[x.room - 1].unfinished = 1;
      x.pc = x_latch;
      return search.step(s, "X reserves page %", x.room);
    case x_latch: {
      if (s.leaf_latched) return;
      Page& page = s.page[x.room - 1];
      page.entry = {of_key, s.record_stamp, s.record_pointer, 0};
      page.dirty = 1;
      bump_page(s, x.room - 1);
      s.record_stamp = mark;
      s.record_pointer = x.room;
      bump_leaf(s);
      x.pc = x_aborted;
      return search.step(s, "X changes the key, its entry is on page %", x.room);
    }
    case x_aborted:
      x.copy = s.page[x.room - 1].entry.previous;
      x.pc = x_copied;
      return search.step(s, "X copies its entry: previous is on page %", x.copy);
    case x_copied: {
      if (s.leaf_latched || s.page[x.room - 1].latched) return;
      Page& page = s.page[x.room - 1];
      s.record_stamp = page.entry.stamp;
      s.record_pointer = copy_before_latch ? x.copy : page.entry.previous;
      page.live = page.unfinished = 0;
      bump_leaf(s);
      x = {x_done, 0, 0};
      return search.step(s, "X restores the record, previous on page %", s.record_pointer);
    }
    default: return;
  }
}

// Under the leaf's latch, all in one step: unlinks the garbage of the chain, and moves the entry on page `move`.
void sweep(const State& s0, u8 move, model::Search<State>& search) {
  State s = s0;
  u8 until = s.record_stamp == mark ? undecided : s.record_stamp, holder = 0, pointer = s.record_pointer;
  const auto set_pointer = [&](u8 to) {
    if (holder == 0) {
      s.record_pointer = to;
    } else {
      s.page[holder - 1].entry.previous = to;
      if (!clean_pointer) s.page[holder - 1].dirty = 1;
      bump_page(s, holder - 1);
    }
  };
  bool changed = false;
  while (pointer != 0 && until > oldest(s)) {
    Page& page = s.page[pointer - 1];
    if (page.latched || (holder != 0 && s.page[holder - 1].latched)) return;
    if (!sound(s, pointer)) return search.wrong("a sweep meets a missing, foreign or dead entry", "sweep looks at page %", pointer);
    const Entry entry = page.entry;
    if (garbage(s, entry.stamp, until)) {
      unlink_entry(page);
      bump_page(s, pointer - 1);
      set_pointer(entry.previous);
      changed = true;
    } else if (pointer == move && until != undecided) {
      const u8 to = take_page(s, of_key, page.end);
      if (to == 0) return;
      s.page[to - 1].entry = entry;
      unlink_entry(page);
      bump_page(s, pointer - 1);
      set_pointer(to);
      holder = to;
      ++s.moves;
      changed = true;
    } else {
      holder = pointer;
    }
    until = entry.stamp;
    pointer = entry.previous;
  }
  if (!changed) return;
  if (!silent_move) bump_leaf(s);
  search.step(s, "sweep, moving the entry on page %", move);
}

void collector_runs(const State& s0, model::Search<State>& search) {
  {
    State s = s0;
    s.points[0] = s.reader.pc == r_begin || s.reader.pc == r_done ? nobody : s.reader.snapshot;
    s.points[1] = s.writer.snapshot;
    s.horizon = s.now;
    if (std::memcmp(&s, &s0, sizeof s) != 0) search.step(s, "collector publishes: horizon %, oldest %", s.horizon, oldest(s));
  }
  for (u8 i = 0; i < pages; ++i) {
    const Page& page = s0.page[i];
    const u8 last_end = frees_too_new ? s0.horizon : oldest(s0);
    if (page.in_use && !page.unfinished && !page.latched && (page.live == 0 || page.end <= last_end)) {
      State s = s0;
      s.page[i] = {};
      if (!silent_discard) bump_page(s, i);
      search.step(s, "collector frees page %", i + 1);
    }
  }
  if (s0.leaf_latched) return;
  sweep(s0, 0, search);
  if (s0.moves == 0)
    for (u8 i = 0; i < pages; ++i) sweep(s0, i + 1, search);
}

void pool_runs(const State& s0, model::Search<State>& search) {
  for (u8 i = 0; i < pages; ++i) {
    const Page& page = s0.page[i];
    if (!page.in_use || page.latched || page.unfinished) continue;
    State s = s0;
    Page& evicted = s.page[i];
    if (page.dirty) evicted.disk = page.entry;
    evicted.entry = evicted.disk;
    evicted.dirty = 0;
    bump_page(s, i);
    if (std::memcmp(&s, &s0, sizeof s) != 0) search.step(s, "page % is evicted and read again", i + 1);
  }
  if (s0.foreigners == 0) {
    State s = s0;
    if (const u8 taken = take_page(s, foreign, s.now)) {
      s.foreigners = 1;
      search.step(s, "page % gets a foreign entry", taken);
    }
  }
}

struct Model {
  static State initial() {
    State s{};
    s.now = s.record_stamp = s.horizon = 1;
    s.points[0] = s.points[1] = s.writer.snapshot = nobody;
    return s;
  }
  static void successors(const State& s, model::Search<State>& search) {
    reader_runs(s, search);
    writer_runs(s, search);
    x_runs(s, search);
    collector_runs(s, search);
    pool_runs(s, search);
  }
  static bool may_end(const State&) { return true; }
};

}  // namespace

int main(int argc, char** argv) { return model::main_of<Model, State>("versions", argc, argv); }
