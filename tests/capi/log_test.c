// What calls back from threads of the log: asynchronous commits, the durable position; and the reader of the log.
#include <stdatomic.h>
#include <threads.h>

#include "support.h"

static void wait_until(atomic_int* value, int wanted) {
  for (int tries = 0; atomic_load(value) < wanted; ++tries) {
    CHECK(tries < 60000);
    thrd_sleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  }
}

static void on_done(void* context, plimsoll_status outcome, const plimsoll_error* why) {
  CHECK(outcome == PLIMSOLL_OK && why == NULL);
  atomic_fetch_add((atomic_int*)context, 1);
}

static void asynchronous(plimsoll_db* db, plimsoll_table table) {
  atomic_int done = 0;
  enum { commits = 50 };
  for (int i = 0; i < commits; ++i) {
    char key[16];
    snprintf(key, sizeof key, "async-%02d", i);
    plimsoll_txn* txn = begin(db);
    put(txn, table, key, "v");
    OK(plimsoll_commit_async(txn, on_done, &done, &error));
    EXPECT(PLIMSOLL_TRANSACTION_ABORTED, plimsoll_commit_async(txn, on_done, &done, &error));
    plimsoll_txn_close(txn);
  }
  wait_until(&done, commits);
  plimsoll_txn* txn = begin(db);
  INVALID(plimsoll_commit_async(txn, NULL, NULL, &error));
  INVALID(plimsoll_commit_async(NULL, on_done, &done, &error));
  OK(plimsoll_commit_async(txn, on_done, &done, &error));  // it has written nothing
  plimsoll_txn_close(txn);
  wait_until(&done, commits + 1);
  CHECK(atomic_load(&done) == commits + 1);
}

static void on_durable(void* context, uint64_t durable_lsn) {
  CHECK(durable_lsn != 0);
  atomic_store((atomic_int*)context, 1);
}

static void durable(plimsoll_db* db, plimsoll_table table) {
  atomic_int called = 0;
  OK(plimsoll_on_durable(db, on_durable, &called, &error));
  put_now(db, table, "durable", "v");
  wait_until(&called, 1);
  OK(plimsoll_on_durable(db, NULL, NULL, &error));
  INVALID(plimsoll_on_durable(NULL, NULL, NULL, &error));
}

struct Log {
  uint64_t tree;
  int puts, erases, commits, stop_after;
};

static int each_entry(void* context, const plimsoll_log_entry* entry) {
  struct Log* log = context;
  CHECK(entry->size == sizeof *entry && entry->lsn != 0);
  if (entry->kind == PLIMSOLL_LOG_PUT && entry->tree == log->tree && is_bytes(entry->key, "logged")) {
    CHECK(is_bytes(entry->value, "v") && !entry->out_of_line && entry->transaction != 0);
    ++log->puts;
  }
  log->erases += entry->kind == PLIMSOLL_LOG_ERASE && entry->tree == log->tree;
  log->commits += entry->kind == PLIMSOLL_LOG_COMMIT && entry->commit_timestamp != 0;
  return --log->stop_after == 0;
}

static void reader(plimsoll_db* db, plimsoll_table table) {
  plimsoll_info info = {.size = sizeof info};
  OK(plimsoll_get_info(db, &info, &error));
  put_now(db, table, "logged", "v");
  plimsoll_txn* txn = begin(db);
  OK(plimsoll_erase(txn, table, "logged", 6, NULL, &error));
  OK(plimsoll_commit(txn, &error));
  plimsoll_txn_close(txn);
  struct Log log = {table.tree, 0, 0, 0, 0};
  uint64_t next = 0, first_next = 0;
  OK(plimsoll_read_log(db, info.durable_lsn, each_entry, &log, &next, &error));
  CHECK(log.puts == 1 && log.erases == 1 && log.commits == 2 && next > info.durable_lsn);
  log = (struct Log){table.tree, 0, 0, 0, 1};
  OK(plimsoll_read_log(db, info.durable_lsn, each_entry, &log, &first_next, &error));
  CHECK(log.stop_after == 0 && first_next < next);
  OK(plimsoll_read_log(db, next, each_entry, &log, NULL, &error));
  INVALID(plimsoll_read_log(db, next, NULL, NULL, NULL, &error));
  INVALID(plimsoll_read_log(NULL, next, each_entry, &log, NULL, &error));
}

static void clock_and_floor(plimsoll_db* db) {
  plimsoll_info info = {.size = sizeof info};
  OK(plimsoll_get_info(db, &info, &error));
  OK(plimsoll_set_external_floor(db, info.now, &error));
  OK(plimsoll_set_external_floor(db, 0, &error));
  INVALID(plimsoll_set_external_floor(NULL, 0, &error));
  OK(plimsoll_receive(db, info.now, &error));
  INVALID(plimsoll_receive(db, info.now + ((uint64_t)3600000 << 16), &error));
  INVALID(plimsoll_receive(NULL, info.now, &error));
}

int main(void) {
  plimsoll_db* db = NULL;
  const plimsoll_options options = {.size = sizeof options, .memory_budget = 64u << 20};
  OK(plimsoll_open("store", &options, &db, &error));
  const plimsoll_table table = make_table(db, "t");
  asynchronous(db, table);
  durable(db, table);
  reader(db, table);
  clock_and_floor(db);
  OK(plimsoll_close(db, &error));
  return 0;
}
