// The memory budget, pressure and accounts.
#include "capi/call.hpp"
#include "capi/handles.hpp"

namespace plimsoll::capi {
extern "C" {

plimsoll_status plimsoll_set_memory_budget(plimsoll_db* db, uint64_t bytes, plimsoll_error* error) {
  return guarded(error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(db, "db"));
    return db->database->set_memory_budget(bytes);
  });
}

plimsoll_status plimsoll_release_memory(plimsoll_db* db, uint64_t bytes, uint64_t* released, plimsoll_error* error) {
  return guarded(error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(db, "db"));
    set_if<std::uint64_t>(released, db->database->release_memory(bytes));
    return {};
  });
}

plimsoll_status plimsoll_set_pressure_level(plimsoll_db* db, int32_t level, plimsoll_error* error) {
  return guarded(error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(db, "db"));
    if (level < PLIMSOLL_PRESSURE_NORMAL || level > PLIMSOLL_PRESSURE_EMERGENCY)
      return fail(ErrorCode::invalid_argument, "level is {}: 0 .. 3 are allowed", level);
    db->database->set_pressure_level(static_cast<PressureLevel>(level));
    return {};
  });
}

plimsoll_status plimsoll_get_pressure_level(plimsoll_db* db, int32_t* level, plimsoll_error* error) {
  return guarded(error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(db, "db"));
    PLIMSOLL_TRY(check_pointer(level, "level"));
    *level = static_cast<std::int32_t>(db->database->pressure_level());
    return {};
  });
}

plimsoll_status plimsoll_memory_accounts(plimsoll_db* db, plimsoll_each_account each, void* context, plimsoll_error* error) {
  return guarded(error, [&]() -> Result<void> {
    PLIMSOLL_TRY(check_pointer(db, "db"));
    PLIMSOLL_TRY(check_pointer(each, "each"));
    const Statistics all = db->database->statistics();
    for (const AccountStats& account : all.accounts) {
      plimsoll_account handed{};
      handed.size = sizeof handed;
      handed.name = account.name.c_str();
      handed.parent = account.parent.c_str();
      handed.used_bytes = account.used_bytes;
      handed.peak_bytes = account.peak_bytes;
      handed.floor_bytes = account.floor_bytes;
      handed.cap_bytes = account.cap_bytes;
      handed.is_leaf = account.leaf ? 1 : 0;
      if (each(context, &handed) != 0) break;
    }
    return {};
  });
}

}  // extern "C"
}  // namespace plimsoll::capi
