// Values that are read and written in pieces.
#include "capi/call.hpp"
#include "capi/handles.hpp"

namespace plimsoll::capi {
extern "C" {

plimsoll_status plimsoll_reader_open(plimsoll_txn* txn, plimsoll_table table, const void* key, size_t key_bytes,
                                     plimsoll_reader** reader, plimsoll_error* error) {
  return guarded_making(reader, "reader", error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(txn, "txn"));
    PLIMSOLL_ASSIGN(const Table where, to_table(table));
    PLIMSOLL_ASSIGN(const Bytes wanted, to_bytes(key, key_bytes, "key"));
    PLIMSOLL_ASSIGN(std::optional<ValueReader> opened, txn->transaction->open_reader(where, wanted));
    if (!opened) return std::unexpected(Error(ErrorCode::not_found, "no such key"));
    *reader = new plimsoll_reader{std::move(*opened)};
    return {};
  });
}

uint64_t plimsoll_reader_size(const plimsoll_reader* reader) { return reader == nullptr ? 0 : reader->reader.size(); }

plimsoll_status plimsoll_reader_read(plimsoll_reader* reader, void* buffer, size_t capacity, size_t* bytes, plimsoll_error* error) {
  return guarded(error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(reader, "reader"));
    PLIMSOLL_TRY(check_pointer(bytes, "bytes"));
    PLIMSOLL_TRY(to_bytes(buffer, capacity, "buffer"));
    PLIMSOLL_ASSIGN(*bytes, reader->reader.read({static_cast<char*>(buffer), capacity}));
    return {};
  });
}

void plimsoll_reader_close(plimsoll_reader* reader) {
  static_cast<void>(guarded(nullptr, [&]() -> Result<void> {
    delete reader;
    return {};
  }));
}

plimsoll_status plimsoll_writer_open(plimsoll_txn* txn, plimsoll_table table, const void* key, size_t key_bytes,
                                     plimsoll_writer** writer, plimsoll_error* error) {
  return guarded_making(writer, "writer", error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(txn, "txn"));
    PLIMSOLL_ASSIGN(const Table where, to_table(table));
    PLIMSOLL_ASSIGN(const Bytes wanted, to_bytes(key, key_bytes, "key"));
    PLIMSOLL_ASSIGN(ValueWriter opened, txn->transaction->open_writer(where, wanted));
    *writer = new plimsoll_writer{std::move(opened)};
    return {};
  });
}

plimsoll_status plimsoll_writer_write(plimsoll_writer* writer, const void* piece, size_t piece_bytes, plimsoll_error* error) {
  return guarded(error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(writer, "writer"));
    PLIMSOLL_ASSIGN(const Bytes written, to_bytes(piece, piece_bytes, "piece"));
    return writer->writer.write(written);
  });
}

plimsoll_status plimsoll_writer_finish(plimsoll_writer* writer, plimsoll_error* error) {
  return guarded(error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(writer, "writer"));
    return writer->writer.finish();
  });
}

void plimsoll_writer_close(plimsoll_writer* writer) {
  static_cast<void>(guarded(nullptr, [&]() -> Result<void> {
    delete writer;
    return {};
  }));
}

}  // extern "C"
}  // namespace plimsoll::capi
