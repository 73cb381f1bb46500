// The commands: one function each, in the file of its name, that adds a subcommand and says what it does. commands.cpp holds the
// table.
#pragma once

namespace plimsoll::cli {

class Program;

void add_commands(Program& program);

void add_backup(Program& program);
void add_bench(Program& program);
void add_check(Program& program);
void add_compact(Program& program);
void add_completion(Program& program);
void add_config(Program& program);
void add_count(Program& program);
void add_del(Program& program);
void add_dump(Program& program);
void add_get(Program& program);
void add_identify(Program& program);
void add_load(Program& program);
void add_log(Program& program);
void add_page(Program& program);
void add_put(Program& program);
void add_restore(Program& program);
void add_scan(Program& program);
void add_shell(Program& program);
void add_stat(Program& program);
void add_stress(Program& program);
void add_tables(Program& program);
void add_top(Program& program);
void add_txn(Program& program);

}  // namespace plimsoll::cli
