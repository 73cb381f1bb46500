// Transactions: their ends, conflicts, savepoints, two-phase commit, bodies that answer what they like, and the view of all that
// run.
#include "support.h"

static void ends(plimsoll_db* db, plimsoll_table table) {
  plimsoll_txn* txn = begin(db);
  CHECK(plimsoll_txn_id(txn) != 0 && plimsoll_txn_snapshot(txn) != 0);
  put(txn, table, "k", "1");
  OK(plimsoll_commit(txn, &error));
  CHECK(plimsoll_txn_id(txn) == 0 && plimsoll_txn_snapshot(txn) == 0);
  uint32_t point = 0;
  EXPECT(PLIMSOLL_TRANSACTION_ABORTED, plimsoll_commit(txn, &error));
  EXPECT(PLIMSOLL_TRANSACTION_ABORTED, plimsoll_abort(txn, &error));
  EXPECT(PLIMSOLL_TRANSACTION_ABORTED, plimsoll_prepare(txn, "id", 2, &error));
  EXPECT(PLIMSOLL_TRANSACTION_ABORTED, plimsoll_savepoint(txn, &point, &error));
  EXPECT(PLIMSOLL_TRANSACTION_ABORTED, plimsoll_rollback_to(txn, 1, &error));
  EXPECT(PLIMSOLL_TRANSACTION_ABORTED, plimsoll_release(txn, 1, &error));
  EXPECT(PLIMSOLL_TRANSACTION_ABORTED, plimsoll_set_deadline(txn, 1000, &error));
  EXPECT(PLIMSOLL_TRANSACTION_ABORTED, plimsoll_set_lock_deadline(txn, 1000, &error));
  plimsoll_txn_close(txn);

  txn = begin(db);
  put(txn, table, "k", "2");
  OK(plimsoll_abort(txn, &error));
  plimsoll_txn_close(txn);
  txn = begin(db);
  put(txn, table, "k", "3");
  plimsoll_txn_close(txn);  // aborts
  txn = begin(db);
  expect_value(txn, table, "k", "1");
  plimsoll_txn_close(txn);
  plimsoll_txn_close(NULL);
}

static void nulls(plimsoll_db* db) {
  plimsoll_txn* txn = (plimsoll_txn*)&error;
  uint32_t point = 0;
  INVALID(plimsoll_begin(NULL, NULL, &txn, &error));
  CHECK(txn == NULL);
  INVALID(plimsoll_begin(db, NULL, NULL, &error));
  INVALID(plimsoll_commit(NULL, &error));
  INVALID(plimsoll_abort(NULL, &error));
  INVALID(plimsoll_prepare(NULL, "id", 2, &error));
  INVALID(plimsoll_savepoint(NULL, &point, &error));
  INVALID(plimsoll_rollback_to(NULL, 1, &error));
  INVALID(plimsoll_release(NULL, 1, &error));
  INVALID(plimsoll_set_deadline(NULL, 1, &error));
  INVALID(plimsoll_set_lock_deadline(NULL, 1, &error));
  INVALID(plimsoll_commit_prepared(NULL, "id", 2, NULL, &error));
  INVALID(plimsoll_abort_prepared(NULL, "id", 2, &error));
  INVALID(plimsoll_transactions(NULL, NULL, NULL, &error));
  INVALID(plimsoll_transactions(db, NULL, NULL, &error));
  INVALID(plimsoll_waits(NULL, NULL, NULL, &error));
  INVALID(plimsoll_waits(db, NULL, NULL, &error));
  INVALID(plimsoll_kill(NULL, 1, &error));
  CHECK(plimsoll_txn_id(NULL) == 0 && plimsoll_txn_snapshot(NULL) == 0);
}

static void options(plimsoll_db* db) {
  plimsoll_txn* txn = NULL;
  const plimsoll_txn_options wrong[] = {
      {.size = sizeof *wrong, .isolation = 4},
      {.size = sizeof *wrong, .isolation = -1},
      {.size = sizeof *wrong, .isolation = PLIMSOLL_SERIALIZABLE},
      {.size = sizeof *wrong, .durability = 2},
      {.size = sizeof *wrong, .flags = 2},
      {.size = sizeof *wrong, .deadline_ms = -2},
      {.size = sizeof *wrong, .lock_deadline_ms = INT64_MIN},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
    INVALID(plimsoll_begin(db, &wrong[i], &txn, &error));
    CHECK(txn == NULL);
  }
  const plimsoll_txn_options right = {.size = sizeof right,
                                      .isolation = PLIMSOLL_READ_COMMITTED,
                                      .durability = PLIMSOLL_RELAXED,
                                      .deadline_ms = 60000,
                                      .lock_deadline_ms = PLIMSOLL_NO_DEADLINE,
                                      .memory_bytes_max = 1 << 20,
                                      .written_bytes_max = 1000,
                                      .label = "a label"};
  OK(plimsoll_begin(db, &right, &txn, &error));
  OK(plimsoll_set_deadline(txn, PLIMSOLL_NO_DEADLINE, &error));
  OK(plimsoll_set_deadline(txn, 60000, &error));
  INVALID(plimsoll_set_deadline(txn, 0, &error));
  INVALID(plimsoll_set_deadline(txn, -2, &error));
  OK(plimsoll_set_lock_deadline(txn, 10, &error));
  INVALID(plimsoll_set_lock_deadline(txn, 0, &error));
  INVALID(plimsoll_set_lock_deadline(txn, -2, &error));
  OK(plimsoll_commit(txn, &error));
  plimsoll_txn_close(txn);
}

static void conflicts(plimsoll_db* db, plimsoll_table table) {
  put_now(db, table, "c", "0");
  plimsoll_txn *first = begin(db), *second = begin(db);
  put(first, table, "c", "1");
  OK(plimsoll_set_lock_deadline(second, 20, &error));
  EXPECT(PLIMSOLL_LOCK_TIMEOUT, plimsoll_put(second, table, "c", 1, "2", 1, &error));
  CHECK(plimsoll_is_retryable(error.code));
  OK(plimsoll_commit(first, &error));
  EXPECT(PLIMSOLL_CONFLICT, plimsoll_put(second, table, "c", 1, "2", 1, &error));
  CHECK(error.details[0] != '\0' && plimsoll_is_retryable(error.code));
  plimsoll_value* value = NULL;
  EXPECT(PLIMSOLL_CONFLICT, plimsoll_get_for_update(second, table, "c", 1, &value, &error));
  CHECK(value == NULL);
  expect_value(second, table, "c", "0");
  plimsoll_txn_close(second);
  plimsoll_txn_close(first);
}

static void savepoints(plimsoll_db* db, plimsoll_table table) {
  plimsoll_txn* txn = begin(db);
  uint32_t outer = 0, inner = 0;
  put(txn, table, "s", "1");
  OK(plimsoll_savepoint(txn, &outer, &error));
  put(txn, table, "s", "2");
  OK(plimsoll_savepoint(txn, &inner, &error));
  put(txn, table, "s", "3");
  OK(plimsoll_rollback_to(txn, inner, &error));
  expect_value(txn, table, "s", "2");
  OK(plimsoll_release(txn, inner, &error));
  INVALID(plimsoll_rollback_to(txn, inner, &error));
  OK(plimsoll_rollback_to(txn, outer, &error));
  expect_value(txn, table, "s", "1");
  INVALID(plimsoll_rollback_to(txn, 12345, &error));
  INVALID(plimsoll_release(txn, 12345, &error));
  INVALID(plimsoll_savepoint(txn, NULL, &error));
  plimsoll_txn_close(txn);
}

static int count_prepared(void* context, const plimsoll_txn_info* info) {
  if (info->state == PLIMSOLL_TXN_PREPARED && is_bytes(info->prepared, "id-1")) ++*(int*)context;
  return 0;
}

static plimsoll_txn* prepare(plimsoll_db* db, plimsoll_table table, const char* id) {
  plimsoll_txn* txn = begin(db);
  put(txn, table, id, "prepared");
  OK(plimsoll_prepare(txn, id, strlen(id), &error));
  return txn;
}

static void two_phases(plimsoll_db* db, plimsoll_table table) {
  plimsoll_txn *first = prepare(db, table, "id-1"), *second = prepare(db, table, "id-2"), *third = begin(db);
  put(third, table, "third", "v");
  EXPECT(PLIMSOLL_ALREADY_EXISTS, plimsoll_prepare(third, "id-1", 4, &error));
  INVALID(plimsoll_prepare(third, "", 0, &error));
  INVALID(plimsoll_prepare(third, NULL, 4, &error));
  int prepared = 0;
  OK(plimsoll_transactions(db, count_prepared, &prepared, &error));
  CHECK(prepared == 1);
  plimsoll_txn_close(first);  // stays prepared
  plimsoll_txn_close(third);
  uint64_t timestamp = 0;
  OK(plimsoll_commit_prepared(db, "id-1", 4, &timestamp, &error));
  CHECK(timestamp != 0);
  OK(plimsoll_abort_prepared(db, "id-2", 4, &error));
  plimsoll_txn_close(second);
  EXPECT(PLIMSOLL_NOT_FOUND, plimsoll_commit_prepared(db, "id-1", 4, NULL, &error));
  EXPECT(PLIMSOLL_NOT_FOUND, plimsoll_abort_prepared(db, "id-2", 4, &error));
  INVALID(plimsoll_commit_prepared(db, NULL, 4, NULL, &error));
  INVALID(plimsoll_abort_prepared(db, NULL, 4, &error));
  plimsoll_txn* txn = begin(db);
  expect_value(txn, table, "id-1", "prepared");
  expect_value(txn, table, "id-2", NULL);
  plimsoll_txn_close(txn);
}

struct Script {
  plimsoll_table table;
  const plimsoll_status* answers;  // one a run
  int runs;
};

static plimsoll_status play(void* context, plimsoll_txn* txn, plimsoll_error* why) {
  struct Script* script = context;
  const plimsoll_status answer = script->answers[script->runs++];
  CHECK(why != NULL && why->size == sizeof *why && plimsoll_txn_id(txn) != 0);
  plimsoll_txn_close(txn);  // not its to end: nothing happens
  const plimsoll_status done = plimsoll_put(txn, script->table, "t", 1, "done", 4, why);
  if (done != PLIMSOLL_OK) return done;
  if (answer == PLIMSOLL_NOT_FOUND) return plimsoll_update(txn, script->table, "no such key", 11, "v", 1, why);
  return answer;
}

static int run_script(plimsoll_db* db, plimsoll_table table, plimsoll_status wanted, const plimsoll_status* answers) {
  struct Script script = {table, answers, 0};
  EXPECT(wanted, plimsoll_transact(db, NULL, play, &script, &error));
  return script.runs;
}

static plimsoll_status always_conflicts(void* context, plimsoll_txn* txn, plimsoll_error* why) {
  (void)txn, (void)why;
  ++*(int*)context;
  return PLIMSOLL_CONFLICT;
}

static plimsoll_status commits_itself(void* context, plimsoll_txn* txn, plimsoll_error* why) {
  (void)context;
  return plimsoll_commit(txn, why);
}

static void bodies(plimsoll_db* db, plimsoll_table table) {
  CHECK(run_script(db, table, 1001, (const plimsoll_status[]){1001}) == 1);
  CHECK(strcmp(error.message, "the body answered a status of its own") == 0);
  CHECK(run_script(db, table, -7, (const plimsoll_status[]){PLIMSOLL_CONFLICT, -7}) == 2);
  CHECK(run_script(db, table, PLIMSOLL_OUT_OF_MEMORY, (const plimsoll_status[]){PLIMSOLL_OUT_OF_MEMORY}) == 1);
  CHECK(run_script(db, table, PLIMSOLL_BUSY, (const plimsoll_status[]){PLIMSOLL_BUSY}) == 1);
  CHECK(run_script(db, table, PLIMSOLL_NOT_FOUND, (const plimsoll_status[]){PLIMSOLL_NOT_FOUND}) == 1);
  CHECK(error.details[0] != '\0' && strstr(error.details, "answered by the body") == NULL);  // what the body's call said
  plimsoll_txn* txn = begin(db);
  expect_value(txn, table, "t", NULL);
  plimsoll_txn_close(txn);
  CHECK(run_script(db, table, PLIMSOLL_OK, (const plimsoll_status[]){PLIMSOLL_CONFLICT, PLIMSOLL_DEADLOCK, PLIMSOLL_OK}) == 3);
  txn = begin(db);
  expect_value(txn, table, "t", "done");
  plimsoll_txn_close(txn);

  int runs = 0;
  EXPECT(PLIMSOLL_CONFLICT, plimsoll_transact(db, NULL, always_conflicts, &runs, &error));
  CHECK(runs == 100);
  EXPECT(PLIMSOLL_TRANSACTION_ABORTED, plimsoll_transact(db, NULL, commits_itself, NULL, &error));
  INVALID(plimsoll_transact(NULL, NULL, commits_itself, NULL, &error));
  INVALID(plimsoll_transact(db, NULL, NULL, NULL, &error));
  const plimsoll_txn_options wrong = {.size = 1};
  INVALID(plimsoll_transact(db, &wrong, commits_itself, NULL, &error));
}

struct Found {
  uint64_t id;
  int seen, labelled;
};

static int find(void* context, const plimsoll_txn_info* info) {
  struct Found* found = context;
  CHECK(info->size == sizeof *info);
  if (info->id != found->id) return 0;
  ++found->seen;
  found->labelled = strcmp(info->label, "victim") == 0 && info->state == PLIMSOLL_TXN_ACTIVE && info->waits_for == 0;
  return 1;
}

static int each_wait(void* context, uint64_t waiter, uint64_t holder, uint64_t number) {
  CHECK(waiter != holder && number != 0);
  ++*(int*)context;
  return 0;
}

static void views_and_kill(plimsoll_db* db, plimsoll_table table) {
  const plimsoll_txn_options options = {.size = sizeof options, .label = "victim"};
  plimsoll_txn* txn = NULL;
  OK(plimsoll_begin(db, &options, &txn, &error));
  put(txn, table, "victim", "v");
  struct Found found = {plimsoll_txn_id(txn), 0, 0};
  OK(plimsoll_transactions(db, find, &found, &error));
  CHECK(found.seen == 1 && found.labelled);
  int waits = 0;
  OK(plimsoll_waits(db, each_wait, &waits, &error));
  CHECK(waits == 0);
  OK(plimsoll_kill(db, found.id, &error));
  EXPECT(PLIMSOLL_TRANSACTION_TIMEOUT, plimsoll_put(txn, table, "victim", 6, "w", 1, &error));
  plimsoll_txn_close(txn);
  EXPECT(PLIMSOLL_NOT_FOUND, plimsoll_kill(db, found.id, &error));
}

int main(void) {
  plimsoll_db* db = open_memory();
  const plimsoll_table table = make_table(db, "t");
  ends(db, table);
  nulls(db);
  options(db);
  conflicts(db, table);
  savepoints(db, table);
  two_phases(db, table);
  bodies(db, table);
  views_and_kill(db, table);
  OK(plimsoll_close(db, &error));
  return 0;
}
