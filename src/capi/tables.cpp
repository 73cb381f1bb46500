// Tables: open, drop, list.
#include "capi/call.hpp"
#include "capi/handles.hpp"
#include "capi/text.hpp"

namespace plimsoll::capi {
extern "C" {

plimsoll_status plimsoll_table_open(plimsoll_db* db, const void* name, size_t name_bytes, uint64_t flags, plimsoll_table* table,
                                    plimsoll_error* error) {
  return guarded(error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(db, "db"));
    PLIMSOLL_TRY(check_pointer(table, "table"));
    PLIMSOLL_TRY(check_flags(flags, PLIMSOLL_TABLE_CREATE, "flags"));
    PLIMSOLL_ASSIGN(const Bytes wanted, to_bytes(name, name_bytes, "name"));
    PLIMSOLL_ASSIGN(const Table opened,
                    db->database->open_table(wanted, {.create_if_missing = (flags & PLIMSOLL_TABLE_CREATE) != 0}));
    *table = from_table(opened);
    return {};
  });
}

plimsoll_status plimsoll_table_drop(plimsoll_db* db, const void* name, size_t name_bytes, plimsoll_error* error) {
  return guarded(error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(db, "db"));
    PLIMSOLL_ASSIGN(const Bytes wanted, to_bytes(name, name_bytes, "name"));
    return db->database->drop_table(wanted);
  });
}

plimsoll_status plimsoll_tables(plimsoll_db* db, plimsoll_each_table each, void* context, plimsoll_error* error) {
  return guarded(error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(db, "db"));
    PLIMSOLL_TRY(check_pointer(each, "each"));
    PLIMSOLL_ASSIGN(const std::vector<TableInfo> all, db->database->tables());
    for (const TableInfo& one : all) {
      const auto table = db->database->open_table(one.name);
      if (!table && table.error().code() == ErrorCode::not_found) continue;  // dropped meanwhile
      if (!table) return std::unexpected(table.error());
      if (each(context, one.name.c_str(), one.name.size(), from_table(*table)) != 0) break;
    }
    return {};
  });
}

plimsoll_status plimsoll_table_name(plimsoll_db* db, plimsoll_table table, char** name, size_t* name_bytes, plimsoll_error* error) {
  return guarded_making(name, "name", error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(db, "db"));
    PLIMSOLL_ASSIGN(const Table wanted, to_table(table));
    PLIMSOLL_ASSIGN(const std::string found, db->database->table_name(wanted));
    *name = to_text(found);
    set_if(name_bytes, found.size());
    return {};
  });
}

}  // extern "C"
}  // namespace plimsoll::capi
