// The C interface: valid C11 and C++. Link with libplimsoll.so (pkg-config plimsoll-c, or the CMake target plimsoll::c).
//
//   plimsoll_db* db = NULL;
//   plimsoll_error error = {.size = sizeof error};
//   if (plimsoll_open("shop.plim", NULL, &db, &error) != PLIMSOLL_OK) { fprintf(stderr, "%s\n", error.message); return 1; }
//
// Status. What can fail answers a plimsoll_status, 0 for success. The last parameter may point to a plimsoll_error whose `size` is
// set; it then holds the reason, or code 0 and empty texts after a success. It may be NULL. No C++ exception leaves a call.
// Any call may answer PLIMSOLL_INVALID_ARGUMENT (a null handle or result pointer, a null pointer with a size other than 0, a `size`
// field out of range, a use after fork) and PLIMSOLL_OUT_OF_MEMORY; calls on a store that is not closed yet but whose log or files
// failed answer PLIMSOLL_IO_ERROR, PLIMSOLL_NO_SPACE, PLIMSOLL_CORRUPTION or PLIMSOLL_READ_ONLY. Other errors stand at the
// function. Unless it says otherwise, a call that fails changes nothing and sets handles it should have made to NULL.
//
// Structs that begin with `size` can grow. Set every field to zero and `size` to sizeof. Zero in a field means its default. A
// library accepts the sizes of older headers, whose missing fields are zero; a size below the first release's or above its own is
// PLIMSOLL_INVALID_ARGUMENT. In structs that a callback is given the library sets `size`.
//
// Handles. Each has one function that ends it; that one accepts NULL, and the handle must not be used after it. Handles may be
// ended in any order. Those of an ended transaction answer PLIMSOLL_TRANSACTION_ABORTED until they are ended too; where the store
// ended the transaction (its deadline, a kill, a close, memory pressure) they may answer why: PLIMSOLL_TRANSACTION_TIMEOUT or
// PLIMSOLL_MEMORY_BUDGET_EXCEEDED.
//
// Bytes. Keys are 1 byte to plimsoll_info.key_bytes_max long, values 0 to 1 GiB. They may hold any byte and need no terminator.
// Pointers that are passed in are used during the call only. Sizes are bytes, durations milliseconds, texts UTF-8 or plain ASCII.
//
// Threads. A plimsoll_db may be used by many threads at once, except while it is being closed. A transaction, with its values,
// cursors, readers and writers, is used by one thread at a time (a second one gets PLIMSOLL_INVALID_ARGUMENT where it is noticed).
// Callbacks must not call back into the store unless their description says so, and must not leave by longjmp.
#ifndef PLIMSOLL_C_H
#define PLIMSOLL_C_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define PLIMSOLL_API __attribute__((visibility("default")))
#else
#define PLIMSOLL_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

// ---- Status and errors ---------------------------------------------------------------------------------------------------------

// The numbers never change. 1 .. 99 are the store's errors, 100 .. 999 are the interface's own. Numbers from 1000 on and below 0
// are free for the body of plimsoll_transact.
typedef int32_t plimsoll_status;
enum {
  PLIMSOLL_OK = 0,
  PLIMSOLL_CONFLICT = 1,                 // another transaction changed the key first; retryable
  PLIMSOLL_SERIALIZATION_FAILURE = 2,    // no serial order could explain this transaction; retryable
  PLIMSOLL_DEADLOCK = 3,                 // the transactions wait for each other in a cycle; retryable
  PLIMSOLL_LOCK_TIMEOUT = 4,             // the lock deadline passed; retryable
  PLIMSOLL_TRANSACTION_TIMEOUT = 5,      // the transaction's deadline passed; retryable
  PLIMSOLL_TRANSACTION_ABORTED = 6,      // the transaction has ended; it cannot be used any more
  PLIMSOLL_SNAPSHOT_TOO_OLD = 7,         // a version that the snapshot needs is gone; retryable
  PLIMSOLL_MEMORY_BUDGET_EXCEEDED = 8,   // the memory budget cannot hold this; retryable
  PLIMSOLL_TOO_MANY_TRANSACTIONS = 9,    // all transaction slots are taken; retryable
  PLIMSOLL_LOG_FULL = 10,                // the log has no room; retryable
  PLIMSOLL_COMMIT_OUTCOME_UNKNOWN = 11,  // the log failed while this commit was in flight
  PLIMSOLL_READ_ONLY = 12,               // the store or the transaction cannot be written
  PLIMSOLL_IO_ERROR = 13,                // the operating system reported an input/output error
  PLIMSOLL_NO_SPACE = 14,                // the disk is full
  PLIMSOLL_CORRUPTION = 15,              // stored bytes are damaged
  PLIMSOLL_NOT_FOUND = 16,               // no such thing; also: no such key, the end of a cursor's range
  PLIMSOLL_ALREADY_EXISTS = 17,          // it exists already
  PLIMSOLL_INVALID_ARGUMENT = 18,        // the call's arguments are wrong
  PLIMSOLL_VERSION_MISMATCH = 19,        // the store has another format version
  PLIMSOLL_BUSY = 20,                    // somebody else has it open, or uses it
  PLIMSOLL_OUT_OF_MEMORY = 100,          // the process has no memory for a handle
  PLIMSOLL_INTERNAL = 101                // an exception that nobody expected; a defect of the library or of a C++ callback
};

typedef struct plimsoll_error {
  size_t size;           // sizeof(plimsoll_error), set by the caller
  plimsoll_status code;  // as the call answered
  int32_t os_error;      // an errno, or 0
  char details[176];     // what failed, on what and why; NUL-terminated, may be empty
  char message[384];     // all of it in one line: code, details, the errno's text, the code's meaning; NUL-terminated
} plimsoll_error;

// The library's version, "0.1.0". Static text. Thread-safe, as the next three.
PLIMSOLL_API const char* plimsoll_version(void);
// The status as it is written in logs: "conflict", "ok"; "unknown" for other numbers. Static text.
PLIMSOLL_API const char* plimsoll_status_name(plimsoll_status status);
// One line that says what the status means. Static text.
PLIMSOLL_API const char* plimsoll_status_meaning(plimsoll_status status);
// 1 if the same transaction, begun again, may well succeed; else 0.
PLIMSOLL_API int plimsoll_is_retryable(plimsoll_status status);
// Ends a text that a call handed out as char*. NULL is allowed. Thread-safe.
PLIMSOLL_API void plimsoll_free(void* text);

// ---- Handles and plain values --------------------------------------------------------------------------------------------------

typedef struct plimsoll_db plimsoll_db;          // an open store; plimsoll_close
typedef struct plimsoll_txn plimsoll_txn;        // a transaction; plimsoll_txn_close
typedef struct plimsoll_value plimsoll_value;    // a value that was read; plimsoll_value_free
typedef struct plimsoll_cursor plimsoll_cursor;  // a walk over a range; plimsoll_cursor_close
typedef struct plimsoll_reader plimsoll_reader;  // reads a value in pieces; plimsoll_reader_close
typedef struct plimsoll_writer plimsoll_writer;  // writes a value in pieces; plimsoll_writer_close

// Names a table of one store. A plain value that holds nothing open; it may be copied and kept for as long as the table exists.
typedef struct plimsoll_table {
  uint64_t store;
  uint64_t tree;    // may be another table's after this one was dropped
  uint64_t opened;  // tells handles of the two apart
} plimsoll_table;

// A byte string that somebody else owns.
typedef struct plimsoll_bytes {
  const void* data;
  size_t size;
} plimsoll_bytes;

// Keys from `from` on and before `to`. A bound with data NULL is open.
typedef struct plimsoll_range {
  plimsoll_bytes from;
  plimsoll_bytes to;
} plimsoll_range;

// ---- The store -----------------------------------------------------------------------------------------------------------------

enum {
  PLIMSOLL_EVENT_OPEN_PHASE = 0,
  PLIMSOLL_EVENT_CHECKPOINT = 1,
  PLIMSOLL_EVENT_PRESSURE = 2,
  PLIMSOLL_EVENT_REAPED = 3,
  PLIMSOLL_EVENT_KILLED = 4,
  PLIMSOLL_EVENT_SLOW_TRANSACTION = 5,
  PLIMSOLL_EVENT_LARGE_TRANSACTION = 6,
  PLIMSOLL_EVENT_CORRUPTION = 7,
  PLIMSOLL_EVENT_LOG_FAILED = 8
};

typedef struct plimsoll_event {
  size_t size;
  int64_t kind;      // PLIMSOLL_EVENT_...
  uint64_t wall_ms;  // milliseconds since 1970
  const char* text;  // one line; valid during the call
} plimsoll_event;

// Called from any thread, also while the store is being opened and closed. Must not call back into the store.
typedef void (*plimsoll_event_sink)(void* context, const plimsoll_event* event);

// Flags of plimsoll_options.
enum {
  PLIMSOLL_OPEN_EXISTING = 1,           // not_found instead of a new store
  PLIMSOLL_OPEN_NEW = 2,                // already_exists if there is a store
  PLIMSOLL_FOLLOW_CONTAINER_LIMIT = 4,  // lower the limit while the container or the machine has less room
  PLIMSOLL_NO_BACKGROUND_THREADS = 8,   // the caller drives plimsoll_run_background
  PLIMSOLL_NO_CONTROL_SOCKET = 16       // plimsoll_ask does not reach the store
};

enum { PLIMSOLL_IO_AUTOMATIC = 0, PLIMSOLL_IO_URING = 1, PLIMSOLL_IO_PLAIN = 2 };

// In a duration: none at all, where 0 means the default.
#define PLIMSOLL_NO_DEADLINE (-1)

typedef struct plimsoll_options {
  size_t size;
  uint64_t memory_budget;           // hard limit, bytes; at least 16 MiB; 0: 256 MiB
  uint64_t page_size;               // a power of two, 4 KiB .. 32 KiB; fixed at creation; 0: 8 KiB
  uint64_t flags;                   // PLIMSOLL_OPEN_..., or-ed
  int32_t io_backend;               // PLIMSOLL_IO_...
  uint32_t max_transactions;        // 1 .. 131072; 0: 4096
  uint64_t log_bytes_max;           // log kept on disk, bytes, at least 4 segments; 0: chosen from the budget
  uint64_t log_segment_bytes;       // a power of two, 64 KiB .. 1 GiB; fixed at creation; 0: 16 MiB
  uint64_t log_ring_bytes;          // 0: chosen from the budget
  int64_t transaction_deadline_ms;  // 0: one hour; or PLIMSOLL_NO_DEADLINE
  int64_t lock_deadline_ms;         // 0: ten seconds; or PLIMSOLL_NO_DEADLINE
  int64_t memory_deadline_ms;  // how long a call waits for memory that others free; 0: one second; PLIMSOLL_NO_DEADLINE: not at all
  int64_t retention_ms;        // how far back as_of may go; 0: not at all
  plimsoll_event_sink on_event;  // NULL: none
  void* event_context;           // handed to on_event; must live until plimsoll_close has returned
} plimsoll_options;

// Opens or creates the store in folder `path` (NUL-terminated). `options` may be NULL. Errors: busy (with the holder's pid),
// version_mismatch, corruption, memory_budget_exceeded (states the least that works), invalid_argument (names option, value and
// range), not_found and already_exists (see the flags), io_error, no_space.
PLIMSOLL_API plimsoll_status plimsoll_open(const char* path, const plimsoll_options* options, plimsoll_db** db,
                                           plimsoll_error* error);
// An empty store that lives in memory, inside its budget, and ends with its handle. Half of the budget is for the data; a write
// that finds no room there answers no_space.
PLIMSOLL_API plimsoll_status plimsoll_open_in_memory(const plimsoll_options* options, plimsoll_db** db, plimsoll_error* error);
// Aborts open transactions, writes everything, marks the store clean and ends the handle, whatever the answer, except after
// PLIMSOLL_BUSY: other threads are inside calls, and the handle stays as it was. (It also stays if error->size is wrong.) NULL is
// allowed. Not thread-safe.
PLIMSOLL_API plimsoll_status plimsoll_close(plimsoll_db* db, plimsoll_error* error);

typedef struct plimsoll_info {
  size_t size;
  uint64_t page_bytes;
  uint64_t key_bytes_max;
  uint64_t now;            // the newest timestamp
  uint64_t durable_lsn;    // the log is on stable storage up to here
  uint64_t log_start_lsn;  // the oldest position still there
} plimsoll_info;

// Facts about an open store, into `info`, whose `size` is set. Thread-safe.
PLIMSOLL_API plimsoll_status plimsoll_get_info(plimsoll_db* db, plimsoll_info* info, plimsoll_error* error);

typedef struct plimsoll_recovery {
  size_t size;
  uint64_t was_clean;  // 1: nothing had to be recovered
  uint64_t log_bytes;
  uint64_t records_redone;
  uint64_t losers;
  uint64_t prepared;
  uint64_t torn_pages;
  double seconds;
} plimsoll_recovery;

// What the open had to recover, into `report`, whose `size` is set. Thread-safe.
PLIMSOLL_API plimsoll_status plimsoll_get_recovery(plimsoll_db* db, plimsoll_recovery* report, plimsoll_error* error);

// Writes a checkpoint, so that the next recovery begins later in the log. Thread-safe; takes as long as writing the changed pages.
PLIMSOLL_API plimsoll_status plimsoll_checkpoint(plimsoll_db* db, plimsoll_error* error);

// Gives the blocks of free pages of the data file back to the file system, after collecting what can be, while transactions go on.
// The file keeps its length, with holes. *before_bytes and *after_bytes (may be NULL): its blocks on disk. PLIMSOLL_IO_ERROR: also
// of a file system without holes. Thread-safe; takes as long as reading all leaves.
PLIMSOLL_API plimsoll_status plimsoll_compact(plimsoll_db* db, uint64_t* before_bytes, uint64_t* after_bytes,
                                              plimsoll_error* error);

typedef struct plimsoll_problem {
  size_t size;
  uint64_t page;
  const char* file;  // this text and the next two are valid during the call
  const char* table;
  const char* what;
} plimsoll_problem;

typedef struct plimsoll_verify_report {
  size_t size;
  uint64_t pages;
  uint64_t records;
  uint64_t tables;
  uint64_t free_pages;
  uint64_t problems;        // 0: the store is sound
  uint64_t chains;          // records with older versions, which were read by a snapshot
  uint64_t space_compared;  // 0: pages were freed meanwhile, so that pages in use could not be compared with what refers to them
} plimsoll_verify_report;

// Answers 0 to go on; anything else ends the walk, which then is a success. This holds for all callbacks that answer int,
// except plimsoll_backup_watch.
typedef int (*plimsoll_each_problem)(void* context, const plimsoll_problem* problem);

// Reads the whole store and checks it. `report`, whose `size` is set, gets the figures; `each` (may be NULL) is called for every
// problem, in this thread. A damaged store is a success with problems. Transactions go on meanwhile; their older versions are
// collected when it is over, and tables cannot be dropped. Thread-safe.
PLIMSOLL_API plimsoll_status plimsoll_verify(plimsoll_db* db, plimsoll_verify_report* report, plimsoll_each_problem each,
                                             void* context, plimsoll_error* error);

// With PLIMSOLL_NO_BACKGROUND_THREADS: does one round of what the background would do. *worked (may be NULL): 1 if there was work.
PLIMSOLL_API plimsoll_status plimsoll_run_background(plimsoll_db* db, int* worked, plimsoll_error* error);

// ---- Backups -------------------------------------------------------------------------------------------------------------------

typedef struct plimsoll_backup_report {
  size_t size;
  uint64_t position;    // the backup holds exactly what the commits did whose records end at or below it in the log
  uint64_t timestamp;   // of its snapshot
  uint64_t salt;        // of the store that it was made of
  uint64_t page_bytes;  // of that store
  uint64_t tables;      // this and what follows: also how far the work is
  uint64_t records;
  uint64_t record_bytes;  // keys and values
  uint64_t file_bytes;
  uint64_t follow_from;  // where to read the log to go on from the backup (plimsoll_txn_follow_from); 0 meanwhile
} plimsoll_backup_report;

// Told now and then how far the work is, in the calling thread; the first four fields are 0 meanwhile. Anything but 0 calls it off:
// the call answers transaction_aborted, and nothing is left of the work. Must not close the store.
typedef int (*plimsoll_backup_watch)(void* context, const plimsoll_backup_report* so_far);

// Writes all tables, as one snapshot shows them, into the new file `file` (NUL-terminated, as all paths), while transactions go on.
// The file is complete and on stable storage, or not there. `report`, whose `size` is set, and `watch` may be NULL, here and below.
// Errors: already_exists, no_space, io_error, not_found (no such folder), memory_budget_exceeded, corruption (of the store),
// transaction_timeout (it was killed). Thread-safe.
PLIMSOLL_API plimsoll_status plimsoll_backup(plimsoll_db* db, const char* file, plimsoll_backup_report* report,
                                             plimsoll_backup_watch watch, void* context, plimsoll_error* error);
// Reads the whole backup and looks at every checksum. Errors: invalid_argument (no backup), version_mismatch, corruption (names the
// block), not_found, io_error. Thread-safe.
PLIMSOLL_API plimsoll_status plimsoll_check_backup(const char* file, plimsoll_backup_report* report, plimsoll_backup_watch watch,
                                                   void* context, plimsoll_error* error);
// Makes the store `path`, which must not exist, of the backup, and verifies it; it is closed afterwards. It has the page size of
// the first store; of `options`, which may be NULL, those about memory and the log count, and events are not told. After an error
// nothing is left of it. Errors: those of plimsoll_check_backup and plimsoll_open, already_exists. Thread-safe.
PLIMSOLL_API plimsoll_status plimsoll_restore_backup(const char* file, const char* path, const plimsoll_options* options,
                                                     plimsoll_backup_report* report, plimsoll_backup_watch watch, void* context,
                                                     plimsoll_error* error);

// ---- Tables --------------------------------------------------------------------------------------------------------------------

// Flags of plimsoll_table_open.
enum { PLIMSOLL_TABLE_CREATE = 1 };

// Finds the table and, with PLIMSOLL_TABLE_CREATE, makes it if there is none. Names are 0 .. 255 bytes and do not begin with NUL.
// Not part of a transaction: atomic and durable by itself. Errors: not_found. Thread-safe, as the next three.
PLIMSOLL_API plimsoll_status plimsoll_table_open(plimsoll_db* db, const void* name, size_t name_bytes, uint64_t flags,
                                                 plimsoll_table* table, plimsoll_error* error);
// Removes the table with its records. Errors: not_found; busy while a transaction runs.
PLIMSOLL_API plimsoll_status plimsoll_table_drop(plimsoll_db* db, const void* name, size_t name_bytes, plimsoll_error* error);

// `name` is NUL-terminated as well, and valid during the call.
typedef int (*plimsoll_each_table)(void* context, const char* name, size_t name_bytes, plimsoll_table table);

// Calls `each` for every table, in this thread; it may use the store.
PLIMSOLL_API plimsoll_status plimsoll_tables(plimsoll_db* db, plimsoll_each_table each, void* context, plimsoll_error* error);
// The table's name, NUL-terminated, to be ended with plimsoll_free; *name_bytes (may be NULL) is its length. Errors: not_found.
PLIMSOLL_API plimsoll_status plimsoll_table_name(plimsoll_db* db, plimsoll_table table, char** name, size_t* name_bytes,
                                                 plimsoll_error* error);

// ---- Transactions --------------------------------------------------------------------------------------------------------------

enum { PLIMSOLL_SNAPSHOT = 0, PLIMSOLL_READ_COMMITTED = 1, PLIMSOLL_REPEATABLE_READ = 2, PLIMSOLL_SERIALIZABLE = 3 };
enum { PLIMSOLL_DURABLE = 0, PLIMSOLL_RELAXED = 1 };
// Flags of plimsoll_txn_options.
enum {
  PLIMSOLL_TXN_READ_ONLY = 1,
  PLIMSOLL_TXN_WITH_POSITION = 2  // the newest snapshot, and plimsoll_txn_position; with PLIMSOLL_TXN_READ_ONLY, without as_of
};

typedef struct plimsoll_txn_options {
  size_t size;
  int32_t isolation;           // PLIMSOLL_SNAPSHOT or PLIMSOLL_READ_COMMITTED; the others are not there yet (invalid_argument)
  int32_t durability;          // PLIMSOLL_DURABLE: commit waits for stable storage; PLIMSOLL_RELAXED: a crash may lose the newest
  uint64_t flags;              // PLIMSOLL_TXN_..., or-ed
  int64_t deadline_ms;         // 0: the store's; or PLIMSOLL_NO_DEADLINE
  int64_t lock_deadline_ms;    // 0: the store's; or PLIMSOLL_NO_DEADLINE
  uint64_t as_of;              // read at this timestamp, inside the retention window; 0: now
  uint64_t memory_bytes_max;   // cap on the transaction's memory; 0: the budget
  uint64_t written_bytes_max;  // cap on keys and values written; 0: none
  const char* label;           // shown in transaction lists, cut at 31 bytes; NUL-terminated; NULL: none
} plimsoll_txn_options;

// Options from a TOML file (docs/configuration.md) into `options`, whose `size` is set, and what it says of transactions into
// `transactions`, which may be NULL. What the file does not name has its default; on_event and event_context are NULL. After an
// error both are as they were. Errors: invalid_argument (names file, line, option, value and range), not_found, io_error.
// Thread-safe.
PLIMSOLL_API plimsoll_status plimsoll_read_options(const char* path, plimsoll_options* options, plimsoll_txn_options* transactions,
                                                   plimsoll_error* error);

// Begins a transaction. `options` may be NULL. Errors: too_many_transactions, memory_budget_exceeded, snapshot_too_old (as_of),
// invalid_argument. Thread-safe.
PLIMSOLL_API plimsoll_status plimsoll_begin(plimsoll_db* db, const plimsoll_txn_options* options, plimsoll_txn** txn,
                                            plimsoll_error* error);
// Ends the handle; a transaction that has not ended is aborted (a prepared one stays prepared). NULL is allowed, and the handle
// that a body of plimsoll_transact was given is left alone.
PLIMSOLL_API void plimsoll_txn_close(plimsoll_txn* txn);

// Does the transaction's work and answers PLIMSOLL_OK to have it committed. `error` is never NULL: pass it to the calls of the
// body. Must neither commit nor keep `txn`.
typedef plimsoll_status (*plimsoll_body)(void* context, plimsoll_txn* txn, plimsoll_error* error);

// Runs `body` in a transaction, in this thread, and commits. A retryable status (of the body or the commit) aborts and runs it
// again after a short pause, at most 100 times; any other status aborts and is handed back, also the caller's own (from 1000 on or
// below 0), with what the body left in its `error`. Thread-safe.
PLIMSOLL_API plimsoll_status plimsoll_transact(plimsoll_db* db, const plimsoll_txn_options* options, plimsoll_body body,
                                               void* context, plimsoll_error* error);

// Commits; waits for stable storage if the transaction is durable. The transaction has ended after a success. Errors:
// transaction_aborted, transaction_timeout, commit_outcome_unknown, log_full.
PLIMSOLL_API plimsoll_status plimsoll_commit(plimsoll_txn* txn, plimsoll_error* error);

// `error` is NULL for PLIMSOLL_OK, else valid during the call.
typedef void (*plimsoll_commit_done)(void* context, plimsoll_status outcome, const plimsoll_error* error);

// Commits and returns when the outcome is decided. After a success `done` is called exactly once, when the commit is durable or the
// log has failed: from a thread of the log, or before this call returns. After an error it is never called.
PLIMSOLL_API plimsoll_status plimsoll_commit_async(plimsoll_txn* txn, plimsoll_commit_done done, void* context,
                                                   plimsoll_error* error);
// Undoes all of the transaction's writes and ends it. Errors: transaction_aborted (it has ended already).
PLIMSOLL_API plimsoll_status plimsoll_abort(plimsoll_txn* txn, plimsoll_error* error);

// First phase of a distributed commit: afterwards only plimsoll_commit_prepared and plimsoll_abort_prepared end it, also after a
// crash. `id` is 1 .. 64 bytes. Errors: already_exists (the id is in use), transaction_aborted, invalid_argument.
PLIMSOLL_API plimsoll_status plimsoll_prepare(plimsoll_txn* txn, const void* id, size_t id_bytes, plimsoll_error* error);
// Commits a prepared transaction, durably. *timestamp (may be NULL) is its commit timestamp. Errors: not_found, busy (another
// thread is ending it). Thread-safe, as the next.
PLIMSOLL_API plimsoll_status plimsoll_commit_prepared(plimsoll_db* db, const void* id, size_t id_bytes, uint64_t* timestamp,
                                                      plimsoll_error* error);
PLIMSOLL_API plimsoll_status plimsoll_abort_prepared(plimsoll_db* db, const void* id, size_t id_bytes, plimsoll_error* error);

// A point that the transaction's writes can be rolled back to, into *savepoint. At most 64 at a time: invalid_argument.
PLIMSOLL_API plimsoll_status plimsoll_savepoint(plimsoll_txn* txn, uint32_t* savepoint, plimsoll_error* error);
// Undoes what was written since; later savepoints end, this one stays. Errors: invalid_argument (no such savepoint).
PLIMSOLL_API plimsoll_status plimsoll_rollback_to(plimsoll_txn* txn, uint32_t savepoint, plimsoll_error* error);
// Ends the savepoint and later ones; what was written stays. Errors: invalid_argument (no such savepoint).
PLIMSOLL_API plimsoll_status plimsoll_release(plimsoll_txn* txn, uint32_t savepoint, plimsoll_error* error);

// The transaction's id, or 0 once it has ended (or for NULL).
PLIMSOLL_API uint64_t plimsoll_txn_id(const plimsoll_txn* txn);
// The timestamp at which it reads, or 0 once it has ended (or for NULL).
PLIMSOLL_API uint64_t plimsoll_txn_snapshot(const plimsoll_txn* txn);
// Of one begun with PLIMSOLL_TXN_WITH_POSITION: it reads exactly what the commits did whose records end at or below this position
// of the log. 0 for others, once it has ended, and for NULL.
PLIMSOLL_API uint64_t plimsoll_txn_position(const plimsoll_txn* txn);
// Where plimsoll_read_log must begin to go on from what this one reads: at or below its position, because a transaction that
// commits later may have written before. Below plimsoll_info.log_start_lsn if one of those began before the log that is left, or if
// a prepared one is undecided since before the store was opened. 0 as for the position.
PLIMSOLL_API uint64_t plimsoll_txn_follow_from(const plimsoll_txn* txn);
// Changes the transaction's deadline, counted from now. PLIMSOLL_NO_DEADLINE: none. 0 and other negative numbers: invalid_argument.
PLIMSOLL_API plimsoll_status plimsoll_set_deadline(plimsoll_txn* txn, int64_t from_now_ms, plimsoll_error* error);
// Changes how long a write waits for another transaction. The same numbers.
PLIMSOLL_API plimsoll_status plimsoll_set_lock_deadline(plimsoll_txn* txn, int64_t wait_ms, plimsoll_error* error);

enum {
  PLIMSOLL_TXN_ACTIVE = 0,
  PLIMSOLL_TXN_PENDING = 1,
  PLIMSOLL_TXN_PREPARING = 2,
  PLIMSOLL_TXN_PREPARED = 3,
  PLIMSOLL_TXN_COMMITTING = 4,
  PLIMSOLL_TXN_COMMITTED = 5,
  PLIMSOLL_TXN_ABORTED = 6
};

typedef struct plimsoll_txn_info {
  size_t size;
  uint64_t id;
  int64_t state;  // PLIMSOLL_TXN_...
  uint64_t snapshot;
  uint64_t age_ms;
  uint64_t written_bytes;
  uint64_t waits_for;       // 0: waits for nobody
  const char* label;        // valid during the call, as the next
  plimsoll_bytes prepared;  // the id given to plimsoll_prepare, or empty
} plimsoll_txn_info;

typedef int (*plimsoll_each_txn)(void* context, const plimsoll_txn_info* info);

// Calls `each` for every transaction that runs or is prepared, in this thread; it may use the store. Thread-safe, as the next two.
PLIMSOLL_API plimsoll_status plimsoll_transactions(plimsoll_db* db, plimsoll_each_txn each, void* context, plimsoll_error* error);

// `number` stays the same for as long as this wait lasts.
typedef int (*plimsoll_each_wait)(void* context, uint64_t waiter, uint64_t holder, uint64_t number);

// Calls `each` for every transaction that waits for another one, in this thread; it may use the store.
PLIMSOLL_API plimsoll_status plimsoll_waits(plimsoll_db* db, plimsoll_each_wait each, void* context, plimsoll_error* error);
// Aborts another's transaction; its calls answer transaction_timeout or transaction_aborted from then on. Errors: not_found (none
// with this id that could still be aborted).
PLIMSOLL_API plimsoll_status plimsoll_kill(plimsoll_db* db, uint64_t id, plimsoll_error* error);

// ---- Records -------------------------------------------------------------------------------------------------------------------
// All of these may answer transaction_aborted, transaction_timeout, memory_budget_exceeded, and not_found for a dropped table.
// After conflict and deadlock: roll back to a savepoint, or abort.

// Reads the value of a key: *value is a handle to be ended with plimsoll_value_free. Errors: not_found (*value is NULL then).
PLIMSOLL_API plimsoll_status plimsoll_get(plimsoll_txn* txn, plimsoll_table table, const void* key, size_t key_bytes,
                                          plimsoll_value** value, plimsoll_error* error);
// The same, and later writers of the key wait until this transaction ends. Errors: not_found, conflict, deadlock, lock_timeout,
// read_only.
PLIMSOLL_API plimsoll_status plimsoll_get_for_update(plimsoll_txn* txn, plimsoll_table table, const void* key, size_t key_bytes,
                                                     plimsoll_value** value, plimsoll_error* error);
// Copies the first `capacity` bytes of the value into `buffer`; *value_bytes (may be NULL) is its whole length, which may be more.
// Errors: not_found.
PLIMSOLL_API plimsoll_status plimsoll_get_copy(plimsoll_txn* txn, plimsoll_table table, const void* key, size_t key_bytes,
                                               void* buffer, size_t capacity, size_t* value_bytes, plimsoll_error* error);
// Reads `count` keys at once, which is faster than one by one. values[i] answers keys[i]: a handle, or NULL if the key is not
// there. After an error all of them are NULL.
PLIMSOLL_API plimsoll_status plimsoll_multi_get(plimsoll_txn* txn, plimsoll_table table, const plimsoll_bytes* keys, size_t count,
                                                plimsoll_value** values, plimsoll_error* error);
// *found is 1 if the key is there, else 0.
PLIMSOLL_API plimsoll_status plimsoll_exists(plimsoll_txn* txn, plimsoll_table table, const void* key, size_t key_bytes, int* found,
                                             plimsoll_error* error);
// *count is the number of records in `range` (NULL: the whole table).
PLIMSOLL_API plimsoll_status plimsoll_count(plimsoll_txn* txn, plimsoll_table table, const plimsoll_range* range, uint64_t* count,
                                            plimsoll_error* error);

// Writes a record, whether the key is there or not. Errors of all writes: conflict, deadlock, lock_timeout, read_only, log_full,
// invalid_argument (key or value too long).
PLIMSOLL_API plimsoll_status plimsoll_put(plimsoll_txn* txn, plimsoll_table table, const void* key, size_t key_bytes,
                                          const void* value, size_t value_bytes, plimsoll_error* error);
// The same for a key that is not there. Errors: already_exists.
PLIMSOLL_API plimsoll_status plimsoll_insert(plimsoll_txn* txn, plimsoll_table table, const void* key, size_t key_bytes,
                                             const void* value, size_t value_bytes, plimsoll_error* error);
// The same for a key that is there. Errors: not_found.
PLIMSOLL_API plimsoll_status plimsoll_update(plimsoll_txn* txn, plimsoll_table table, const void* key, size_t key_bytes,
                                             const void* value, size_t value_bytes, plimsoll_error* error);
// Erases a key. *erased (may be NULL) is 1 if it was there, else 0; neither is an error.
PLIMSOLL_API plimsoll_status plimsoll_erase(plimsoll_txn* txn, plimsoll_table table, const void* key, size_t key_bytes, int* erased,
                                            plimsoll_error* error);
// Erases all keys in `range` (NULL: the whole table). *erased (may be NULL) is how many there were.
PLIMSOLL_API plimsoll_status plimsoll_erase_range(plimsoll_txn* txn, plimsoll_table table, const plimsoll_range* range,
                                                  uint64_t* erased, plimsoll_error* error);

// The value's bytes, valid until the value is freed or its transaction ends, whichever is first. NULL for NULL; never NULL
// otherwise, also for an empty value.
PLIMSOLL_API const void* plimsoll_value_data(const plimsoll_value* value);
// Their number; 0 for NULL.
PLIMSOLL_API size_t plimsoll_value_size(const plimsoll_value* value);
// Ends the handle and gives the bytes back to the transaction. NULL is allowed.
PLIMSOLL_API void plimsoll_value_free(plimsoll_value* value);

// ---- Cursors -------------------------------------------------------------------------------------------------------------------

enum { PLIMSOLL_FORWARD = 0, PLIMSOLL_BACKWARD = 1 };

// A walk over `range` (NULL: the whole table) in key order, or against it. It stands before the first record. It sees its own
// transaction's writes and holds no page between calls.
PLIMSOLL_API plimsoll_status plimsoll_cursor_open(plimsoll_txn* txn, plimsoll_table table, const plimsoll_range* range,
                                                  int32_t direction, plimsoll_cursor** cursor, plimsoll_error* error);
// To the next (first) record. Errors: not_found (the end of the range), transaction_aborted.
PLIMSOLL_API plimsoll_status plimsoll_cursor_next(plimsoll_cursor* cursor, plimsoll_error* error);
// To the place before the first record at or after the key (forward), or at or before it (backward); next goes there.
PLIMSOLL_API plimsoll_status plimsoll_cursor_seek(plimsoll_cursor* cursor, const void* key, size_t key_bytes,
                                                  plimsoll_error* error);
// Where the cursor stands: bytes valid until it moves or is closed, or the transaction ends. Empty before the first record, after
// the last, and once the transaction has ended.
PLIMSOLL_API plimsoll_bytes plimsoll_cursor_key(const plimsoll_cursor* cursor);
// The same. Empty for a large value: plimsoll_get and plimsoll_reader_open read those.
PLIMSOLL_API plimsoll_bytes plimsoll_cursor_value(const plimsoll_cursor* cursor);
// 1 if the value lies out of line (larger than a quarter of a page), else 0.
PLIMSOLL_API int plimsoll_cursor_is_large(const plimsoll_cursor* cursor);
// Ends the handle. NULL is allowed.
PLIMSOLL_API void plimsoll_cursor_close(plimsoll_cursor* cursor);

// ---- Large values in pieces ----------------------------------------------------------------------------------------------------

// Opens the value of a key for reading from its beginning; any size, within any budget. Errors: not_found.
PLIMSOLL_API plimsoll_status plimsoll_reader_open(plimsoll_txn* txn, plimsoll_table table, const void* key, size_t key_bytes,
                                                  plimsoll_reader** reader, plimsoll_error* error);
// Bytes in all; 0 for NULL and once the transaction has ended.
PLIMSOLL_API uint64_t plimsoll_reader_size(const plimsoll_reader* reader);
// Reads up to `capacity` bytes into `buffer`; *bytes is how many there were, 0 at the end. Errors: transaction_aborted;
// snapshot_too_old (a large value, after the next statement of a read_committed transaction); invalid_argument (one that the
// transaction has written itself, after it has rolled back, or a statement of it was undone).
PLIMSOLL_API plimsoll_status plimsoll_reader_read(plimsoll_reader* reader, void* buffer, size_t capacity, size_t* bytes,
                                                  plimsoll_error* error);
// Ends the handle. NULL is allowed.
PLIMSOLL_API void plimsoll_reader_close(plimsoll_reader* reader);

// Begins a value that is written in pieces; any size up to 1 GiB, within any budget. Nothing is visible before
// plimsoll_writer_finish.
PLIMSOLL_API plimsoll_status plimsoll_writer_open(plimsoll_txn* txn, plimsoll_table table, const void* key, size_t key_bytes,
                                                  plimsoll_writer** writer, plimsoll_error* error);
// Appends a piece. After an error the value cannot be finished.
PLIMSOLL_API plimsoll_status plimsoll_writer_write(plimsoll_writer* writer, const void* piece, size_t piece_bytes,
                                                   plimsoll_error* error);
// Puts the value under its key, once. The handle is still to be closed. Errors: those of plimsoll_put.
PLIMSOLL_API plimsoll_status plimsoll_writer_finish(plimsoll_writer* writer, plimsoll_error* error);
// Ends the handle; without finish the value is dropped. NULL is allowed.
PLIMSOLL_API void plimsoll_writer_close(plimsoll_writer* writer);

// ---- Memory and statistics -----------------------------------------------------------------------------------------------------
// All of these are thread-safe and take nothing that a transaction needs.

// Moves the hard limit: 16 MiB .. plimsoll_options.memory_budget, bytes. Errors: memory_budget_exceeded (what is held does not fit;
// the limit is where it was), invalid_argument.
PLIMSOLL_API plimsoll_status plimsoll_set_memory_budget(plimsoll_db* db, uint64_t bytes, plimsoll_error* error);
// Gives back what can be spared at once, up to `bytes`. *released (may be NULL) is how much it was.
PLIMSOLL_API plimsoll_status plimsoll_release_memory(plimsoll_db* db, uint64_t bytes, uint64_t* released, plimsoll_error* error);

enum {
  PLIMSOLL_PRESSURE_NORMAL = 0,
  PLIMSOLL_PRESSURE_WARNING = 1,
  PLIMSOLL_PRESSURE_CRITICAL = 2,
  PLIMSOLL_PRESSURE_EMERGENCY = 3
};

// The host knows of pressure that the store cannot see: its level is at least this one until it is set to normal.
PLIMSOLL_API plimsoll_status plimsoll_set_pressure_level(plimsoll_db* db, int32_t level, plimsoll_error* error);
// How near the store is to its limit: PLIMSOLL_PRESSURE_..., into *level.
PLIMSOLL_API plimsoll_status plimsoll_get_pressure_level(plimsoll_db* db, int32_t* level, plimsoll_error* error);

typedef struct plimsoll_account {
  size_t size;
  const char* name;    // this text and the next are valid during the call
  const char* parent;  // "" for the root; an inner account is the sum of its children
  uint64_t used_bytes;
  uint64_t peak_bytes;
  uint64_t floor_bytes;  // that only this account may take
  uint64_t cap_bytes;    // the most that it may hold; 0: the budget
  uint64_t is_leaf;      // 1: nothing is below it; the leaves add up to what is used
} plimsoll_account;

typedef int (*plimsoll_each_account)(void* context, const plimsoll_account* account);

// Calls `each` for every memory account, in this thread; it may use the store.
PLIMSOLL_API plimsoll_status plimsoll_memory_accounts(plimsoll_db* db, plimsoll_each_account each, void* context,
                                                      plimsoll_error* error);
// One counter or gauge, by its name in docs/metrics.md (NUL-terminated), into *value. Errors: not_found.
PLIMSOLL_API plimsoll_status plimsoll_statistic(plimsoll_db* db, const char* name, uint64_t* value, plimsoll_error* error);
// Everything the store reports, as one JSON object with the members of `plimsoll stat --json`: NUL-terminated UTF-8, to be ended
// with plimsoll_free. *json_bytes (may be NULL) is its length without the NUL.
PLIMSOLL_API plimsoll_status plimsoll_statistics_json(plimsoll_db* db, char** json, size_t* json_bytes, plimsoll_error* error);
// The answer to one request in JSON, of docs/control-socket.md (NUL-terminated), to be ended with plimsoll_free: of a store that is
// open here, or of one that another process has open in folder `path`. A request that fails is answered all the same, with its
// error. Errors of plimsoll_ask: not_found (nobody has the store open), busy (no answer within five seconds), io_error,
// invalid_argument (more than one line, or 4,095 bytes).
PLIMSOLL_API plimsoll_status plimsoll_answer(plimsoll_db* db, const char* request, char** answer, plimsoll_error* error);
PLIMSOLL_API plimsoll_status plimsoll_ask(const char* path, const char* request, char** answer, plimsoll_error* error);
// Sets counters and peaks to zero.
PLIMSOLL_API plimsoll_status plimsoll_reset_statistics(plimsoll_db* db, plimsoll_error* error);

// ---- The log, and other nodes --------------------------------------------------------------------------------------------------

enum {
  PLIMSOLL_LOG_PUT = 0,
  PLIMSOLL_LOG_ERASE = 1,
  PLIMSOLL_LOG_COMMIT = 2,
  PLIMSOLL_LOG_ABORT = 3,
  PLIMSOLL_LOG_PREPARE = 4,
  PLIMSOLL_LOG_REVERT = 5
};

// A consumer keeps, for every open transaction, the last change of each key, applies them at its commit and forgets them at its
// abort. A rollback to a savepoint comes as a put or an erase where the transaction had changed the key before the savepoint, too,
// and else as PLIMSOLL_LOG_REVERT: it has not changed this key after all. What an aborted one did is taken back in the same way,
// behind its abort; so one whose last key a revert has taken is to be forgotten, too.
typedef struct plimsoll_log_entry {
  size_t size;
  int64_t kind;  // PLIMSOLL_LOG_...
  uint64_t lsn;
  uint64_t transaction;
  uint64_t tree;  // plimsoll_table.tree
  uint64_t commit_timestamp;
  plimsoll_bytes key;    // valid during the call, as the next
  plimsoll_bytes value;  // empty if out_of_line
  uint64_t out_of_line;  // 1: a large value, which the log does not hold
} plimsoll_log_entry;

typedef int (*plimsoll_each_log_entry)(void* context, const plimsoll_log_entry* entry);

// Calls `each` for every entry from position `from` on that is durable, in order, in this thread. *next (may be NULL) is the
// position to go on from. Errors: not_found (the log was cut past `from`: begin again with a backup, or a transaction begun with
// PLIMSOLL_TXN_WITH_POSITION, at its follow_from; ignore the transactions whose commit has an lsn below its position).
PLIMSOLL_API plimsoll_status plimsoll_read_log(plimsoll_db* db, uint64_t from, plimsoll_each_log_entry each, void* context,
                                               uint64_t* next, plimsoll_error* error);

typedef void (*plimsoll_durable)(void* context, uint64_t durable_lsn);

// Has `callback` called, from a thread of the log, whenever the log became durable further. There is one; NULL removes it.
PLIMSOLL_API plimsoll_status plimsoll_on_durable(plimsoll_db* db, plimsoll_durable callback, void* context, plimsoll_error* error);
// Nothing at or above this timestamp is collected until the floor is raised or removed (0).
PLIMSOLL_API plimsoll_status plimsoll_set_external_floor(plimsoll_db* db, uint64_t timestamp, plimsoll_error* error);
// Takes a timestamp of another node into the clock. Errors: invalid_argument (more than 5 s ahead).
PLIMSOLL_API plimsoll_status plimsoll_receive(plimsoll_db* db, uint64_t timestamp, plimsoll_error* error);

#ifdef __cplusplus
}
#endif

#endif  // PLIMSOLL_C_H
