// Cursors over a range of keys.
#include "capi/call.hpp"
#include "capi/handles.hpp"

namespace plimsoll::capi {
extern "C" {

plimsoll_status plimsoll_cursor_open(plimsoll_txn* txn, plimsoll_table table, const plimsoll_range* range, int32_t direction,
                                     plimsoll_cursor** cursor, plimsoll_error* error) {
  return guarded_making(cursor, "cursor", error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(txn, "txn"));
    PLIMSOLL_ASSIGN(const Table where, to_table(table));
    PLIMSOLL_ASSIGN(const Range wanted, to_range(range));
    if (direction != PLIMSOLL_FORWARD && direction != PLIMSOLL_BACKWARD)
      return fail(ErrorCode::invalid_argument, "direction is {}: 0 and 1 are allowed", direction);
    const Direction way = direction == PLIMSOLL_FORWARD ? Direction::forward : Direction::backward;
    PLIMSOLL_ASSIGN(Cursor opened, txn->transaction->cursor(where, wanted, way));
    *cursor = new plimsoll_cursor{std::move(opened)};
    return {};
  });
}

plimsoll_status plimsoll_cursor_next(plimsoll_cursor* cursor, plimsoll_error* error) {
  return guarded(error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(cursor, "cursor"));
    PLIMSOLL_ASSIGN(const bool more, cursor->cursor.next());
    if (!more) return std::unexpected(Error(ErrorCode::not_found, "the end of the range"));
    return {};
  });
}

plimsoll_status plimsoll_cursor_seek(plimsoll_cursor* cursor, const void* key, size_t key_bytes, plimsoll_error* error) {
  return guarded(error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(cursor, "cursor"));
    PLIMSOLL_ASSIGN(const Bytes wanted, to_bytes(key, key_bytes, "key"));
    return cursor->cursor.seek(wanted);
  });
}

plimsoll_bytes plimsoll_cursor_key(const plimsoll_cursor* cursor) {
  return from_bytes(cursor == nullptr ? Bytes{} : cursor->cursor.key());
}
plimsoll_bytes plimsoll_cursor_value(const plimsoll_cursor* cursor) {
  return from_bytes(cursor == nullptr ? Bytes{} : cursor->cursor.value());
}
int plimsoll_cursor_is_large(const plimsoll_cursor* cursor) { return cursor != nullptr && cursor->cursor.large() ? 1 : 0; }

void plimsoll_cursor_close(plimsoll_cursor* cursor) {
  static_cast<void>(guarded(nullptr, [&]() -> Result<void> {
    delete cursor;
    return {};
  }));
}

}  // extern "C"
}  // namespace plimsoll::capi
