// The layout of the C interface's structs, as compiled programs know it. A struct may only grow, at its end: then its line here
// gets the new size, and FirstSize (sized.hpp) keeps the old one. No struct has padding at its end, where a later field would lie
// inside an older size.
#include <cstddef>

#include "plimsoll/c.h"

static_assert(sizeof(void*) == 8, "the sizes below are those of 64-bit machines");

#define PLIMSOLL_LAYOUT(type, bytes, last)                     \
  static_assert(offsetof(type, size) == 0);                    \
  static_assert(sizeof(type) == (bytes), "the ABI of " #type); \
  static_assert(offsetof(type, last) + sizeof(type::last) == sizeof(type), #type " has padding at its end")

PLIMSOLL_LAYOUT(plimsoll_error, 576, message);
PLIMSOLL_LAYOUT(plimsoll_event, 32, text);
PLIMSOLL_LAYOUT(plimsoll_options, 112, event_context);
PLIMSOLL_LAYOUT(plimsoll_info, 48, log_start_lsn);
PLIMSOLL_LAYOUT(plimsoll_recovery, 64, seconds);
PLIMSOLL_LAYOUT(plimsoll_problem, 40, what);
PLIMSOLL_LAYOUT(plimsoll_verify_report, 64, space_compared);
PLIMSOLL_LAYOUT(plimsoll_backup_report, 80, follow_from);
PLIMSOLL_LAYOUT(plimsoll_txn_options, 72, label);
PLIMSOLL_LAYOUT(plimsoll_txn_info, 80, prepared);
PLIMSOLL_LAYOUT(plimsoll_account, 64, is_leaf);
PLIMSOLL_LAYOUT(plimsoll_log_entry, 88, out_of_line);

static_assert(sizeof(plimsoll_table) == 24 && sizeof(plimsoll_bytes) == 16 && sizeof(plimsoll_range) == 32);
