// What is behind the opaque handles of the C interface. Each owns one object of the C++ interface, whose rules for threads and
// lifetime it has; made and ended by the calls of this folder only.
#pragma once

#include <optional>

#include "plimsoll/c.h"
#include "plimsoll/database.hpp"

struct plimsoll_db {
  // Declared first: the store may send events until it is gone.
  plimsoll_event_sink on_event = nullptr;
  void* event_context = nullptr;
  std::optional<plimsoll::Database> database{};
};

struct plimsoll_txn {
  plimsoll::Transaction own{};
  plimsoll::Transaction* transaction = nullptr;  // `own`, or that of plimsoll_transact
};

struct plimsoll_value {
  plimsoll::Value value;
};

struct plimsoll_cursor {
  plimsoll::Cursor cursor;
};

struct plimsoll_reader {
  plimsoll::ValueReader reader;
};

struct plimsoll_writer {
  plimsoll::ValueWriter writer;
};
