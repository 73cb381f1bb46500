// Optimistic descents and cursors while leaves split and merge. Mirrors src/btree/descend.cpp (sample the child, then validate the
// parent), trees.cpp (find, copy_leaf), split.cpp, merge.cpp (merge, collapse) and src/txn/cursor.cpp (stepping by fence keys).
//
// Bounds: keys 1 to 4 are in the tree all the time; a root that is a leaf or has up to three leaves below it; three pages for
// leaves, used again, or once for a foreign tree; six structure changes (short: three), each of which latches its pages, changes
// them, and unlatches them one by one; one thread looks up every key in turn, one scans forwards, one backwards.
//
// Properties: a lookup finds its key; a scan sees every key once and in order; nobody takes a page of another tree for a leaf of
// this one.
#include "model.hpp"

using model::Kind;
using model::u8;

namespace {

model::Option parent_not_validated(Kind::mutation, "parent-is-validated-after-the-child-is-sampled");
model::Option parent_validated_first(Kind::mutation, "child-is-sampled-before-the-parent-is-validated");
model::Option leaf_not_validated(Kind::mutation, "leaf-is-validated-after-reading");
model::Option silent_discard(Kind::mutation, "freeing-a-page-bumps-its-word");
model::Option silent_split(Kind::mutation, "splitting-bumps-the-left-word");
model::Option silent_collapse(Kind::mutation, "collapsing-bumps-the-root-word");
model::Option steps_by_slot(Kind::mutation, "cursor-steps-by-fence-keys");

constexpr u8 leaves = 3, pages = leaves + 1, root = 0, keys = 4, last_fence = keys + 1;
enum Kinds : u8 { nothing, leaf_page, inner_page, foreign };
// A leaf holds the keys lower <= key < upper. An inner page: child i covers keys from fence[i] up to fence[i + 1].
struct Page {
  u8 kind, lower, upper, count, latched;
  u8 child[leaves], fence[leaves];
};
enum Role : u8 { finds, scans_forwards, scans_backwards, readers };
enum Pc : u8 { begin, sample_child, validate_parent, read, validate, done };
struct Reader {
  u8 pc, role, key;                                   // key: looked for, or the cursor's position
  u8 child, slot, found_lower, found_upper, changed;  // changed: bit p: page p, once sampled, has changed
};
struct State {
  Page page[pages];
  Reader reader[readers];
  u8 changes, foreigners;
};

void bump(State& s, u8 page) {
  for (Reader& reader : s.reader)
    if (reader.pc != done) reader.changed |= static_cast<u8>(1 << page);
}
bool valid(const State& s, const Reader& r, u8 page) { return (r.changed >> page & 1) == 0 && !s.page[page].latched; }
u8 free_page(const State& s, u8 besides) {
  for (u8 i = 1; i < pages; ++i)
    if (s.page[i].kind == nothing && !s.page[i].latched && i != besides) return i;
  return 0;
}
u8 slot_for(const Page& inner, u8 key, bool below) {
  u8 slot = 0;
  for (u8 i = 1; i < inner.count; ++i)
    if (below ? inner.fence[i] < key : inner.fence[i] <= key) slot = i;
  return slot;
}

// --- structure changes: everything is latched when the content changes ---

void split(const State& s0, model::Search<State>& search) {
  const Page& top = s0.page[root];
  if (top.kind == leaf_page) {
    const u8 left = free_page(s0, 0), right = free_page(s0, left);
    if (left == 0 || right == 0 || top.latched) return;
    for (u8 at = 2; at <= keys; ++at) {
      State s = s0;
      s.page[left] = {leaf_page, 1, at, 0, 1, {}, {}};
      s.page[right] = {leaf_page, at, last_fence, 0, 1, {}, {}};
      s.page[root] = {inner_page, 1, last_fence, 2, 1, {left, right, 0}, {1, at, 0}};
      for (const u8 page : {u8{root}, left, right}) bump(s, page);
      ++s.changes;
      search.step(s, "the root splits at % into pages % and %", at, left, right);
    }
    return;
  }
  for (u8 i = 0; i < top.count && top.count < leaves; ++i) {
    const u8 left = top.child[i], right = free_page(s0, 0);
    if (right == 0 || top.latched || s0.page[left].latched) return;
    for (u8 at = s0.page[left].lower + 1; at < s0.page[left].upper; ++at) {
      State s = s0;
      Page& inner = s.page[root];
      for (u8 j = inner.count; j > i + 1; --j) {
        inner.child[j] = inner.child[j - 1];
        inner.fence[j] = inner.fence[j - 1];
      }
      inner.child[i + 1] = right;
      inner.fence[i + 1] = at;
      ++inner.count;
      s.page[right] = {leaf_page, at, s.page[left].upper, 0, 1, {}, {}};
      s.page[left].upper = at;
      inner.latched = s.page[left].latched = 1;
      bump(s, root);
      bump(s, right);
      if (!silent_split) bump(s, left);
      if (silent_split) s.page[left].latched = 0;
      ++s.changes;
      search.step(s, "page % splits at % into page %", left, at, right);
    }
  }
}

void discard(State& s, u8 page) {
  s.page[page] = {};
  if (!silent_discard) bump(s, page);
}

void merge(const State& s0, model::Search<State>& search) {
  const Page& top = s0.page[root];
  if (top.kind != inner_page || top.latched) return;
  if (top.count == 1) {  // the root takes the content of its only child
    if (s0.page[top.child[0]].latched) return;
    State s = s0;
    s.page[root] = {leaf_page, 1, last_fence, 0, 1, {}, {}};
    if (!silent_collapse) bump(s, root);
    if (silent_collapse) s.page[root].latched = 0;
    discard(s, top.child[0]);
    ++s.changes;
    return search.step(s, "the root takes the content of page %", top.child[0]);
  }
  for (u8 i = 0; i + 1 < top.count; ++i) {
    const u8 left = top.child[i], right = top.child[i + 1];
    if (s0.page[left].latched || s0.page[right].latched) continue;
    State s = s0;
    Page& inner = s.page[root];
    s.page[left].upper = s.page[right].upper;
    for (u8 j = i + 1; j + 1 < inner.count; ++j) {
      inner.child[j] = inner.child[j + 1];
      inner.fence[j] = inner.fence[j + 1];
    }
    --inner.count;
    inner.child[inner.count] = inner.fence[inner.count] = 0;
    inner.latched = s.page[left].latched = 1;
    bump(s, root);
    bump(s, left);
    discard(s, right);
    ++s.changes;
    search.step(s, "page % takes the content of page %", left, right);
  }
}

void tree_changes(const State& s0, model::Search<State>& search) {
  for (u8 i = 0; i < pages; ++i)
    if (s0.page[i].latched) {
      State s = s0;
      s.page[i].latched = 0;
      search.step(s, "page % is unlatched", i);
    }
  if (s0.changes < (model::short_run ? 3 : 6)) {
    split(s0, search);
    merge(s0, search);
  }
  if (const u8 page = free_page(s0, 0); page != 0 && s0.foreigners == 0 && s0.changes != 0) {
    State s = s0;
    s.page[page] = {foreign, 1, last_fence, 0, 0, {}, {}};
    s.foreigners = 1;
    bump(s, page);
    search.step(s, "page % goes to another tree", page);
  }
}

// --- readers ---

void again(Reader& r) { r = {begin, r.role, r.key, 0, r.slot, 0, 0, 0}; }

// A leaf's copy is in hand, and it was valid.
void use(State s, int who, model::Search<State>& search) {
  Reader& r = s.reader[who];
  const u8 lower = r.found_lower, upper = r.found_upper;
  const u8 key = r.key;
  if (r.role == finds) {
    if (key < lower || key >= upper)
      return search.wrong("a lookup misses its key", "key % is looked up in [%, %)", key, lower, upper);
    r.key = key + 1;
    again(r);
    if (r.key == last_fence) r.pc = done;
    return search.step(s, "key % is found", key);
  }
  if (r.role == scans_forwards) {  // everything below `key` has been seen
    const u8 first = std::max(key, lower);
    if (first != key || upper <= key) return search.wrong("a scan misses a key", "scan at % gets [%, %)", key, lower, upper);
    r.key = upper;
    const u8 next_slot = r.slot + 1;
    again(r);
    r.slot = next_slot;
    if (upper == last_fence) r.pc = done;
    return search.step(s, "scan at % sees [%, %)", key, first, upper);
  }
  const u8 end = std::min(key, upper);  // everything from `key` on has been seen
  if (end != key || lower >= key) return search.wrong("a scan misses a key", "backward scan at % gets [%, %)", key, lower, upper);
  r.key = lower;
  again(r);
  if (lower == 1) r.pc = done;
  search.step(s, "backward scan at % sees [%, %)", key, lower, end);
}

void reader_runs(const State& s0, int who, model::Search<State>& search) {
  State s = s0;
  Reader& r = s.reader[who];
  const auto restart = [&] {
    again(r);
    search.step(s, "reader % starts again", who);
  };
  switch (r.pc) {
    case begin: {
      const Page& top = s.page[root];
      if (top.latched) return;
      r.changed = 0;
      const bool below = r.role == scans_backwards;
      if (top.kind == leaf_page) {
        r.child = root;
        r.pc = read;
      } else {
        const u8 slot = steps_by_slot && r.role == scans_forwards && r.slot < top.count ? r.slot : slot_for(top, r.key, below);
        r.child = top.child[slot];
        r.pc = parent_validated_first ? validate_parent : sample_child;
      }
      return search.step(s, "reader % at key %: page %", who, r.key, r.child);
    }
    case sample_child:
      if (s.page[r.child].latched) return;
      if (s.page[r.child].kind == nothing) {  // reading it would fail, or find what once was there: the parent decides
        if (!valid(s, r, root)) return restart();
        if (!parent_validated_first)
          return search.wrong("a reader needs a page that is free", "reader % samples page %", who, r.child);
        return restart();
      }
      r.changed &= static_cast<u8>(~(1 << r.child));
      r.pc = parent_not_validated || parent_validated_first ? read : validate_parent;
      return search.step(s, "reader % samples page %", who, r.child);
    case validate_parent:
      if (!valid(s, r, root)) return restart();
      r.pc = parent_validated_first ? sample_child : read;
      return search.step(s, "reader % validates the root", who);
    case read: {
      const Page& leaf = s.page[r.child];
      r.found_lower = leaf.kind == leaf_page ? leaf.lower : 0;
      r.found_upper = leaf.kind == leaf_page ? leaf.upper : 0;
      r.pc = validate;
      return search.step(s, "reader % reads page %", who, r.child);
    }
    case validate:
      if (!leaf_not_validated && !valid(s, r, r.child)) return restart();
      return use(s0, who, search);
    default: return;
  }
}

struct Model {
  static State initial() {
    State s{};
    s.page[root] = {leaf_page, 1, last_fence, 0, 0, {}, {}};
    for (u8 i = 0; i < readers; ++i) s.reader[i] = {begin, i, i == scans_backwards ? last_fence : u8{1}, 0, 0, 0, 0, 0};
    return s;
  }
  static void successors(const State& s, model::Search<State>& search) {
    tree_changes(s, search);
    // Readers do not touch what others see, so one at a time is enough: the first that is not done.
    for (int i = 0; i < readers; ++i)
      if (s.reader[i].pc != done) return reader_runs(s, i, search);
  }
  static bool may_end(const State& s) {
    for (const Reader& reader : s.reader)
      if (reader.pc != done) return false;
    return true;
  }
};

}  // namespace

int main(int argc, char** argv) { return model::main_of<Model, State>("btree", argc, argv); }
