// Options from a file: what it says, what it does not say, and what is wrong with it.
#include "support.h"

static void write_file(const char* name, const char* text) {
  FILE* file = fopen(name, "w");
  CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void everything_is_read(void) {
  plimsoll_options options = {.size = sizeof options, .event_context = &options};
  plimsoll_txn_options transactions = {.size = sizeof transactions};
  write_file("all.toml",
             "memory_budget = \"32MiB\"\n"
             "page_size = 4096\n"
             "create_if_missing = false\n"
             "error_if_exists = true\n"
             "follow_container_limit = true\n"
             "background_threads = false\n"
             "control_socket = false\n"
             "io_backend = \"plain\"\n"
             "max_transactions = 64\n"
             "log_bytes_max = \"64MiB\"\n"
             "log_segment_bytes = \"1MiB\"\n"
             "log_ring_bytes = \"512KiB\"\n"
             "transaction_deadline = \"1m\"\n"
             "lock_deadline = 0\n"
             "memory_deadline = \"5ms\"\n"
             "retention = \"2s\"\n"
             "isolation = \"read_committed\"\n"
             "durability = \"relaxed\"\n"
             "transaction_memory_bytes_max = \"1MB\"\n"
             "transaction_written_bytes_max = \"2MB\"\n");
  OK(plimsoll_read_options("all.toml", &options, &transactions, &error));
  CHECK(options.size == sizeof options && options.memory_budget == 32u << 20 && options.page_size == 4096);
  CHECK(options.flags == (PLIMSOLL_OPEN_EXISTING | PLIMSOLL_OPEN_NEW | PLIMSOLL_FOLLOW_CONTAINER_LIMIT |
                          PLIMSOLL_NO_BACKGROUND_THREADS | PLIMSOLL_NO_CONTROL_SOCKET));
  CHECK(options.io_backend == PLIMSOLL_IO_PLAIN && options.max_transactions == 64);
  CHECK(options.log_bytes_max == 64u << 20 && options.log_segment_bytes == 1u << 20 && options.log_ring_bytes == 512u << 10);
  CHECK(options.transaction_deadline_ms == 60000 && options.lock_deadline_ms == PLIMSOLL_NO_DEADLINE);
  CHECK(options.memory_deadline_ms == 5 && options.retention_ms == 2000);
  CHECK(options.on_event == NULL && options.event_context == NULL);
  CHECK(transactions.isolation == PLIMSOLL_READ_COMMITTED && transactions.durability == PLIMSOLL_RELAXED);
  CHECK(transactions.memory_bytes_max == 1000000 && transactions.written_bytes_max == 2000000);
  CHECK(transactions.flags == 0 && transactions.deadline_ms == 0 && transactions.label == NULL);
}

static void what_is_read_opens_a_store(void) {
  plimsoll_options options = {.size = sizeof options};
  write_file("some.toml", "memory_budget = \"32MiB\"\npage_size = \"4KiB\"\n");
  OK(plimsoll_read_options("some.toml", &options, NULL, &error));
  CHECK(options.flags == 0 && options.lock_deadline_ms == 10000 && options.retention_ms == 0);
  plimsoll_db* db = NULL;
  OK(plimsoll_open("store", &options, &db, &error));
  plimsoll_info info = {.size = sizeof info};
  OK(plimsoll_get_info(db, &info, &error));
  CHECK(info.page_bytes == 4096);
  OK(plimsoll_close(db, &error));
}

static void what_is_wrong_changes_nothing(void) {
  plimsoll_options options = {.size = sizeof options, .memory_budget = 7};
  plimsoll_txn_options transactions = {.size = sizeof transactions, .flags = 7};
  write_file("wrong.toml", "\nmemory_buget = 1\n");
  INVALID(plimsoll_read_options("wrong.toml", &options, &transactions, &error));
  CHECK(strcmp(error.details, "wrong.toml:2: unknown option 'memory_buget'; did you mean 'memory_budget'?") == 0);
  write_file("wrong.toml", "log_bytes_max = \"1MiB\"\n");
  INVALID(plimsoll_read_options("wrong.toml", &options, &transactions, &error));
  EXPECT(PLIMSOLL_NOT_FOUND, plimsoll_read_options("none.toml", &options, &transactions, &error));
  EXPECT(PLIMSOLL_IO_ERROR, plimsoll_read_options(".", &options, &transactions, &error));
  INVALID(plimsoll_read_options(NULL, &options, &transactions, &error));
  INVALID(plimsoll_read_options("some.toml", NULL, &transactions, &error));
  CHECK(options.memory_budget == 7 && transactions.flags == 7);
  transactions.size = 1;
  INVALID(plimsoll_read_options("some.toml", &options, &transactions, &error));
  options.size = 1;
  INVALID(plimsoll_read_options("some.toml", &options, NULL, &error));
  CHECK(options.memory_budget == 7 && transactions.flags == 7);
}

int main(void) {
  everything_is_read();
  what_is_read_opens_a_store();
  what_is_wrong_changes_nothing();
  return 0;
}
