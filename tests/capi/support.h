// Checks for the C programs of this folder: the first that fails says where, and ends the program with status 1.
#ifndef PLIMSOLL_TESTS_CAPI_SUPPORT_H
#define PLIMSOLL_TESTS_CAPI_SUPPORT_H

#include <plimsoll/c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                            \
  do {                                                                              \
    if (!(condition)) {                                                             \
      fprintf(stderr, "%s:%d: CHECK(%s) failed\n", __FILE__, __LINE__, #condition); \
      exit(1);                                                                      \
    }                                                                               \
  } while (0)

// The call's status, and that the error says the same.
#define EXPECT(status, call) expect(__FILE__, __LINE__, #call, (status), (call))
#define OK(call) EXPECT(PLIMSOLL_OK, call)
#define INVALID(call) EXPECT(PLIMSOLL_INVALID_ARGUMENT, call)

// Handed to every call.
static plimsoll_error error = {.size = sizeof(plimsoll_error)};

static inline void expect(const char* file, int line, const char* call, plimsoll_status wanted, plimsoll_status got) {
  const int agrees = error.code == got && (got == PLIMSOLL_OK) == (error.message[0] == '\0');
  if (wanted == got && agrees) return;
  fprintf(stderr, "%s:%d: %s\n  answered %s, not %s; the error is %s: %s\n", file, line, call, plimsoll_status_name(got),
          plimsoll_status_name(wanted), plimsoll_status_name(error.code), error.message);
  exit(1);
}

static inline plimsoll_db* open_memory(void) {
  plimsoll_db* db = NULL;
  plimsoll_options options = {.size = sizeof options, .memory_budget = 64u << 20};
  OK(plimsoll_open_in_memory(&options, &db, &error));
  CHECK(db != NULL);
  return db;
}

static inline plimsoll_table make_table(plimsoll_db* db, const char* name) {
  plimsoll_table table = {0, 0, 0};
  OK(plimsoll_table_open(db, name, strlen(name), PLIMSOLL_TABLE_CREATE, &table, &error));
  CHECK(table.tree != 0);
  return table;
}

static inline plimsoll_txn* begin(plimsoll_db* db) {
  plimsoll_txn* txn = NULL;
  OK(plimsoll_begin(db, NULL, &txn, &error));
  CHECK(txn != NULL);
  return txn;
}

static inline void put(plimsoll_txn* txn, plimsoll_table table, const char* key, const char* value) {
  OK(plimsoll_put(txn, table, key, strlen(key), value, strlen(value), &error));
}

// In a transaction of its own.
static inline void put_now(plimsoll_db* db, plimsoll_table table, const char* key, const char* value) {
  plimsoll_txn* txn = begin(db);
  put(txn, table, key, value);
  OK(plimsoll_commit(txn, &error));
  plimsoll_txn_close(txn);
}

// NULL: the key is not there.
static inline void expect_value(plimsoll_txn* txn, plimsoll_table table, const char* key, const char* value) {
  char buffer[256];
  size_t bytes = 0;
  if (value == NULL) {
    EXPECT(PLIMSOLL_NOT_FOUND, plimsoll_get_copy(txn, table, key, strlen(key), buffer, sizeof buffer, &bytes, &error));
    return;
  }
  OK(plimsoll_get_copy(txn, table, key, strlen(key), buffer, sizeof buffer, &bytes, &error));
  CHECK(bytes == strlen(value) && memcmp(buffer, value, bytes) == 0);
}

static inline int is_bytes(plimsoll_bytes bytes, const char* text) {
  return bytes.size == strlen(text) && (bytes.size == 0 || memcmp(bytes.data, text, bytes.size) == 0);
}

#endif
