// Open, close, tables, verification, memory and statistics: right use and wrong use.
#include "support.h"

struct Seen {
  int count;
  int stop_after;
  char names[256];
};

static int see(struct Seen* seen, const char* name) {
  strncat(seen->names, name, sizeof seen->names - strlen(seen->names) - 2);
  strncat(seen->names, " ", 2);
  return ++seen->count == seen->stop_after;
}

static void on_event(void* context, const plimsoll_event* event) {
  CHECK(event->size == sizeof *event && event->wall_ms > 1000000000000u && event->text[0] != '\0');
  if (event->kind == PLIMSOLL_EVENT_OPEN_PHASE) ++*(int*)context;
}

static void wrong_opens(void) {
  plimsoll_db* db = (plimsoll_db*)&error;
  plimsoll_options options = {.size = sizeof options};
  INVALID(plimsoll_open(NULL, NULL, &db, &error));
  CHECK(db == NULL);
  INVALID(plimsoll_open("store", NULL, NULL, &error));
  INVALID(plimsoll_open_in_memory(NULL, NULL, &error));
  options.flags = PLIMSOLL_OPEN_EXISTING;
  EXPECT(PLIMSOLL_NOT_FOUND, plimsoll_open("none", &options, &db, &error));
  options.flags = PLIMSOLL_OPEN_EXISTING | PLIMSOLL_OPEN_NEW;
  INVALID(plimsoll_open("none", &options, &db, &error));
  options.flags = 1u << 20;
  INVALID(plimsoll_open("none", &options, &db, &error));
  CHECK(strstr(error.details, "options->flags") != NULL);
  options = (plimsoll_options){.size = sizeof options, .memory_budget = 1 << 20};
  EXPECT(PLIMSOLL_MEMORY_BUDGET_EXCEEDED, plimsoll_open("none", &options, &db, &error));
  options = (plimsoll_options){.size = sizeof options, .page_size = 5000};
  INVALID(plimsoll_open("none", &options, &db, &error));
  options = (plimsoll_options){.size = sizeof options, .io_backend = 3};
  INVALID(plimsoll_open("none", &options, &db, &error));
  options = (plimsoll_options){.size = sizeof options, .io_backend = -1};
  INVALID(plimsoll_open("none", &options, &db, &error));
  options = (plimsoll_options){.size = sizeof options, .lock_deadline_ms = -2};
  INVALID(plimsoll_open("none", &options, &db, &error));
  options = (plimsoll_options){.size = sizeof options, .retention_ms = -1};
  INVALID(plimsoll_open("none", &options, &db, &error));
  CHECK(db == NULL);
}

static void requests(plimsoll_db* db) {
  const char* request = "{\"version\":1,\"request\":\"process\"}";
  char *here = NULL, *there = NULL;
  OK(plimsoll_answer(db, request, &here, &error));
  OK(plimsoll_ask("store", request, &there, &error));
  CHECK(strcmp(here, there) == 0 && strstr(here, "\"pid\":") != NULL);
  plimsoll_free(here);
  plimsoll_free(there);
  OK(plimsoll_answer(db, "no JSON", &here, &error));
  CHECK(strstr(here, "invalid_argument") != NULL);
  plimsoll_free(here);
  INVALID(plimsoll_answer(NULL, request, &here, &error));
  INVALID(plimsoll_answer(db, NULL, &here, &error));
  INVALID(plimsoll_answer(db, request, NULL, &error));
  INVALID(plimsoll_ask(NULL, request, &here, &error));
  INVALID(plimsoll_ask("store", NULL, &here, &error));
  INVALID(plimsoll_ask("store", request, NULL, &error));
  INVALID(plimsoll_ask("store", "two\nlines", &here, &error));
  EXPECT(PLIMSOLL_NOT_FOUND, plimsoll_ask("no such store", request, &here, &error));
}

static void open_twice_and_again(void) {
  plimsoll_db *db = NULL, *second = NULL;
  int events = 0;
  plimsoll_options options = {.size = sizeof options,
                              .memory_budget = 64u << 20,
                              .page_size = 4096,
                              .flags = PLIMSOLL_OPEN_NEW,
                              .io_backend = PLIMSOLL_IO_PLAIN,
                              .max_transactions = 64,
                              .transaction_deadline_ms = 60000,
                              .lock_deadline_ms = PLIMSOLL_NO_DEADLINE,
                              .retention_ms = 1000,
                              .on_event = on_event,
                              .event_context = &events};
  OK(plimsoll_open("store", &options, &db, &error));
  CHECK(events > 0);
  options.flags = 0;
  EXPECT(PLIMSOLL_BUSY, plimsoll_open("store", &options, &second, &error));
  CHECK(second == NULL);
  put_now(db, make_table(db, "t"), "k", "v");
  requests(db);
  OK(plimsoll_close(db, &error));

  options.flags = PLIMSOLL_OPEN_NEW;
  EXPECT(PLIMSOLL_ALREADY_EXISTS, plimsoll_open("store", &options, &db, &error));
  options.flags = PLIMSOLL_OPEN_EXISTING | PLIMSOLL_FOLLOW_CONTAINER_LIMIT;
  OK(plimsoll_open("store", &options, &db, &error));
  plimsoll_info info = {.size = sizeof info};
  OK(plimsoll_get_info(db, &info, &error));
  CHECK(info.page_bytes == 4096 && info.key_bytes_max == 512 && info.now != 0 && info.durable_lsn >= info.log_start_lsn);
  plimsoll_recovery recovery = {.size = sizeof recovery};
  OK(plimsoll_get_recovery(db, &recovery, &error));
  CHECK(recovery.was_clean == 1 && recovery.losers == 0);
  plimsoll_txn* txn = begin(db);
  expect_value(txn, make_table(db, "t"), "k", "v");
  plimsoll_txn_close(txn);
  OK(plimsoll_close(db, &error));
  OK(plimsoll_close(NULL, &error));
}

static void no_background(void) {
  plimsoll_db* db = NULL;
  plimsoll_options options = {
      .size = sizeof options, .memory_budget = 64u << 20, .flags = PLIMSOLL_NO_BACKGROUND_THREADS | PLIMSOLL_NO_CONTROL_SOCKET};
  OK(plimsoll_open_in_memory(&options, &db, &error));
  put_now(db, make_table(db, "t"), "k", "v");
  int worked = 1;
  for (int rounds = 0; worked && rounds < 10000; ++rounds) OK(plimsoll_run_background(db, &worked, &error));
  CHECK(!worked);
  OK(plimsoll_run_background(db, NULL, &error));
  INVALID(plimsoll_run_background(NULL, NULL, &error));
  OK(plimsoll_close(db, &error));
}

static int each_table(void* context, const char* name, size_t name_bytes, plimsoll_table table) {
  CHECK(strlen(name) == name_bytes && table.tree != 0 && table.store != 0);
  return see(context, name);
}

static void tables(plimsoll_db* db) {
  plimsoll_table table = {0, 0, 0}, again = {0, 0, 0};
  EXPECT(PLIMSOLL_NOT_FOUND, plimsoll_table_open(db, "one", 3, 0, &table, &error));
  OK(plimsoll_table_open(db, "one", 3, PLIMSOLL_TABLE_CREATE, &table, &error));
  OK(plimsoll_table_open(db, "one", 3, PLIMSOLL_TABLE_CREATE, &again, &error));
  CHECK(table.tree == again.tree && table.store == again.store);
  make_table(db, "two");
  INVALID(plimsoll_table_open(db, "\0a", 2, PLIMSOLL_TABLE_CREATE, &table, &error));
  INVALID(plimsoll_table_open(db, NULL, 3, PLIMSOLL_TABLE_CREATE, &table, &error));
  INVALID(plimsoll_table_open(db, "one", 3, 2, &table, &error));
  INVALID(plimsoll_table_open(db, "one", 3, 0, NULL, &error));
  INVALID(plimsoll_table_open(NULL, "one", 3, 0, &table, &error));

  struct Seen seen = {0, 0, ""};
  OK(plimsoll_tables(db, each_table, &seen, &error));
  CHECK(seen.count == 2 && strcmp(seen.names, "one two ") == 0);
  seen = (struct Seen){0, 1, ""};
  OK(plimsoll_tables(db, each_table, &seen, &error));
  CHECK(seen.count == 1);
  INVALID(plimsoll_tables(db, NULL, NULL, &error));
  INVALID(plimsoll_tables(NULL, each_table, &seen, &error));

  char* name = NULL;
  size_t name_bytes = 0;
  OK(plimsoll_table_name(db, again, &name, &name_bytes, &error));
  CHECK(strcmp(name, "one") == 0 && name_bytes == 3);
  plimsoll_free(name);
  OK(plimsoll_table_name(db, again, &name, NULL, &error));
  plimsoll_free(name);
  EXPECT(PLIMSOLL_NOT_FOUND, plimsoll_table_name(db, (plimsoll_table){1, 2, 0}, &name, NULL, &error));
  INVALID(plimsoll_table_name(db, (plimsoll_table){again.store, UINT64_MAX, 0}, &name, NULL, &error));
  CHECK(name == NULL);
  INVALID(plimsoll_table_name(db, again, NULL, NULL, &error));
  INVALID(plimsoll_table_name(NULL, again, &name, NULL, &error));

  plimsoll_txn* txn = begin(db);
  EXPECT(PLIMSOLL_BUSY, plimsoll_table_drop(db, "two", 3, &error));
  OK(plimsoll_abort(txn, &error));
  plimsoll_txn_close(txn);
  OK(plimsoll_table_drop(db, "two", 3, &error));
  EXPECT(PLIMSOLL_NOT_FOUND, plimsoll_table_drop(db, "two", 3, &error));
  INVALID(plimsoll_table_drop(db, NULL, 3, &error));
  INVALID(plimsoll_table_drop(NULL, "two", 3, &error));
}

static int each_problem(void* context, const plimsoll_problem* problem) { return see(context, problem->what); }

static int each_account(void* context, const plimsoll_account* account) {
  CHECK(account->size == sizeof *account && account->used_bytes <= account->peak_bytes);
  if (account->is_leaf) *(uint64_t*)context += account->used_bytes;
  return 0;
}

static int first_account(void* context, const plimsoll_account* account) {
  CHECK(account->parent != NULL);
  return see(context, account->name);
}

static void verification(plimsoll_db* db) {
  plimsoll_verify_report report = {.size = sizeof report};
  struct Seen seen = {0, 0, ""};
  put_now(db, make_table(db, "one"), "k", "v");
  OK(plimsoll_checkpoint(db, &error));
  OK(plimsoll_verify(db, &report, each_problem, &seen, &error));
  CHECK(report.problems == 0 && report.pages > 0 && report.records > 0 && report.tables >= 1 && seen.count == 0);
  OK(plimsoll_verify(db, &report, NULL, NULL, &error));
  INVALID(plimsoll_verify(db, NULL, NULL, NULL, &error));
  INVALID(plimsoll_verify(NULL, &report, NULL, NULL, &error));
  INVALID(plimsoll_checkpoint(NULL, &error));
  uint64_t before = 0, after = 0;
  OK(plimsoll_compact(db, &before, &after, &error));
  CHECK(before > 0 && after > 0 && after <= before);
  OK(plimsoll_compact(db, NULL, NULL, &error));
  INVALID(plimsoll_compact(NULL, &before, &after, &error));
  INVALID(plimsoll_get_info(NULL, &(plimsoll_info){.size = sizeof(plimsoll_info)}, &error));
  INVALID(plimsoll_get_info(db, NULL, &error));
  INVALID(plimsoll_get_recovery(NULL, &(plimsoll_recovery){.size = sizeof(plimsoll_recovery)}, &error));
  INVALID(plimsoll_get_recovery(db, NULL, &error));
}

static void memory(plimsoll_db* db) {
  OK(plimsoll_set_memory_budget(db, 48u << 20, &error));
  INVALID(plimsoll_set_memory_budget(db, 1u << 20, &error));
  INVALID(plimsoll_set_memory_budget(db, UINT64_MAX, &error));
  INVALID(plimsoll_set_memory_budget(NULL, 48u << 20, &error));
  OK(plimsoll_set_memory_budget(db, 64u << 20, &error));
  uint64_t released = UINT64_MAX;
  OK(plimsoll_release_memory(db, 1u << 20, &released, &error));
  CHECK(released != UINT64_MAX);
  OK(plimsoll_release_memory(db, 0, NULL, &error));
  INVALID(plimsoll_release_memory(NULL, 0, NULL, &error));

  int32_t level = -1;
  OK(plimsoll_set_pressure_level(db, PLIMSOLL_PRESSURE_WARNING, &error));
  OK(plimsoll_get_pressure_level(db, &level, &error));
  CHECK(level >= PLIMSOLL_PRESSURE_WARNING && level <= PLIMSOLL_PRESSURE_EMERGENCY);
  OK(plimsoll_set_pressure_level(db, PLIMSOLL_PRESSURE_NORMAL, &error));
  INVALID(plimsoll_set_pressure_level(db, 4, &error));
  INVALID(plimsoll_set_pressure_level(db, -1, &error));
  INVALID(plimsoll_set_pressure_level(NULL, 0, &error));
  INVALID(plimsoll_get_pressure_level(db, NULL, &error));
  INVALID(plimsoll_get_pressure_level(NULL, &level, &error));

  uint64_t used = 0;
  struct Seen seen = {0, 1, ""};
  OK(plimsoll_memory_accounts(db, each_account, &used, &error));
  CHECK(used > 0 && used <= 64u << 20);
  OK(plimsoll_memory_accounts(db, first_account, &seen, &error));
  CHECK(seen.count == 1);
  INVALID(plimsoll_memory_accounts(db, NULL, NULL, &error));
  INVALID(plimsoll_memory_accounts(NULL, each_account, &used, &error));
}

static void statistics(plimsoll_db* db) {
  uint64_t before = 0, after = 0;
  OK(plimsoll_statistic(db, "transactions_committed", &before, &error));
  put_now(db, make_table(db, "one"), "k", "w");
  OK(plimsoll_statistic(db, "transactions_committed", &after, &error));
  CHECK(after > before);
  EXPECT(PLIMSOLL_NOT_FOUND, plimsoll_statistic(db, "no_such", &after, &error));
  INVALID(plimsoll_statistic(db, NULL, &after, &error));
  INVALID(plimsoll_statistic(db, "transactions_committed", NULL, &error));
  INVALID(plimsoll_statistic(NULL, "transactions_committed", &after, &error));

  char* json = NULL;
  size_t bytes = 0;
  OK(plimsoll_statistics_json(db, &json, &bytes, &error));
  CHECK(strlen(json) == bytes && json[0] == '{' && json[bytes - 1] == '}' && strstr(json, "\"transactions_committed\":") != NULL);
  plimsoll_free(json);
  OK(plimsoll_statistics_json(db, &json, NULL, &error));
  plimsoll_free(json);
  INVALID(plimsoll_statistics_json(db, NULL, NULL, &error));
  INVALID(plimsoll_statistics_json(NULL, &json, NULL, &error));

  OK(plimsoll_reset_statistics(db, &error));
  OK(plimsoll_statistic(db, "transactions_committed", &after, &error));
  CHECK(after == 0);
  INVALID(plimsoll_reset_statistics(NULL, &error));
}

int main(void) {
  wrong_opens();
  open_twice_and_again();
  no_background();
  plimsoll_db* db = open_memory();
  tables(db);
  verification(db);
  memory(db);
  statistics(db);
  OK(plimsoll_close(db, &error));
  return 0;
}
