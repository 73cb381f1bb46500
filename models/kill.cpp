// Killing, reaping and the control word of a slot. Mirrors src/txn/manager.cpp (enter, leave, reap, kill, run_background),
// src/txn/begin_end.cpp (abort, revert_all, finish_handle), src/txn/commit.cpp (the step to committing, lingering slots) and
// Registry::kill, acquire, release.
//
// Bounds: one slot, used by two transactions one after the other, each with its owner's handle, at most one operation with one
// write, or (variant) a prepare, after which a coordinator commits; a killer who aims at the first; the background thread, which
// reverts what was left over and releases lingering slots. One revert may fail. An owner may go away for ever.
//
// The protocol that holds: every transition is a compare-and-swap on {generation, handle gone, killed, status}. `reverting` belongs
// to the thread that set it; afterwards it is `parked`, and if the revert failed the background thread may take it; when it is
// done, whoever comes second of reverter and handle releases the slot.
//
// Properties: no write of a transaction that did not commit is left behind when its slot goes; a slot is released once, by its own
// transaction; one thread reverts; only who was killed or gave up is ended; who was killed does not commit; at the end the slot is
// free or its handle exists.
#include "model.hpp"

using model::Kind;
using model::u8;

namespace {

model::Option prepares(Kind::variant, "t1-prepares");  // its coordinator commits it, whatever becomes of the handle

model::Option reap_without_generation(Kind::mutation, "reap-names-the-generation");
model::Option handle_trusts_flag(Kind::mutation, "second-of-reverter-and-handle-releases");
model::Option background_joins(Kind::mutation, "a-reverter-takes-the-transaction");
model::Option leave_without_generation(Kind::mutation, "leave-names-the-generation");
model::Option lingers_early(Kind::mutation, "lingering-is-said-last");
model::Option failed_abort_forgotten(Kind::mutation, "a-failed-abort-is-parked");
model::Option commit_by_store(Kind::mutation, "commit-by-compare-and-swap");
model::Option leave_by_store(Kind::mutation, "leave-by-compare-and-swap");
model::Option prepare_by_store(Kind::mutation, "prepare-by-compare-and-swap", &prepares);
model::Option prepared_obeys_kill(Kind::mutation, "a-prepared-one-commits-all-the-same", &prepares);
model::Option kill_by_store(Kind::mutation, "kill-by-compare-and-swap");

enum Status : u8 { free_slot, idle, in_operation, committing, reverting, parked };
constexpr u8 status_mask = 7, killed = 8, handle_gone = 16, generation_step = 32;
enum TransactionState : u8 { active, prepared, committed, aborted };
enum Pc : u8 {
  start,
  set_id,
  held,
  enter_id,
  enter_cas,
  operation,
  commit_cas,
  commit_decide,
  commit_linger,
  prepare_cas,
  prepare_state,
  leave_id,
  leave_cas,
  destroy_id,
  destroy_cas,
  revert_begin,
  revert_record,
  revert_end,
  release_id,
  release_control,
  kill_load,
  kill_id,
  kill_cas,
  reap_state,
  reap_cas,
  watch,
  away,
  done,
};

struct Thread {
  u8 pc, seen, id, after, wrote;  // after: where a revert or a release goes on
};
enum { owner_1, owner_2, killer, background, threads };

struct State {
  u8 control, id, state, entry, needs_revert, reverters, lingering, failures;
  u8 mark[3], outcome_committed[3], given_up[3], granted[3];
  Thread thread[threads];
};

u8 status(u8 control) { return control & status_mask; }
u8 with(u8 control, u8 to) { return static_cast<u8>((control & ~status_mask) | to); }

struct Step {
  model::Search<State>& search;
  const int who;
  State s;
  Thread& t = s.thread[who];

  Step(const State& from, model::Search<State>& to, int thread) : search(to), who(thread), s(from) {}
  Step(const Step&) = delete;
  Step& operator=(const Step&) = delete;
  void go(u8 pc, const char* label) {
    t.pc = pc;
    if (pc == done) t.seen = t.after = t.wrote = 0;
    search.step(s, label, who, t.id);
  }
  void wrong(const char* property, const char* label) { search.wrong(property, label, who, t.id); }
};

void begin_revert(Step&& x) {
  if (x.s.id != x.t.id) return x.wrong("a slot is reverted that belongs to another", "thread % begins to revert T%");
  if (!x.s.granted[x.t.id] && !x.s.given_up[x.t.id])
    return x.wrong("an innocent transaction is ended", "thread % begins to revert T%");
  if (x.s.reverters != 0) return x.wrong("two threads revert one transaction", "thread % begins to revert T%");
  if (x.s.state == prepared) return x.wrong("a prepared transaction is reverted", "thread % begins to revert T%");
  x.s.state = aborted;
  x.s.needs_revert = 1;
  ++x.s.reverters;
  x.go(revert_record, "thread %: T% is aborted");
}

void revert_the_record(const State& s, model::Search<State>& search, int who) {
  if (s.failures == 0) {
    Step x(s, search, who);
    ++x.s.failures;
    --x.s.reverters;
    x.s.control = with(x.s.control, failed_abort_forgotten ? idle : parked);
    x.go(x.t.after == held ? held : x.t.after == watch ? watch : done, "thread %: the revert of T% fails, it is parked");
  }
  Step x(s, search, who);
  if (x.s.entry) x.s.mark[x.t.id] = 0;
  x.s.entry = 0;
  x.go(revert_end, "thread % restores the record of T%");
}

void end_revert(Step&& x) {
  x.s.needs_revert = 0;
  --x.s.reverters;
  const bool release = x.t.after == release_id || (!handle_trusts_flag && (x.s.control & handle_gone) != 0);
  x.s.control = with(x.s.control, release ? committing : parked);
  if (release && x.t.after == release_id) x.t.after = done;
  x.go(release ? u8{release_id} : x.t.after, "thread %: T% is reverted");
}

// What follows a release: an owner inside an operation still has to leave.
void release(Step&& x) {
  if (x.t.pc == release_id) {
    if (x.s.id != x.t.id) return x.wrong("a slot is released that belongs to another", "thread % releases T%");
    if (x.s.mark[x.t.id] && !x.s.outcome_committed[x.t.id])
      return x.wrong("a write that did not commit is left behind", "thread % releases T%");
    x.s.id = 0;
    return x.go(release_control, "thread %: id = 0, was T%");
  }
  if (status(x.s.control) == free_slot) return x.wrong("a slot is released twice", "thread % frees the slot of T%");
  x.s.control = static_cast<u8>((x.s.control & ~(generation_step - 1)) + generation_step);
  x.go(x.t.after, "thread %: the slot is free, was T%'s");
}

void commit(const State& s, model::Search<State>& search, int who) {
  Step x(s, search, who);
  switch (x.t.pc) {
    case commit_cas:
      if (x.s.state == prepared) {  // decided elsewhere: a kill that came in between changes nothing
        if (prepared_obeys_kill && (x.s.control & killed) != 0)
          return x.wrong("a prepared transaction cannot be committed", "owner %: the coordinator commits T%");
      } else if ((x.s.control & killed) != 0 && !commit_by_store)
        return x.go(leave_id, "owner %: T% was killed and may not commit");
      x.s.control = with(x.s.control, committing);
      return x.go(commit_decide, "owner %: T% is committing");
    case commit_decide: {
      if (x.s.granted[x.t.id]) return x.wrong("who was killed commits", "owner %: T% commits");
      x.s.state = committed;
      x.s.outcome_committed[x.t.id] = 1;
      Step lingers(x.s, search, who);
      if (lingers_early) lingers.s.lingering = x.t.id;
      lingers.go(commit_linger, "owner %: T% has committed and will linger");
      x.s.mark[x.t.id] = 0;
      x.s.entry = 0;
      x.t.after = leave_id;
      return x.go(release_id, "owner %: T% has committed and stamped its record");
    }
    default:
      if (lingers_early && x.s.lingering != x.t.id) {  // exchange(false) says that it does not linger
        x.t.after = leave_id;
        return x.go(release_id, "owner %: T% does not linger after all");
      }
      x.s.lingering = x.t.id;
      return x.go(leave_id, "owner %: T% lingers");
  }
}

void leave(Step&& x) {
  const u8 me = x.t.id;
  if (x.t.pc == leave_id) {
    if (!leave_without_generation) x.t.seen = x.s.control;  // before the id
    if (x.s.id != me) return x.go(done, "owner % leaves, the operation has ended T%");
    return x.go(leave_cas, "owner % leaves, T% is still there");
  }
  if (leave_without_generation || leave_by_store) {
    if (leave_by_store) x.t.seen &= static_cast<u8>(~killed);  // it stores what it once saw
    if (leave_without_generation) x.t.seen = x.s.control;
    x.s.control = x.t.seen;
  }
  if (x.s.control != x.t.seen) return x.go(leave_id, "owner %, T%: the control word has changed, again");
  if (status(x.t.seen) != in_operation && !leave_without_generation) return x.go(done, "owner % has left T%, which has committed");
  const bool mine = x.s.id == me && x.s.state == active;
  if ((x.t.seen & killed) != 0 && mine) {
    x.s.control = with(x.t.seen, reverting);
    x.t.after = held;
    return x.go(revert_begin, "owner % finds T% killed");
  }
  if (x.s.id != me) return x.wrong("the control word of another's slot is changed", "owner % leaves T%");
  x.s.control = with(x.t.seen, idle);
  if (x.s.state == committed) return x.go(done, "owner % has left T%, which lingers");
  x.go(held, "owner % has left T%");
}

void destroy(Step&& x) {
  if (x.t.pc == destroy_id) {
    if (x.s.id != x.t.id) return x.go(done, "handle of owner %: T% has ended");
    return x.go(destroy_cas, "handle of owner %: T% is still there");
  }
  if (x.s.control != x.t.seen) {
    x.t.seen = x.s.control;
    return x.go(destroy_id, "handle of owner %, T%: the control word has changed, again");
  }
  switch (status(x.t.seen)) {
    case idle:
      if (x.s.state != active) return x.go(done, "handle of owner % lets go of T%, which is not active");
      x.s.control = with(x.t.seen, reverting) | handle_gone;
      x.s.given_up[x.t.id] = 1;
      x.t.after = release_id;
      return x.go(revert_begin, "handle of owner % aborts T%");
    case reverting:
    case parked:
      if (handle_trusts_flag) {
        if (x.s.needs_revert) return x.go(done, "handle of owner %: T% is still being reverted");
        x.t.after = done;
        x.s.entry = 0;  // end(): the transaction is forgotten
        return x.go(release_id, "handle of owner %: T% needs no revert");
      }
      if (status(x.t.seen) == reverting || x.s.needs_revert) {
        x.s.control = x.t.seen | handle_gone;
        return x.go(done, "handle of owner % leaves T% to its reverter");
      }
      x.s.control = with(x.t.seen, committing);
      x.t.after = done;
      return x.go(release_id, "handle of owner %: T% is reverted, its slot goes");
    default: return x.go(done, "handle of owner % lets go of T%, which has committed");
  }
}

void own(const State& s, model::Search<State>& search, int who) {
  Step x(s, search, who);
  switch (x.t.pc) {
    case start:
      if (status(x.s.control) != free_slot) return;
      x.s.control = with(x.s.control, idle);
      return x.go(set_id, "owner % takes the slot for T%");
    case set_id:
      x.s.state = active;
      x.s.entry = x.s.needs_revert = 0;
      x.s.id = x.t.id;
      return x.go(held, "owner %: T% has begun");
    case held: {
      if (x.s.id == x.t.id && x.s.state == prepared) {
        if (status(x.s.control) != idle) return;
        x.s.control = with(x.s.control, in_operation);
        return x.go(commit_cas, "owner %: the coordinator takes T%");
      }
      Step gone(s, search, who), end(s, search, who);
      gone.go(away, "owner % goes away for ever, holding T%");
      end.t.seen = end.s.control;
      end.go(destroy_id, "owner % drops the handle of T%");
      if (x.t.wrote) return;
      x.t.seen = x.s.control;
      return x.go(enter_id, "owner % enters T%");
    }
    case enter_id:
      if (x.s.id != x.t.id) return x.go(done, "owner %: T% has ended");
      return x.go(enter_cas, "owner %: T% is still there");
    case enter_cas:
      if (status(x.t.seen) != idle) {
        x.t.wrote = 1;
        return x.go(held, "owner % hears that T% was ended");
      }
      if (x.s.control != x.t.seen) {
        x.t.seen = x.s.control;
        return x.go(enter_id, "owner %, T%: the control word has changed, again");
      }
      x.s.control = with(x.t.seen, in_operation);
      return x.go(operation, "owner % is inside T%");
    case operation: {
      if (!x.t.wrote) {
        x.t.wrote = 1;
        x.s.mark[x.t.id] = x.s.entry = 1;
        return x.go(operation, "owner % writes in T%");
      }
      if (prepares && x.t.id == 1) return x.go(prepare_cas, "owner % begins to prepare T%");
      Step commits(s, search, who), aborts(s, search, who);
      commits.go(commit_cas, "owner % begins to commit T%");
      aborts.s.control = with(aborts.s.control, reverting) | handle_gone;
      aborts.s.given_up[x.t.id] = 1;
      aborts.t.after = release_id;
      aborts.go(revert_begin, "owner % aborts T%");
      return x.go(leave_id, "owner % has done its operation in T%");
    }
    case prepare_cas:
      if ((x.s.control & killed) != 0 && !prepare_by_store) return x.go(leave_id, "owner %: T% was killed and may not prepare");
      x.s.control = with(x.s.control, committing);  // nobody kills any more
      return x.go(prepare_state, "owner % prepares T%");
    case prepare_state:
      if (x.s.granted[x.t.id]) return x.wrong("who was killed prepares", "owner %: T% is prepared");
      x.s.state = prepared;
      x.s.control = with(x.s.control, idle);
      return x.go(held, "owner %: T% is prepared");
    case commit_cas:
    case commit_decide:
    case commit_linger: return commit(s, search, who);
    case leave_id:
    case leave_cas: return leave({s, search, who});
    case destroy_id:
    case destroy_cas: return destroy({s, search, who});
    default: return;
  }
}

void kill(const State& s, model::Search<State>& search) {
  Step x(s, search, killer);
  switch (x.t.pc) {
    case kill_load: x.t.seen = x.s.control; return x.go(kill_id, "killer %: loads the control word of T%");
    case kill_id:
      if (x.s.id != x.t.id || status(x.t.seen) == committing || status(x.t.seen) >= reverting)
        return x.go(s.outcome_committed[1] || s.given_up[1] ? u8{done} : u8{kill_load}, "killer %: T% cannot be killed now");
      return x.go(kill_cas, "killer %: T% is there");
    case kill_cas:
      if (x.s.control != x.t.seen && !kill_by_store) return x.go(kill_load, "killer %, T%: the control word has changed, again");
      x.t.seen |= killed;
      x.s.control = x.t.seen;
      x.s.granted[x.t.id] = x.s.state == active;
      return x.go(reap_state, "killer % sets the flag of T%");
    case reap_state:
      if (x.s.state != active) return x.go(done, "killer %: T% is not active any more");
      return x.go(reap_cas, "killer %: T% is active");
    default:
      if (reap_without_generation) x.t.seen = x.s.state == active ? x.s.control : u8{0};
      if (status(x.t.seen) != idle || x.s.control != x.t.seen) return x.go(done, "killer % leaves T% to its owner");
      x.s.control = with(x.t.seen, reverting);
      x.t.after = done;
      x.t.id = x.s.id;
      return x.go(revert_begin, "killer % reaps T%");
  }
}

void keep_house(const State& s, model::Search<State>& search) {
  Step x(s, search, background);
  if (s.lingering != 0 && s.state == committed) {
    x.t.id = s.lingering;
    x.s.lingering = 0;
    x.t.after = watch;
    return x.go(release_id, "background %: T% lingers no longer");
  }
  if (s.id == 0) return;
  const bool joins = background_joins && status(s.control) == reverting && s.needs_revert;
  if ((status(s.control) == parked && s.needs_revert) || joins) {
    x.t.id = s.id;
    x.s.control = with(x.s.control, reverting);
    x.t.after = watch;
    x.go(revert_begin, "background % takes up the revert of T%");
  }
}

struct Model {
  static State initial() {
    State s{};
    for (int i = 0; i < 2; ++i) s.thread[i] = {start, 0, static_cast<u8>(i + 1), 0, 0};
    s.thread[killer] = {kill_load, 0, 1, 0, 0};
    s.thread[background] = {watch, 0, 0, 0, 0};
    return s;
  }
  static void successors(const State& s, model::Search<State>& search) {
    for (int who = 0; who < threads; ++who) {
      switch (s.thread[who].pc) {
        case revert_begin: begin_revert({s, search, who}); break;
        case revert_record: revert_the_record(s, search, who); break;
        case revert_end: end_revert({s, search, who}); break;
        case release_id:
        case release_control: release({s, search, who}); break;
        default:
          if (who == killer) {
            if (s.thread[who].pc != done) kill(s, search);
          } else if (who == background) {
            keep_house(s, search);
          } else {
            own(s, search, who);
          }
      }
    }
  }
  static bool may_end(const State& s) {
    if (s.lingering != 0 || (s.mark[1] && !s.outcome_committed[1] && s.id != 1) ||
        (s.mark[2] && !s.outcome_committed[2] && s.id != 2))
      return false;
    if (s.id == 0) return status(s.control) == free_slot;
    const Thread& owner = s.thread[s.id - 1];
    if (owner.pc != away) return false;
    if (s.state == aborted) return status(s.control) == parked && !s.needs_revert;
    return s.state == active && !s.granted[s.id];
  }
};

}  // namespace

int main(int argc, char** argv) { return model::main_of<Model, State>("kill", argc, argv); }
