// Records, cursors and streams: right use, wrong use, and handles that outlive their transaction.
#include "support.h"

static const plimsoll_table no_table = {0, 0, 0};

// Calls each entry that takes a transaction, a table and a key, which all must answer `status`.
static void expect_all(plimsoll_status status, plimsoll_txn* txn, plimsoll_table table) {
  plimsoll_value* value = NULL;
  plimsoll_cursor* cursor = NULL;
  plimsoll_reader* reader = NULL;
  plimsoll_writer* writer = NULL;
  plimsoll_bytes key = {"k", 1};
  uint64_t count;
  int found;
  EXPECT(status, plimsoll_get(txn, table, "k", 1, &value, &error));
  EXPECT(status, plimsoll_get_for_update(txn, table, "k", 1, &value, &error));
  EXPECT(status, plimsoll_get_copy(txn, table, "k", 1, NULL, 0, NULL, &error));
  EXPECT(status, plimsoll_multi_get(txn, table, &key, 1, &value, &error));
  EXPECT(status, plimsoll_exists(txn, table, "k", 1, &found, &error));
  EXPECT(status, plimsoll_count(txn, table, NULL, &count, &error));
  EXPECT(status, plimsoll_put(txn, table, "k", 1, "v", 1, &error));
  EXPECT(status, plimsoll_insert(txn, table, "k", 1, "v", 1, &error));
  EXPECT(status, plimsoll_update(txn, table, "k", 1, "v", 1, &error));
  EXPECT(status, plimsoll_erase(txn, table, "k", 1, NULL, &error));
  EXPECT(status, plimsoll_erase_range(txn, table, NULL, NULL, &error));
  EXPECT(status, plimsoll_cursor_open(txn, table, NULL, PLIMSOLL_FORWARD, &cursor, &error));
  EXPECT(status, plimsoll_reader_open(txn, table, "k", 1, &reader, &error));
  EXPECT(status, plimsoll_writer_open(txn, table, "k", 1, &writer, &error));
  CHECK(value == NULL && cursor == NULL && reader == NULL && writer == NULL);
}

static void reads(plimsoll_db* db, plimsoll_table table) {
  plimsoll_txn* txn = begin(db);
  plimsoll_value* value = NULL;
  put(txn, table, "a", "1");
  put(txn, table, "empty", "");
  OK(plimsoll_put(txn, table, "null", 4, NULL, 0, &error));
  OK(plimsoll_get(txn, table, "a", 1, &value, &error));
  CHECK(plimsoll_value_size(value) == 1 && memcmp(plimsoll_value_data(value), "1", 1) == 0);
  plimsoll_value_free(value);
  OK(plimsoll_get_for_update(txn, table, "empty", 5, &value, &error));
  CHECK(plimsoll_value_size(value) == 0 && plimsoll_value_data(value) != NULL);
  plimsoll_value_free(value);
  EXPECT(PLIMSOLL_NOT_FOUND, plimsoll_get(txn, table, "none", 4, &value, &error));
  CHECK(value == NULL && plimsoll_value_size(value) == 0 && plimsoll_value_data(value) == NULL);
  plimsoll_value_free(NULL);

  char two[2] = {'x', 'x'};
  size_t bytes = 0;
  put(txn, table, "long", "12345");
  OK(plimsoll_get_copy(txn, table, "long", 4, two, sizeof two, &bytes, &error));
  CHECK(bytes == 5 && memcmp(two, "12", 2) == 0);
  OK(plimsoll_get_copy(txn, table, "long", 4, NULL, 0, &bytes, &error));
  OK(plimsoll_get_copy(txn, table, "long", 4, two, 1, NULL, &error));
  INVALID(plimsoll_get_copy(txn, table, "long", 4, NULL, 2, &bytes, &error));
  int found = -1;
  OK(plimsoll_exists(txn, table, "a", 1, &found, &error));
  CHECK(found == 1);
  OK(plimsoll_exists(txn, table, "none", 4, &found, &error));
  CHECK(found == 0);
  plimsoll_txn_close(txn);
}

static void many_at_once(plimsoll_db* db, plimsoll_table table) {
  plimsoll_txn* txn = begin(db);
  put(txn, table, "a", "1");
  put(txn, table, "c", "3");
  const plimsoll_bytes keys[] = {{"a", 1}, {"b", 1}, {"c", 1}};
  plimsoll_value* values[3];
  OK(plimsoll_multi_get(txn, table, keys, 3, values, &error));
  CHECK(values[1] == NULL && memcmp(plimsoll_value_data(values[2]), "3", 1) == 0);
  for (int i = 0; i < 3; ++i) plimsoll_value_free(values[i]);
  const plimsoll_bytes wrong[] = {{"a", 1}, {NULL, 1}};
  INVALID(plimsoll_multi_get(txn, table, wrong, 2, values, &error));
  CHECK(values[0] == NULL && values[1] == NULL);
  OK(plimsoll_multi_get(txn, table, NULL, 0, NULL, &error));
  INVALID(plimsoll_multi_get(txn, table, NULL, 1, values, &error));
  INVALID(plimsoll_multi_get(txn, table, keys, 1, NULL, &error));
  plimsoll_txn_close(txn);
}

static void writes(plimsoll_db* db, plimsoll_table table) {
  plimsoll_txn* txn = begin(db);
  OK(plimsoll_insert(txn, table, "a", 1, "1", 1, &error));
  EXPECT(PLIMSOLL_ALREADY_EXISTS, plimsoll_insert(txn, table, "a", 1, "2", 1, &error));
  OK(plimsoll_update(txn, table, "a", 1, "3", 1, &error));
  EXPECT(PLIMSOLL_NOT_FOUND, plimsoll_update(txn, table, "b", 1, "3", 1, &error));
  expect_value(txn, table, "a", "3");
  int erased = -1;
  OK(plimsoll_erase(txn, table, "a", 1, &erased, &error));
  CHECK(erased == 1);
  OK(plimsoll_erase(txn, table, "a", 1, &erased, &error));
  CHECK(erased == 0);
  const char* keys[] = {"a", "b", "c", "d"};
  for (int i = 0; i < 4; ++i) put(txn, table, keys[i], "v");
  const plimsoll_range middle = {{"b", 1}, {"d", 1}}, open = {{NULL, 0}, {"b", 1}}, wrong = {{NULL, 1}, {NULL, 0}};
  uint64_t count = 0;
  OK(plimsoll_count(txn, table, &middle, &count, &error));
  CHECK(count == 2);
  OK(plimsoll_count(txn, table, NULL, &count, &error));
  CHECK(count == 4);
  INVALID(plimsoll_count(txn, table, &wrong, &count, &error));
  OK(plimsoll_erase_range(txn, table, &middle, &count, &error));
  CHECK(count == 2);
  OK(plimsoll_erase_range(txn, table, &open, NULL, &error));
  expect_value(txn, table, "a", NULL);
  expect_value(txn, table, "d", "v");
  plimsoll_txn_close(txn);

  const plimsoll_txn_options options = {.size = sizeof options, .flags = PLIMSOLL_TXN_READ_ONLY};
  OK(plimsoll_begin(db, &options, &txn, &error));
  EXPECT(PLIMSOLL_READ_ONLY, plimsoll_put(txn, table, "a", 1, "v", 1, &error));
  plimsoll_txn_close(txn);
}

// Every pointer that may not be null.
static void nulls(plimsoll_db* db, plimsoll_table table) {
  plimsoll_txn* txn = begin(db);
  expect_all(PLIMSOLL_INVALID_ARGUMENT, NULL, table);
  expect_all(PLIMSOLL_INVALID_ARGUMENT, txn, no_table);
  expect_all(PLIMSOLL_INVALID_ARGUMENT, txn, (plimsoll_table){table.store, (uint64_t)1 << 32 | table.tree, 0});
  expect_all(PLIMSOLL_INVALID_ARGUMENT, txn, (plimsoll_table){table.store, table.tree, (uint64_t)1 << 32});
  char long_key[2000] = {1};
  INVALID(plimsoll_put(txn, table, long_key, sizeof long_key, "v", 1, &error));
  INVALID(plimsoll_put(txn, table, "", 0, "v", 1, &error));
  INVALID(plimsoll_put(txn, table, NULL, 1, "v", 1, &error));
  INVALID(plimsoll_put(txn, table, "k", 1, NULL, 1, &error));
  INVALID(plimsoll_get(txn, table, "k", 1, NULL, &error));
  INVALID(plimsoll_get_for_update(txn, table, "k", 1, NULL, &error));
  INVALID(plimsoll_exists(txn, table, "k", 1, NULL, &error));
  INVALID(plimsoll_count(txn, table, NULL, NULL, &error));
  INVALID(plimsoll_cursor_open(txn, table, NULL, PLIMSOLL_FORWARD, NULL, &error));
  INVALID(plimsoll_reader_open(txn, table, "k", 1, NULL, &error));
  INVALID(plimsoll_writer_open(txn, table, "k", 1, NULL, &error));
  INVALID(plimsoll_cursor_next(NULL, &error));
  INVALID(plimsoll_cursor_seek(NULL, "k", 1, &error));
  CHECK(plimsoll_cursor_key(NULL).size == 0 && plimsoll_cursor_value(NULL).size == 0 && !plimsoll_cursor_is_large(NULL));
  INVALID(plimsoll_reader_read(NULL, NULL, 0, &(size_t){0}, &error));
  CHECK(plimsoll_reader_size(NULL) == 0);
  INVALID(plimsoll_writer_write(NULL, "v", 1, &error));
  INVALID(plimsoll_writer_finish(NULL, &error));
  plimsoll_cursor_close(NULL);
  plimsoll_reader_close(NULL);
  plimsoll_writer_close(NULL);
  plimsoll_txn_close(txn);
}

static void cursors(plimsoll_db* db, plimsoll_table table) {
  plimsoll_txn* txn = begin(db);
  const char* keys[] = {"a", "b", "c", "d"};
  for (int i = 0; i < 4; ++i) put(txn, table, keys[i], keys[3 - i]);
  plimsoll_cursor* cursor = NULL;
  const plimsoll_range range = {{"b", 1}, {NULL, 0}};
  OK(plimsoll_cursor_open(txn, table, &range, PLIMSOLL_FORWARD, &cursor, &error));
  CHECK(plimsoll_cursor_key(cursor).size == 0);
  for (int i = 1; i < 4; ++i) {
    OK(plimsoll_cursor_next(cursor, &error));
    CHECK(is_bytes(plimsoll_cursor_key(cursor), keys[i]) && is_bytes(plimsoll_cursor_value(cursor), keys[3 - i]));
  }
  EXPECT(PLIMSOLL_NOT_FOUND, plimsoll_cursor_next(cursor, &error));
  CHECK(plimsoll_cursor_key(cursor).size == 0);
  OK(plimsoll_cursor_seek(cursor, "c", 1, &error));
  CHECK(plimsoll_cursor_key(cursor).size == 0);
  OK(plimsoll_cursor_next(cursor, &error));
  CHECK(is_bytes(plimsoll_cursor_key(cursor), "c"));
  INVALID(plimsoll_cursor_seek(cursor, NULL, 1, &error));
  plimsoll_cursor_close(cursor);
  const plimsoll_range two = {{"b", 1}, {"d", 1}};  // what lies behind the range is no key of it
  OK(plimsoll_cursor_open(txn, table, &two, PLIMSOLL_FORWARD, &cursor, &error));
  OK(plimsoll_cursor_next(cursor, &error));
  OK(plimsoll_cursor_next(cursor, &error));
  EXPECT(PLIMSOLL_NOT_FOUND, plimsoll_cursor_next(cursor, &error));
  CHECK(plimsoll_cursor_key(cursor).size == 0);
  plimsoll_cursor_close(cursor);

  OK(plimsoll_cursor_open(txn, table, NULL, PLIMSOLL_BACKWARD, &cursor, &error));
  for (int i = 3; i >= 0; --i) {
    OK(plimsoll_cursor_next(cursor, &error));
    CHECK(is_bytes(plimsoll_cursor_key(cursor), keys[i]));
  }
  EXPECT(PLIMSOLL_NOT_FOUND, plimsoll_cursor_next(cursor, &error));
  plimsoll_cursor_close(cursor);
  INVALID(plimsoll_cursor_open(txn, table, NULL, 2, &cursor, &error));
  CHECK(cursor == NULL);
  plimsoll_txn_close(txn);
}

// As large as a failed read() of the caller says.
static void sizes_that_wrap_around(plimsoll_db* db, plimsoll_table table) {
  plimsoll_txn* txn = begin(db);
  INVALID(plimsoll_put(txn, table, "k", 1, "v", (size_t)-1, &error));
  INVALID(plimsoll_put(txn, table, "k", 1, "v", (size_t)-24, &error));
  plimsoll_writer* writer = NULL;
  OK(plimsoll_writer_open(txn, table, "k", 1, &writer, &error));
  OK(plimsoll_writer_write(writer, "v", 1, &error));
  INVALID(plimsoll_writer_write(writer, "v", (size_t)-1, &error));
  INVALID(plimsoll_writer_finish(writer, &error));
  plimsoll_writer_close(writer);
  OK(plimsoll_writer_open(txn, table, "k", 1, &writer, &error));
  OK(plimsoll_writer_write(writer, "v", 1, &error));
  OK(plimsoll_writer_finish(writer, &error));
  INVALID(plimsoll_writer_write(writer, "v", 1, &error));
  plimsoll_writer_close(writer);
  plimsoll_txn_close(txn);
}

// Whatever is wrong, what a call should have made is null afterwards; this error is not of this library.
static void nothing_is_left_unset(plimsoll_db* db, plimsoll_table table) {
  plimsoll_txn* txn = begin(db);
  plimsoll_error wrong = {.size = 0};
  void* const poison = &wrong;
#define MAKES_NOTHING(type, call)               \
  do {                                          \
    type* made = (type*)poison;                 \
    CHECK((call) == PLIMSOLL_INVALID_ARGUMENT); \
    CHECK(made == NULL);                        \
  } while (0)
  MAKES_NOTHING(plimsoll_db, plimsoll_open("x", NULL, &made, &wrong));
  MAKES_NOTHING(plimsoll_db, plimsoll_open_in_memory(NULL, &made, &wrong));
  MAKES_NOTHING(plimsoll_txn, plimsoll_begin(db, NULL, &made, &wrong));
  MAKES_NOTHING(plimsoll_value, plimsoll_get(txn, table, "k", 1, &made, &wrong));
  MAKES_NOTHING(plimsoll_value, plimsoll_get_for_update(txn, table, "k", 1, &made, &wrong));
  MAKES_NOTHING(plimsoll_cursor, plimsoll_cursor_open(txn, table, NULL, PLIMSOLL_FORWARD, &made, &wrong));
  MAKES_NOTHING(plimsoll_reader, plimsoll_reader_open(txn, table, "k", 1, &made, &wrong));
  MAKES_NOTHING(plimsoll_writer, plimsoll_writer_open(txn, table, "k", 1, &made, &wrong));
  MAKES_NOTHING(char, plimsoll_table_name(db, table, &made, NULL, &wrong));
  MAKES_NOTHING(char, plimsoll_statistics_json(db, &made, NULL, &wrong));
  MAKES_NOTHING(char, plimsoll_answer(db, "stat", &made, &wrong));
  MAKES_NOTHING(char, plimsoll_ask("x", "stat", &made, &wrong));
  MAKES_NOTHING(char, plimsoll_answer(db, NULL, &made, &error));
  MAKES_NOTHING(char, plimsoll_ask("x", NULL, &made, &error));
  plimsoll_txn_close(txn);
}

enum { piece_bytes = 10000, pieces = 50 };

static void write_large(plimsoll_txn* txn, plimsoll_table table) {
  static char piece[piece_bytes];
  plimsoll_writer* writer = NULL;
  OK(plimsoll_writer_open(txn, table, "large", 5, &writer, &error));
  for (int i = 0; i < pieces; ++i) {
    memset(piece, 'a' + i % 26, sizeof piece);
    OK(plimsoll_writer_write(writer, piece, sizeof piece, &error));
  }
  INVALID(plimsoll_writer_write(writer, NULL, 1, &error));
  OK(plimsoll_writer_write(writer, NULL, 0, &error));
  expect_value(txn, table, "large", NULL);  // nothing is visible yet
  OK(plimsoll_writer_finish(writer, &error));
  CHECK(plimsoll_writer_finish(writer, &error) != PLIMSOLL_OK);
  plimsoll_writer_close(writer);
  OK(plimsoll_writer_open(txn, table, "dropped", 7, &writer, &error));
  OK(plimsoll_writer_write(writer, "x", 1, &error));
  plimsoll_writer_close(writer);
  expect_value(txn, table, "dropped", NULL);
}

static void streams(plimsoll_db* db, plimsoll_table table) {
  plimsoll_txn* txn = begin(db);
  write_large(txn, table);
  plimsoll_reader* reader = NULL;
  OK(plimsoll_reader_open(txn, table, "large", 5, &reader, &error));
  CHECK(plimsoll_reader_size(reader) == (uint64_t)pieces * piece_bytes);
  char buffer[777];
  size_t at = 0, bytes = 0;
  for (;;) {
    OK(plimsoll_reader_read(reader, buffer, sizeof buffer, &bytes, &error));
    if (bytes == 0) break;
    for (size_t i = 0; i < bytes; ++i, ++at) CHECK(buffer[i] == (char)('a' + at / piece_bytes % 26));
  }
  CHECK(at == (size_t)pieces * piece_bytes);
  INVALID(plimsoll_reader_read(reader, NULL, 1, &bytes, &error));
  INVALID(plimsoll_reader_read(reader, buffer, 1, NULL, &error));
  plimsoll_reader_close(reader);
  EXPECT(PLIMSOLL_NOT_FOUND, plimsoll_reader_open(txn, table, "none", 4, &reader, &error));
  CHECK(reader == NULL);

  plimsoll_cursor* cursor = NULL;
  OK(plimsoll_cursor_open(txn, table, NULL, PLIMSOLL_FORWARD, &cursor, &error));
  OK(plimsoll_cursor_next(cursor, &error));
  CHECK(plimsoll_cursor_is_large(cursor) && plimsoll_cursor_value(cursor).size == 0);
  plimsoll_cursor_close(cursor);
  plimsoll_txn_close(txn);
}

// Handles of an ended transaction answer with an error, and can be ended in any order, the store's first.
static void outliving(void) {
  plimsoll_db* db = open_memory();
  plimsoll_table table = make_table(db, "t");
  plimsoll_txn* txn = begin(db);
  plimsoll_value* value = NULL;
  plimsoll_cursor* cursor = NULL;
  plimsoll_reader* reader = NULL;
  plimsoll_writer* writer = NULL;
  put(txn, table, "k", "v");
  OK(plimsoll_get(txn, table, "k", 1, &value, &error));
  OK(plimsoll_cursor_open(txn, table, NULL, PLIMSOLL_FORWARD, &cursor, &error));
  OK(plimsoll_cursor_next(cursor, &error));
  OK(plimsoll_reader_open(txn, table, "k", 1, &reader, &error));
  OK(plimsoll_writer_open(txn, table, "l", 1, &writer, &error));
  OK(plimsoll_commit(txn, &error));
  expect_all(PLIMSOLL_TRANSACTION_ABORTED, txn, table);
  EXPECT(PLIMSOLL_TRANSACTION_ABORTED, plimsoll_cursor_next(cursor, &error));
  EXPECT(PLIMSOLL_TRANSACTION_ABORTED, plimsoll_cursor_seek(cursor, "k", 1, &error));
  CHECK(plimsoll_cursor_key(cursor).size == 0 && plimsoll_cursor_value(cursor).size == 0 && !plimsoll_cursor_is_large(cursor));
  EXPECT(PLIMSOLL_TRANSACTION_ABORTED, plimsoll_reader_read(reader, NULL, 0, &(size_t){0}, &error));
  CHECK(plimsoll_reader_size(reader) == 0);
  EXPECT(PLIMSOLL_TRANSACTION_ABORTED, plimsoll_writer_write(writer, "v", 1, &error));
  EXPECT(PLIMSOLL_TRANSACTION_ABORTED, plimsoll_writer_finish(writer, &error));
  plimsoll_txn* left = begin(db);
  put(left, table, "left", "open");
  OK(plimsoll_close(db, &error));
  expect_all(PLIMSOLL_TRANSACTION_TIMEOUT, left, table);  // the store ended it
  plimsoll_txn_close(left);
  plimsoll_txn_close(txn);
  plimsoll_cursor_close(cursor);
  plimsoll_writer_close(writer);
  plimsoll_reader_close(reader);
  plimsoll_value_free(value);
}

int main(void) {
  plimsoll_db* db = open_memory();
  const plimsoll_table table = make_table(db, "t");
  reads(db, table);
  many_at_once(db, table);
  writes(db, table);
  nulls(db, table);
  cursors(db, table);
  sizes_that_wrap_around(db, table);
  nothing_is_left_unset(db, table);
  streams(db, table);
  outliving();
  OK(plimsoll_close(db, &error));
  return 0;
}
