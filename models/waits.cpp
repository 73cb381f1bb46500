// Waiting for another transaction's mark. Mirrors src/registry/waits.cpp (wait_for, wake_waiters, kill), Registry::release, and
// what calls them: src/txn/write.cpp (wait_for), commit.cpp (finish_writes), begin_end.cpp (revert_all) and revert.cpp
// (rollback_to).
//
// Bounds: a holder that commits (or rolls its change back, or is left idle for ever), then gives its slot to a second transaction,
// which does the same; two waiters for the holder's key; a killer who aims at the first waiter. Nobody has a deadline: a lost
// wake-up is a deadlock.
//
// Properties: nobody sleeps for ever; a waiter hangs on one list at most; a slot that is released needs no empty list, because who
// hangs there has looked again, or will, after it has enqueued.
#include "model.hpp"

using model::Kind;
using model::u8;

namespace {

model::Option no_look_again(Kind::mutation, "waiter-looks-again-after-it-has-enqueued");
model::Option wakes_first(Kind::mutation, "marks-are-cleared-before-waiters-are-woken");
model::Option no_kill_check(Kind::mutation, "waiter-looks-at-its-kill-flag-before-it-sleeps");
model::Option kill_wakes_first(Kind::mutation, "kill-sets-the-flag-before-it-wakes");
model::Option list_must_be_empty(Kind::mutation,
                                 "release-allows-waiters");  // who enqueued between the last wake-up and the release

constexpr u8 waiters = 2;
enum HolderPc : u8 { h_begin, h_mark, h_decide, h_clear, h_wake, h_take_list, h_release, h_away, h_done };
enum WaiterPc : u8 { w_see, w_enqueue, w_look, w_sleep, w_asleep, w_done };
struct Waiter {
  u8 pc, seen, hangs, woken, killed, notified;  // seen: the mark in the way; hangs: on the holder's list
};
struct State {
  u8 holder_pc, id, mark, state_committed, has_waiters, rolls_back, killer_pc;
  Waiter waiter[waiters];
};

bool any_hangs(const State& s) { return s.waiter[0].hangs || s.waiter[1].hangs; }

void holder_runs(const State& s0, model::Search<State>& search) {
  State s = s0;
  switch (s.holder_pc) {
    case h_begin:
      s.id = s.id < 2 ? s.id + 1 : 0;
      if (s.id == 0) return;
      s.holder_pc = h_mark;
      return search.step(s, "T% begins", s.id);
    case h_mark:
      s.mark = s.id;
      s.holder_pc = h_decide;
      return search.step(s, "T% sets its mark", s.id);
    case h_decide: {
      State leaves = s;
      leaves.holder_pc = h_away;
      search.step(leaves, "T% is left idle for ever", s.id);
      State rolls = s;
      rolls.rolls_back = 1;
      rolls.holder_pc = wakes_first ? h_wake : h_clear;
      search.step(rolls, "T% will roll back", s.id);
      s.state_committed = s.id;
      s.holder_pc = wakes_first ? h_wake : h_clear;
      return search.step(s, "T% is committing", s.id);
    }
    case h_clear:
      s.mark = 0;
      s.holder_pc = wakes_first ? h_release : h_wake;
      return search.step(s, "T% clears its mark", s.id);
    case h_wake:
      s.holder_pc = s.has_waiters ? u8{h_take_list} : wakes_first ? u8{h_clear} : u8{h_release};
      return search.step(s, "T% looks for waiters: %", s.id, s.has_waiters);
    case h_take_list:
      for (Waiter& waiter : s.waiter)
        if (waiter.hangs) {
          waiter.hangs = 0;
          waiter.woken = waiter.notified = 1;
        }
      s.has_waiters = 0;
      s.holder_pc = wakes_first ? h_clear : h_release;
      return search.step(s, "T% wakes all waiters", s.id);
    case h_release:
      if (list_must_be_empty && s.has_waiters)
        return search.wrong("a slot is released while somebody hangs on it", "T% releases its slot", s.id);
      s.state_committed = s.rolls_back = 0;
      s.holder_pc = s.id == 2 ? h_done : h_begin;
      return search.step(s, "T% releases its slot", s.id);
    default: return;
  }
}

void waiter_runs(const State& s0, int who, model::Search<State>& search) {
  State s = s0;
  Waiter& w = s.waiter[who];
  const auto leave = [&](const char* label) {  // under the wait mutex
    w = {w_see, 0, 0, 0, w.killed, 0};
    if (!any_hangs(s)) s.has_waiters = 0;
    search.step(s, label, who);
  };
  switch (w.pc) {
    case w_see:
      if (w.killed) {
        w = {w_done, 0, 0, 0, 1, 0};
        return search.step(s, "waiter % was killed", who);
      }
      if (s.mark == 0) {
        w.pc = w_done;
        return search.step(s, "waiter % finds nothing in its way", who);
      }
      w.seen = s.mark;
      w.pc = w_enqueue;
      return search.step(s, "waiter % sees the mark of T%", who, s.mark);
    case w_enqueue:
      if (s.id != w.seen || s.holder_pc == h_begin || s.holder_pc == h_done) return leave("waiter %: the holder has ended");
      w.hangs = s.has_waiters = 1;
      w.woken = 0;
      w.pc = no_look_again ? w_sleep : w_look;
      return search.step(s, "waiter % hangs itself on T%", who, s.id);
    case w_look:
      if (s.mark != w.seen || s.state_committed == w.seen) return leave("waiter % looks again: nothing is in its way");
      w.pc = w_sleep;
      return search.step(s, "waiter % looks again: T% is still in its way", who, s.mark);
    case w_sleep:  // with the wait mutex, which a sleeper gives up
      if (w.woken) return leave("waiter % was woken before it slept");
      if (w.killed && !no_kill_check) return leave("waiter % was killed before it slept");
      w.notified = 0;
      w.pc = w_asleep;
      return search.step(s, "waiter % sleeps", who);
    case w_asleep:
      if (!w.notified) return;
      w.notified = 0;
      if (w.woken || w.killed) return leave("waiter % wakes up");
      return search.step(s, "waiter % wakes up for nothing", who);
    default: return;
  }
}

void killer_runs(const State& s0, model::Search<State>& search) {
  State s = s0;
  Waiter& victim = s.waiter[0];
  if (s.killer_pc == 2) return;
  if ((s.killer_pc == 0) != bool{kill_wakes_first}) {
    victim.killed = 1;
    ++s.killer_pc;
    return search.step(s, "killer sets the flag of waiter 0");
  }
  victim.notified = 1;
  ++s.killer_pc;
  search.step(s, "killer wakes waiter 0");
}

struct Model {
  static State initial() { return State{}; }
  static void successors(const State& s, model::Search<State>& search) {
    holder_runs(s, search);
    for (int i = 0; i < waiters; ++i) waiter_runs(s, i, search);
    killer_runs(s, search);
  }
  static bool may_end(const State& s) {  // only who was not killed may wait for a holder that does nothing
    const bool waits_in_vain = s.holder_pc == h_away && s.waiter[1].pc == w_asleep;
    return s.waiter[0].pc == w_done && (s.waiter[1].pc == w_done || waits_in_vain) &&
           (s.holder_pc == h_done || s.holder_pc == h_away);
  }
};

}  // namespace

int main(int argc, char** argv) { return model::main_of<Model, State>("waits", argc, argv); }
