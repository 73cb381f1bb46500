#include "command/commands.hpp"

namespace plimsoll::cli {
namespace {

// In the order of `plimsoll --help`.
constexpr void (*commands[])(Program&) = {
    add_get,        add_put,    add_del, add_scan, add_count, add_tables,  add_load, add_dump,     add_backup, add_restore,
    add_shell,      add_stat,   add_top, add_txn,  add_check, add_compact, add_page, add_identify, add_log,    add_config,
#ifdef PLIMSOLL_CLI_BENCH
    add_bench,      add_stress,
#endif
    add_completion,
};

}  // namespace

void add_commands(Program& program) {
  for (const auto add : commands) add(program);
}

}  // namespace plimsoll::cli
