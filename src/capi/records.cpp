// Records: read, written and erased by key; the values that were read.
#include <algorithm>
#include <memory>
#include <vector>

#include "capi/call.hpp"
#include "capi/handles.hpp"

namespace plimsoll::capi {
namespace {

// A call on one table. `body` gets the transaction and the table.
template <class Body>
plimsoll_status on_table(plimsoll_txn* txn, plimsoll_table table, plimsoll_error* error, Body body) {
  return guarded(error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(txn, "txn"));
    PLIMSOLL_ASSIGN(const Table where, to_table(table));
    return body(*txn->transaction, where);
  });
}

Error no_such_key() { return Error(ErrorCode::not_found, "no such key"); }

using Getter = Result<std::optional<Value>> (Transaction::*)(Table, Bytes);

plimsoll_status get_value(Getter getter, plimsoll_txn* txn, plimsoll_table table, plimsoll_bytes key, plimsoll_value** value,
                          plimsoll_error* error) {
  return guarded_making(value, "value", error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(txn, "txn"));
    PLIMSOLL_ASSIGN(const Table where, to_table(table));
    PLIMSOLL_ASSIGN(const Bytes wanted, to_bytes(key.data, key.size, "key"));
    PLIMSOLL_ASSIGN(std::optional<Value> found, (txn->transaction->*getter)(where, wanted));
    if (!found) return std::unexpected(no_such_key());
    *value = new plimsoll_value{std::move(*found)};
    return {};
  });
}

using Writer = Result<void> (Transaction::*)(Table, Bytes, Bytes);

plimsoll_status write_value(Writer writer, plimsoll_txn* txn, plimsoll_table table, plimsoll_bytes key, plimsoll_bytes value,
                            plimsoll_error* error) {
  return on_table(txn, table, error, [&](Transaction& transaction, Table where) -> Result<void> {
    PLIMSOLL_ASSIGN(const Bytes wanted, to_bytes(key.data, key.size, "key"));
    PLIMSOLL_ASSIGN(const Bytes written, to_bytes(value.data, value.size, "value"));
    return (transaction.*writer)(where, wanted, written);
  });
}

Result<void> multi_get(Transaction& transaction, Table where, std::span<const plimsoll_bytes> keys, plimsoll_value** values) {
  std::vector<Bytes> wanted(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) { PLIMSOLL_ASSIGN(wanted[i], to_bytes(keys[i].data, keys[i].size, "a key")); }
  std::vector<std::optional<Value>> found(keys.size());
  PLIMSOLL_TRY(transaction.multi_get(where, wanted, found));
  std::vector<std::unique_ptr<plimsoll_value>> handles(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (found[i]) handles[i].reset(new plimsoll_value{std::move(*found[i])});
  }
  for (std::size_t i = 0; i < keys.size(); ++i) values[i] = handles[i].release();
  return {};
}

}  // namespace

extern "C" {

plimsoll_status plimsoll_get(plimsoll_txn* txn, plimsoll_table table, const void* key, size_t key_bytes, plimsoll_value** value,
                             plimsoll_error* error) {
  return get_value(&Transaction::get, txn, table, {key, key_bytes}, value, error);
}

plimsoll_status plimsoll_get_for_update(plimsoll_txn* txn, plimsoll_table table, const void* key, size_t key_bytes,
                                        plimsoll_value** value, plimsoll_error* error) {
  return get_value(&Transaction::get_for_update, txn, table, {key, key_bytes}, value, error);
}

plimsoll_status plimsoll_get_copy(plimsoll_txn* txn, plimsoll_table table, const void* key, size_t key_bytes, void* buffer,
                                  size_t capacity, size_t* value_bytes, plimsoll_error* error) {
  return on_table(txn, table, error, [&](Transaction& transaction, Table where) -> Result<void> {
    PLIMSOLL_ASSIGN(const Bytes wanted, to_bytes(key, key_bytes, "key"));
    PLIMSOLL_TRY(to_bytes(buffer, capacity, "buffer"));
    PLIMSOLL_ASSIGN(const std::optional<Value> found, transaction.get(where, wanted));
    if (!found) return std::unexpected(no_such_key());
    found->bytes().copy(static_cast<char*>(buffer), capacity);
    set_if(value_bytes, found->bytes().size());
    return {};
  });
}

plimsoll_status plimsoll_multi_get(plimsoll_txn* txn, plimsoll_table table, const plimsoll_bytes* keys, size_t count,
                                   plimsoll_value** values, plimsoll_error* error) {
  if (values != nullptr) std::fill_n(values, count, nullptr);
  return on_table(txn, table, error, [&](Transaction& transaction, Table where) -> Result<void> {
    if (count != 0) {
      PLIMSOLL_TRY(check_pointer(keys, "keys"));
      PLIMSOLL_TRY(check_pointer(values, "values"));
    }
    return multi_get(transaction, where, {keys, count}, values);
  });
}

plimsoll_status plimsoll_exists(plimsoll_txn* txn, plimsoll_table table, const void* key, size_t key_bytes, int* found,
                                plimsoll_error* error) {
  return on_table(txn, table, error, [&](Transaction& transaction, Table where) -> Result<void> {
    PLIMSOLL_TRY(check_pointer(found, "found"));
    PLIMSOLL_ASSIGN(const Bytes wanted, to_bytes(key, key_bytes, "key"));
    PLIMSOLL_ASSIGN(const bool there, transaction.exists(where, wanted));
    *found = there ? 1 : 0;
    return {};
  });
}

plimsoll_status plimsoll_count(plimsoll_txn* txn, plimsoll_table table, const plimsoll_range* range, uint64_t* count,
                               plimsoll_error* error) {
  return on_table(txn, table, error, [&](Transaction& transaction, Table where) -> Result<void> {
    PLIMSOLL_TRY(check_pointer(count, "count"));
    PLIMSOLL_ASSIGN(const Range wanted, to_range(range));
    PLIMSOLL_ASSIGN(*count, transaction.count(where, wanted));
    return {};
  });
}

plimsoll_status plimsoll_put(plimsoll_txn* txn, plimsoll_table table, const void* key, size_t key_bytes, const void* value,
                             size_t value_bytes, plimsoll_error* error) {
  return write_value(&Transaction::put, txn, table, {key, key_bytes}, {value, value_bytes}, error);
}

plimsoll_status plimsoll_insert(plimsoll_txn* txn, plimsoll_table table, const void* key, size_t key_bytes, const void* value,
                                size_t value_bytes, plimsoll_error* error) {
  return write_value(&Transaction::insert, txn, table, {key, key_bytes}, {value, value_bytes}, error);
}

plimsoll_status plimsoll_update(plimsoll_txn* txn, plimsoll_table table, const void* key, size_t key_bytes, const void* value,
                                size_t value_bytes, plimsoll_error* error) {
  return write_value(&Transaction::update, txn, table, {key, key_bytes}, {value, value_bytes}, error);
}

plimsoll_status plimsoll_erase(plimsoll_txn* txn, plimsoll_table table, const void* key, size_t key_bytes, int* erased,
                               plimsoll_error* error) {
  return on_table(txn, table, error, [&](Transaction& transaction, Table where) -> Result<void> {
    PLIMSOLL_ASSIGN(const Bytes wanted, to_bytes(key, key_bytes, "key"));
    PLIMSOLL_ASSIGN(const bool was_there, transaction.erase(where, wanted));
    set_if(erased, was_there ? 1 : 0);
    return {};
  });
}

plimsoll_status plimsoll_erase_range(plimsoll_txn* txn, plimsoll_table table, const plimsoll_range* range, uint64_t* erased,
                                     plimsoll_error* error) {
  return on_table(txn, table, error, [&](Transaction& transaction, Table where) -> Result<void> {
    PLIMSOLL_ASSIGN(const Range wanted, to_range(range));
    PLIMSOLL_ASSIGN(const std::uint64_t were_there, transaction.erase_range(where, wanted));
    set_if(erased, were_there);
    return {};
  });
}

const void* plimsoll_value_data(const plimsoll_value* value) { return value == nullptr ? nullptr : value->value.bytes().data(); }
size_t plimsoll_value_size(const plimsoll_value* value) { return value == nullptr ? 0 : value->value.bytes().size(); }

void plimsoll_value_free(plimsoll_value* value) {
  static_cast<void>(guarded(nullptr, [&]() -> Result<void> {
    delete value;
    return {};
  }));
}

}  // extern "C"
}  // namespace plimsoll::capi
