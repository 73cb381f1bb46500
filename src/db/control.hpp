// What a store answers to requests in JSON (docs/control-socket.md), from its control socket or from Database::answer. Thread-safe.
#pragma once

#include <string>
#include <string_view>

namespace plimsoll::db {

class Store;

// Always an answer, of one line: a request that makes no sense, or that fails, is answered with its error. Never throws.
std::string answer(Store& store, std::string_view request);

}  // namespace plimsoll::db
