// Backups, and the position of a snapshot.
#include "support.h"

static plimsoll_txn* begin_with_position(plimsoll_db* db) {
  plimsoll_txn* txn = NULL;
  const plimsoll_txn_options options = {.size = sizeof options, .flags = PLIMSOLL_TXN_READ_ONLY | PLIMSOLL_TXN_WITH_POSITION};
  OK(plimsoll_begin(db, &options, &txn, &error));
  return txn;
}

static void positions(plimsoll_db* db, plimsoll_table table) {
  plimsoll_txn* before = begin_with_position(db);
  const uint64_t position = plimsoll_txn_position(before);
  CHECK(position != 0);
  put_now(db, table, "a", "1");
  plimsoll_txn* after = begin_with_position(db);
  CHECK(plimsoll_txn_position(after) > position);
  CHECK(plimsoll_txn_follow_from(before) != 0 && plimsoll_txn_follow_from(before) <= position);
  CHECK(plimsoll_txn_follow_from(after) <= plimsoll_txn_position(after));
  expect_value(before, table, "a", NULL);
  expect_value(after, table, "a", "1");
  OK(plimsoll_commit(after, &error));
  CHECK(plimsoll_txn_position(after) == 0 && plimsoll_txn_position(NULL) == 0);
  CHECK(plimsoll_txn_follow_from(after) == 0 && plimsoll_txn_follow_from(NULL) == 0);
  plimsoll_txn_close(after);
  plimsoll_txn_close(before);
  plimsoll_txn* plain = begin(db);
  CHECK(plimsoll_txn_position(plain) == 0);
  plimsoll_txn_close(plain);
  const plimsoll_txn_options writes = {.size = sizeof writes, .flags = PLIMSOLL_TXN_WITH_POSITION};
  INVALID(plimsoll_begin(db, &writes, &plain, &error));
}

static int count_calls(void* context, const plimsoll_backup_report* so_far) {
  CHECK(so_far->size == sizeof *so_far && so_far->position == 0 && so_far->file_bytes != 0);
  ++*(int*)context;
  return 0;
}

static int call_off(void* context, const plimsoll_backup_report* so_far) {
  (void)context;
  return so_far->records != 0;
}

static void make_and_check(plimsoll_db* db, plimsoll_table table) {
  enum { records = 3000 };
  char key[16], value[200];
  memset(value, 'v', sizeof value);
  plimsoll_txn* txn = begin(db);
  for (int i = 0; i < records; ++i) {
    snprintf(key, sizeof key, "k%05d", i);
    OK(plimsoll_put(txn, table, key, strlen(key), value, sizeof value, &error));
  }
  OK(plimsoll_commit(txn, &error));
  plimsoll_txn_close(txn);
  plimsoll_backup_report made = {.size = sizeof made}, checked = {.size = sizeof checked};
  int calls = 0;
  OK(plimsoll_backup(db, "backup", &made, count_calls, &calls, &error));
  CHECK(calls > 0 && made.position != 0 && made.timestamp != 0 && made.salt == table.store);
  CHECK(made.tables == 1 && made.records == records + 1 && made.page_bytes == 8192);
  OK(plimsoll_check_backup("backup", &checked, NULL, NULL, &error));
  CHECK(memcmp(&made, &checked, sizeof made) == 0);
  OK(plimsoll_check_backup("backup", NULL, NULL, NULL, &error));
  EXPECT(PLIMSOLL_ALREADY_EXISTS, plimsoll_backup(db, "backup", NULL, NULL, NULL, &error));
  EXPECT(PLIMSOLL_TRANSACTION_ABORTED, plimsoll_backup(db, "other", NULL, call_off, NULL, &error));
  EXPECT(PLIMSOLL_NOT_FOUND, plimsoll_check_backup("other", NULL, NULL, NULL, &error));
  EXPECT(PLIMSOLL_TRANSACTION_ABORTED, plimsoll_check_backup("backup", NULL, call_off, NULL, &error));
  made.size = 1;
  INVALID(plimsoll_backup(db, "other", &made, NULL, NULL, &error));
  INVALID(plimsoll_backup(NULL, "other", NULL, NULL, NULL, &error));
  INVALID(plimsoll_backup(db, NULL, NULL, NULL, NULL, &error));
  INVALID(plimsoll_check_backup(NULL, NULL, NULL, NULL, &error));
}

static void restore(void) {
  const plimsoll_options options = {.size = sizeof options, .memory_budget = 64u << 20};
  plimsoll_backup_report report = {.size = sizeof report};
  EXPECT(PLIMSOLL_TRANSACTION_ABORTED, plimsoll_restore_backup("backup", "copy", &options, NULL, call_off, NULL, &error));
  OK(plimsoll_restore_backup("backup", "copy", &options, &report, NULL, NULL, &error));
  CHECK(report.records == 3001);
  EXPECT(PLIMSOLL_ALREADY_EXISTS, plimsoll_restore_backup("backup", "copy", &options, NULL, NULL, NULL, &error));
  INVALID(plimsoll_restore_backup(NULL, "copy", NULL, NULL, NULL, NULL, &error));
  INVALID(plimsoll_restore_backup("backup", NULL, NULL, NULL, NULL, NULL, &error));
  plimsoll_db* db = NULL;
  OK(plimsoll_open("copy", &options, &db, &error));
  plimsoll_txn* txn = begin(db);
  expect_value(txn, make_table(db, "t"), "a", "1");
  plimsoll_txn_close(txn);
  OK(plimsoll_close(db, &error));
}

int main(void) {
  plimsoll_db* db = open_memory();
  const plimsoll_table table = make_table(db, "t");
  positions(db, table);
  make_and_check(db, table);
  OK(plimsoll_close(db, &error));
  restore();
  return 0;
}
