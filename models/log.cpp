// The log's ring and group commit. Mirrors src/log/ring.cpp (copy, publish, published, advance), reserve.cpp (promise), log.cpp
// (claim, fill), flush.cpp (lead, flush_published, write_range) and wait_queue.cpp (join, advanced, leave).
//
// Bounds: a ring of four blocks of two words; three threads that append two records each (long: three), of 2, 3 and 2 words, and
// wait for each to be durable, so that the ring comes round. The first word of a record is its length, stored last; the others are
// payload.
//
// Properties: what is counted durable is on disk, whole; no record is copied over bytes that are still needed; the walk over
// published records ends; everybody who waits is woken (else the search ends in a deadlock).
#include "model.hpp"

using model::Kind;
using model::u8;

namespace {

// Not needed for a wake-up: every leader looks at the queue when it leaves, and what it leaves behind gets the lead.
model::Option no_look_in_join(Kind::variant, "join-without-a-second-look");
model::Option announce_late(Kind::variant, "announced-after-the-queue-is-looked-at");

model::Option length_first(Kind::mutation, "length-is-stored-last");
model::Option flush_to_end(Kind::mutation, "flusher-stops-at-a-hole");
model::Option not_zeroed(Kind::mutation, "freed-blocks-are-zero");
model::Option free_then_zero(Kind::mutation, "zero-before-free");
model::Option frees_partial(Kind::mutation, "the-last-block-is-kept");
model::Option fills_whole_ring(Kind::mutation, "one-block-stays-empty");
model::Option no_successor(Kind::mutation, "the-leader-names-a-successor");
model::Option durable_first(Kind::mutation, "written-before-counted-durable");

constexpr u8 ring_words = 8, block_words = 2, threads = 3, payload = 9, disk_words = 24;
constexpr u8 words_of[] = {2, 3, 2};

enum Pc : u8 {
  reserve,
  claim,
  fill,
  flush,
  join,
  asleep,
  lead,
  write_out,
  count_durable,
  zero,
  set_free,
  announce,
  look,
  leave,
  done
};
enum Node : u8 { no_node, waiting, woken, leads };
struct Thread {
  u8 pc, record, begin, filled, until, node, to, retry;  // retry: the flush is for room in the ring
};
struct State {
  u8 ring[ring_words], disk[disk_words];
  u8 freed, promised, end, durable, announced, led, queued;
  u8 queue[threads];
  Thread thread[threads];
};

u8 records() { return model::short_run ? 2 : 3; }
u8 block_begin(u8 position) { return position & static_cast<u8>(~(block_words - 1)); }
u8& at(State& s, u8 position) { return s.ring[position % ring_words]; }

// Wakes those that are durable; the rest stays in order.
void take_done(State& s) {
  u8 kept = 0;
  for (u8 i = 0; i < s.queued; ++i) {
    Thread& sleeper = s.thread[s.queue[i]];
    if (sleeper.until <= s.announced) {
      sleeper.node = woken;
    } else {
      s.queue[kept++] = s.queue[i];
    }
  }
  for (u8 i = kept; i < s.queued; ++i) s.queue[i] = 0;
  s.queued = kept;
}

void lead_on(const State& s0, int who, model::Search<State>& search) {
  State s = s0;
  Thread& t = s.thread[who];
  switch (t.pc) {
    case lead: {
      if (s.durable >= t.until) {
        t.pc = leave;
        return search.step(s, "leader %: all is durable up to %", who, t.until);
      }
      u8 to = s.durable;
      while (at(s, to) != 0) {
        to += at(s, to);
        if (to - s.durable >= ring_words)
          return search.wrong("the walk over published records comes round", "leader % walks to %", who, to);
      }
      if (flush_to_end) to = s.end;
      if (to == s.durable) return;  // a hole: pauses
      if (to > s.end) return search.wrong("the walk over published records leaves the log", "leader % walks to %", who, to);
      t.to = to;
      t.pc = durable_first ? u8{count_durable} : u8{write_out};
      return search.step(s, "leader %: published up to %", who, to);
    }
    case write_out:
      for (u8 p = block_begin(durable_first ? s.durable - 1 : s.durable); p < t.to; ++p) {
        if (s.disk[p] != 0 && at(s, p) != s.disk[p])
          return search.wrong("durable bytes are overwritten", "leader % writes position %", who, p);
        s.disk[p] = at(s, p);
      }
      t.pc = durable_first ? u8{zero} : u8{count_durable};
      return search.step(s, "leader % has written up to %", who, t.to);
    case count_durable:
      for (u8 p = s.durable; p < t.to; ++p)
        if (s.disk[p] == 0)
          return search.wrong("bytes that are not on disk are counted durable", "leader %: position % of %", who, p, t.to);
      t.pc = durable_first ? u8{write_out} : free_then_zero ? u8{set_free} : u8{zero};
      t.begin = block_begin(s.durable);
      s.durable = t.to;
      return search.step(s, "leader %: durable up to %", who, t.to);
    case zero:
      if (!not_zeroed)
        for (u8 p = t.begin; p < (frees_partial ? block_begin(t.to + block_words - 1) : block_begin(t.to)); ++p) at(s, p) = 0;
      t.pc = free_then_zero ? announce : set_free;
      return search.step(s, "leader % zeroes up to %", who, block_begin(t.to));
    case set_free:
      s.freed = block_begin(frees_partial ? t.to + block_words - 1 : t.to);
      t.pc = free_then_zero ? u8{zero} : announce_late ? u8{look} : u8{announce};
      return search.step(s, "leader %: free up to %", who, s.freed);
    case announce:
      s.announced = s.durable;
      t.pc = announce_late ? lead : look;
      if (announce_late && s.durable >= t.until) {
        t.pc = flush;
        t.to = t.begin = 0;
      }
      return search.step(s, "leader % announces %", who, s.announced);
    case look:
      if (s.durable >= t.until) {
        t.pc = leave;
      } else {
        take_done(s);
        t.pc = announce_late ? announce : lead;
      }
      return search.step(s, "leader % looks for those who are durable", who);
    case leave:
      take_done(s);
      s.led = 0;
      if (s.queued != 0 && !no_successor) {
        s.thread[s.queue[0]].node = leads;
        for (u8 i = 0; i + 1 < s.queued; ++i) s.queue[i] = s.queue[i + 1];
        s.queue[--s.queued] = 0;
        s.led = 1;
      }
      t.to = t.begin = 0;
      t.pc = flush;
      if (announce_late && s.announced != s.durable) t.pc = announce;
      return search.step(s, "leader % leaves", who);
    default: return;
  }
}

void thread_runs(const State& s0, int who, model::Search<State>& search) {
  State s = s0;
  Thread& t = s.thread[who];
  const u8 words = words_of[t.record % 3];
  switch (t.pc) {
    case reserve: {
      const u8 capacity = fills_whole_ring ? ring_words : ring_words - block_words;
      if (s.promised + words <= s.freed + capacity) {
        s.promised += words;
        t.pc = claim;
        return search.step(s, "thread % has room for % words", who, words);
      }
      if (s.end <= s.durable) return;  // what is promised to others holds the room
      t.retry = 1;
      t.until = s.end;
      t.pc = flush;
      return search.step(s, "thread % flushes up to % to make room", who, t.until);
    }
    case claim:
      t.begin = s.end;
      s.end += words;
      t.filled = 0;
      t.pc = fill;
      return search.step(s, "thread % claims position %", who, t.begin);
    case fill: {
      const u8 word = length_first ? t.filled : static_cast<u8>((t.filled + 1) % words);  // the first word comes last
      u8& place = at(s, t.begin + word);
      if (place != 0)
        return search.wrong("a record is copied over bytes that are still needed", "thread % writes position %", who,
                            t.begin + word);
      place = word == 0 ? words : payload;
      if (++t.filled == words) {
        t.until = t.begin + words;
        t.begin = t.filled = 0;
        t.pc = flush;
      }
      return search.step(s, "thread % stores word % of its record", who, word);
    }
    case flush:
      if (s.announced >= t.until) {
        for (u8 p = 0; p < t.until; ++p)
          if (s.disk[p] == 0) return search.wrong("a flush returns before its bytes are durable", "thread %, position %", who, p);
        if (!t.retry) ++t.record;
        t.retry = t.until = 0;
        t.pc = t.record == records() ? done : reserve;
        return search.step(s, "thread %: its flush returns", who);
      }
      t.pc = join;
      return search.step(s, "thread %: not durable yet", who);
    case join:
      if (!no_look_in_join && s.announced >= t.until) {
        t.pc = flush;
        return search.step(s, "thread % joins and sees that it is durable", who);
      }
      if (!s.led) {
        s.led = 1;
        t.pc = lead;
        return search.step(s, "thread % becomes the leader", who);
      }
      s.queue[s.queued++] = static_cast<u8>(who);
      t.node = waiting;
      t.pc = asleep;
      return search.step(s, "thread % sleeps until % is durable", who, t.until);
    case asleep:
      if (t.node == waiting) return;
      t.pc = t.node == leads ? lead : flush;
      t.node = no_node;
      return search.step(s, "thread % wakes up", who);
    default: return lead_on(s0, who, search);
  }
}

struct Model {
  static State initial() {
    State s{};
    return s;
  }
  static void successors(const State& s, model::Search<State>& search) {
    for (int i = 0; i < threads; ++i)
      if (s.thread[i].pc != done) thread_runs(s, i, search);
  }
  static bool may_end(const State& s) {
    for (const Thread& thread : s.thread)
      if (thread.pc != done) return false;
    return true;
  }
};

}  // namespace

int main(int argc, char** argv) { return model::main_of<Model, State>("log", argc, argv); }
