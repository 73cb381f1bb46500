// The smallest user of the installed C interface: writes one record, reopens the store, reads it back. Exit status 0 if it was
// there.
#include <plimsoll/c.h>
#include <stdio.h>
#include <string.h>

static plimsoll_status greet(void* context, plimsoll_txn* txn, plimsoll_error* error) {
  return plimsoll_put(txn, *(plimsoll_table*)context, "hello", 5, "world", 5, error);
}

static plimsoll_status look(void* context, plimsoll_txn* txn, plimsoll_error* error) {
  char value[16] = "";
  const plimsoll_status status =
      plimsoll_get_copy(txn, *(plimsoll_table*)context, "hello", 5, value, sizeof value - 1, NULL, error);
  return status == PLIMSOLL_OK && strcmp(value, "world") != 0 ? 1000 : status;
}

static plimsoll_status run(const char* path, plimsoll_body body, plimsoll_error* error) {
  plimsoll_db* db = NULL;
  plimsoll_table table;
  plimsoll_status status = plimsoll_open(path, NULL, &db, error);
  if (status == PLIMSOLL_OK) status = plimsoll_table_open(db, "greetings", 9, PLIMSOLL_TABLE_CREATE, &table, error);
  if (status == PLIMSOLL_OK) status = plimsoll_transact(db, NULL, body, &table, error);
  if (status == PLIMSOLL_OK) return plimsoll_close(db, error);
  plimsoll_close(db, NULL);
  return status;
}

int main(int argc, char** argv) {
  plimsoll_error error = {.size = sizeof error};
  const char* path = argc > 1 ? argv[1] : "consumer.plim";
  if (run(path, greet, &error) == PLIMSOLL_OK && run(path, look, &error) == PLIMSOLL_OK) return 0;
  fprintf(stderr, "consumer: %s\n", error.message);
  return 1;
}
