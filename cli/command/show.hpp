// What one command and the shell both show of an open store.
#pragma once

#include "failure.hpp"
#include "output.hpp"
#include "plimsoll/plimsoll.hpp"

namespace plimsoll::cli {

Outcome<void> show_tables(Database& db, Output& output);                        // tables.cpp
Outcome<void> show_statistics(Database& db, bool memory_only, Output& output);  // stat.cpp

}  // namespace plimsoll::cli
