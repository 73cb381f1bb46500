// Bank transfer in C: money moves between accounts in transactions that run again when another one was first; the sum of all
// balances never changes. Shows handles, the error struct, plimsoll_transact and a cursor.
#include <inttypes.h>
#include <plimsoll/c.h>
#include <stdio.h>
#include <string.h>

enum { account_count = 10, opening_balance = 100, transfers = 500 };
enum { not_enough_money = 1000 };  // a status of this program's own: the transaction is aborted, and it is handed back

struct transfer {
  plimsoll_table accounts;
  int from, to;
  int64_t amount;
};

static size_t account_key(char* key, size_t size, int number) { return (size_t)snprintf(key, size, "account-%02d", number); }

static plimsoll_status read_balance(plimsoll_txn* txn, plimsoll_table accounts, int number, int64_t* balance,
                                    plimsoll_error* error) {
  char key[32], text[32] = "";
  const size_t key_bytes = account_key(key, sizeof key, number);
  const plimsoll_status status = plimsoll_get_copy(txn, accounts, key, key_bytes, text, sizeof text - 1, NULL, error);
  if (status == PLIMSOLL_OK && sscanf(text, "%" SCNd64, balance) != 1) return PLIMSOLL_CORRUPTION;
  return status;
}

static plimsoll_status write_balance(plimsoll_txn* txn, plimsoll_table accounts, int number, int64_t balance,
                                     plimsoll_error* error) {
  char key[32], text[32];
  const size_t key_bytes = account_key(key, sizeof key, number);
  const int text_bytes = snprintf(text, sizeof text, "%" PRId64, balance);
  return plimsoll_put(txn, accounts, key, key_bytes, text, (size_t)text_bytes, error);
}

// The bodies of transactions.
static plimsoll_status open_accounts(void* context, plimsoll_txn* txn, plimsoll_error* error) {
  const struct transfer* job = context;
  plimsoll_status status = PLIMSOLL_OK;
  for (int i = 0; i < account_count && status == PLIMSOLL_OK; ++i) {
    status = write_balance(txn, job->accounts, i, opening_balance, error);
  }
  return status;
}

static plimsoll_status move_money(void* context, plimsoll_txn* txn, plimsoll_error* error) {
  const struct transfer* job = context;
  int64_t source = 0, target = 0;
  plimsoll_status status = read_balance(txn, job->accounts, job->from, &source, error);
  if (status == PLIMSOLL_OK) status = read_balance(txn, job->accounts, job->to, &target, error);
  if (status != PLIMSOLL_OK) return status;
  if (source < job->amount) return not_enough_money;
  status = write_balance(txn, job->accounts, job->from, source - job->amount, error);
  if (status == PLIMSOLL_OK) status = write_balance(txn, job->accounts, job->to, target + job->amount, error);
  return status;
}

static plimsoll_status sum_of_balances(plimsoll_db* db, plimsoll_table accounts, int64_t* sum, plimsoll_error* error) {
  const plimsoll_txn_options options = {.size = sizeof options, .flags = PLIMSOLL_TXN_READ_ONLY, .label = "sum"};
  plimsoll_txn* txn = NULL;
  plimsoll_cursor* cursor = NULL;
  plimsoll_status status = plimsoll_begin(db, &options, &txn, error);
  if (status == PLIMSOLL_OK) status = plimsoll_cursor_open(txn, accounts, NULL, PLIMSOLL_FORWARD, &cursor, error);
  *sum = 0;
  while (status == PLIMSOLL_OK && (status = plimsoll_cursor_next(cursor, error)) == PLIMSOLL_OK) {
    const plimsoll_bytes value = plimsoll_cursor_value(cursor);
    char text[32] = "";
    memcpy(text, value.data, value.size < sizeof text ? value.size : sizeof text - 1);
    int64_t balance = 0;
    sscanf(text, "%" SCNd64, &balance);
    *sum += balance;
  }
  plimsoll_cursor_close(cursor);
  plimsoll_txn_close(txn);
  return status == PLIMSOLL_NOT_FOUND ? PLIMSOLL_OK : status;  // not_found is the end of the range
}

static plimsoll_status run(plimsoll_db* db, int64_t* sum, int* refused, plimsoll_error* error) {
  const plimsoll_txn_options relaxed = {.size = sizeof relaxed, .durability = PLIMSOLL_RELAXED};
  struct transfer job = {0};
  plimsoll_status status = plimsoll_table_open(db, "accounts", 8, PLIMSOLL_TABLE_CREATE, &job.accounts, error);
  if (status == PLIMSOLL_OK) status = plimsoll_transact(db, NULL, open_accounts, &job, error);
  for (int i = 0; i < transfers && status == PLIMSOLL_OK; ++i) {
    job.from = i * 7 % account_count;
    job.to = (job.from + 1 + i % (account_count - 1)) % account_count;
    job.amount = 1 + i % 50;
    status = plimsoll_transact(db, &relaxed, move_money, &job, error);
    if (status != not_enough_money) continue;
    ++*refused;
    status = PLIMSOLL_OK;
  }
  return status == PLIMSOLL_OK ? sum_of_balances(db, job.accounts, sum, error) : status;
}

int main(void) {
  plimsoll_error error = {.size = sizeof error};
  const plimsoll_options options = {.size = sizeof options, .memory_budget = 64u << 20};
  plimsoll_db* db = NULL;
  int64_t sum = 0;
  int refused = 0;
  plimsoll_status status = plimsoll_open("bank.plim", &options, &db, &error);
  if (status == PLIMSOLL_OK) status = run(db, &sum, &refused, &error);
  if (status != PLIMSOLL_OK) {
    fprintf(stderr, "bank_transfer: %s\n", error.message);
    plimsoll_close(db, NULL);
    return 1;
  }
  if (plimsoll_close(db, &error) != PLIMSOLL_OK) {
    fprintf(stderr, "bank_transfer: %s\n", error.message);
    return 1;
  }
  printf("%d transfers, %d refused, %" PRId64 " in all accounts together\n", transfers, refused, sum);
  return sum == account_count * opening_balance ? 0 : 1;
}
