// Names and numbers of status codes, the error struct, and sizes that a caller may and may not give.
#include "support.h"

static void names(void) {
  CHECK(strcmp(plimsoll_version(), "0.1.0") == 0);
  CHECK(strcmp(plimsoll_status_name(PLIMSOLL_OK), "ok") == 0);
  CHECK(strcmp(plimsoll_status_name(PLIMSOLL_CONFLICT), "conflict") == 0);
  CHECK(strcmp(plimsoll_status_name(PLIMSOLL_NOT_FOUND), "not_found") == 0);
  CHECK(strcmp(plimsoll_status_name(PLIMSOLL_BUSY), "busy") == 0);
  CHECK(strcmp(plimsoll_status_name(PLIMSOLL_OUT_OF_MEMORY), "out_of_memory") == 0);
  CHECK(strcmp(plimsoll_status_name(PLIMSOLL_INTERNAL), "internal") == 0);
  CHECK(strcmp(plimsoll_status_meaning(PLIMSOLL_NO_SPACE), "the disk is full") == 0);
  const plimsoll_status strangers[] = {-1, 21, 99, 102, 1000, INT32_MAX, INT32_MIN};
  for (size_t i = 0; i < sizeof strangers / sizeof *strangers; ++i) {
    CHECK(strcmp(plimsoll_status_name(strangers[i]), "unknown") == 0);
    CHECK(plimsoll_status_meaning(strangers[i])[0] != '\0');
    CHECK(!plimsoll_is_retryable(strangers[i]));
  }
  for (plimsoll_status status = PLIMSOLL_OK; status <= PLIMSOLL_BUSY; ++status) {
    CHECK(strcmp(plimsoll_status_name(status), "unknown") != 0);
    CHECK(plimsoll_status_meaning(status)[0] != '\0');
  }
}

static void retryable(void) {
  for (plimsoll_status status = PLIMSOLL_OK; status <= PLIMSOLL_BUSY; ++status) {
    const int wanted = (status >= PLIMSOLL_CONFLICT && status <= PLIMSOLL_LOG_FULL) && status != PLIMSOLL_TRANSACTION_ABORTED;
    CHECK(plimsoll_is_retryable(status) == wanted);
  }
  CHECK(!plimsoll_is_retryable(PLIMSOLL_OUT_OF_MEMORY) && !plimsoll_is_retryable(PLIMSOLL_INTERNAL));
}

static void errors(plimsoll_db* db) {
  plimsoll_table table;
  // Without an error struct the status alone is answered.
  CHECK(plimsoll_table_open(db, "none", 4, 0, &table, NULL) == PLIMSOLL_NOT_FOUND);
  EXPECT(PLIMSOLL_NOT_FOUND, plimsoll_table_open(db, "none", 4, 0, &table, &error));
  CHECK(strstr(error.details, "none") != NULL);
  CHECK(strncmp(error.message, "not_found: ", 11) == 0 && strstr(error.message, error.details) != NULL);
  // A success empties it.
  OK(plimsoll_checkpoint(db, &error));
  CHECK(error.code == PLIMSOLL_OK && error.details[0] == '\0' && error.message[0] == '\0' && error.os_error == 0);
  // One of a wrong size is not written to.
  const size_t wrong[] = {0, 8, sizeof(plimsoll_error) - 1, sizeof(plimsoll_error) + 1, SIZE_MAX};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
    plimsoll_error mine = {.size = wrong[i], .code = 77};
    CHECK(plimsoll_checkpoint(db, &mine) == PLIMSOLL_INVALID_ARGUMENT);
    CHECK(plimsoll_close(db, &mine) == PLIMSOLL_INVALID_ARGUMENT);  // and the handle stays
    CHECK(mine.code == 77 && mine.size == wrong[i]);
  }
}

// The texts are cut, never overrun.
static void long_errors(plimsoll_db* db) {
  char name[1000];
  memset(name, 'n', sizeof name);
  plimsoll_table table;
  const plimsoll_status status = plimsoll_table_open(db, name, sizeof name, 0, &table, &error);
  CHECK(status == PLIMSOLL_NOT_FOUND || status == PLIMSOLL_INVALID_ARGUMENT);
  CHECK(memchr(error.details, '\0', sizeof error.details) != NULL && memchr(error.message, '\0', sizeof error.message) != NULL);
  CHECK(plimsoll_statistic(db, "no_such_counter", &(uint64_t){0}, &error) == PLIMSOLL_NOT_FOUND);
}

static void sizes_of_options(plimsoll_db* db) {
  plimsoll_db* other = NULL;
  plimsoll_txn* txn = NULL;
  for (size_t size = 0; size <= sizeof(plimsoll_options) + 8; ++size) {
    plimsoll_options options = {.size = size, .memory_budget = 32u << 20};
    const plimsoll_status status = plimsoll_open_in_memory(&options, &other, &error);
    CHECK(status == (size == sizeof options ? PLIMSOLL_OK : PLIMSOLL_INVALID_ARGUMENT));
    CHECK((status == PLIMSOLL_OK) == (other != NULL));
    OK(plimsoll_close(other, &error));
  }
  for (size_t size = 0; size <= sizeof(plimsoll_txn_options) + 8; ++size) {
    plimsoll_txn_options options = {.size = size};
    const plimsoll_status status = plimsoll_begin(db, &options, &txn, &error);
    CHECK(status == (size == sizeof options ? PLIMSOLL_OK : PLIMSOLL_INVALID_ARGUMENT));
    if (size != sizeof options) CHECK(strstr(error.details, "options->size") != NULL);
    plimsoll_txn_close(txn);
  }
}

static void sizes_of_reports(plimsoll_db* db) {
  plimsoll_info info = {.size = sizeof info - 1};
  plimsoll_recovery recovery = {.size = sizeof recovery + 1};
  plimsoll_verify_report report = {.size = 0};
  INVALID(plimsoll_get_info(db, &info, &error));
  INVALID(plimsoll_get_recovery(db, &recovery, &error));
  INVALID(plimsoll_verify(db, &report, NULL, NULL, &error));
  CHECK(info.page_bytes == 0 && recovery.was_clean == 0 && report.pages == 0);
}

int main(void) {
  plimsoll_db* db = open_memory();
  names();
  retryable();
  errors(db);
  long_errors(db);
  sizes_of_options(db);
  sizes_of_reports(db);
  plimsoll_free(NULL);
  OK(plimsoll_close(db, &error));
  return 0;
}
