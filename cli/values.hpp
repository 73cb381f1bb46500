// Reading values in pieces, so that the store's budget need not hold them whole.
#pragma once

#include <functional>
#include <string>

#include "plimsoll/plimsoll.hpp"

namespace plimsoll::cli {

// Hands the value out piece by piece until the consumer answers false.
Result<void> read_value(ValueReader& reader, const std::function<bool(Bytes)>& consume);

// The value of a key that is known to be there, in the program's own memory.
Result<std::string> whole_value(Transaction& transaction, Table table, Bytes key);

}  // namespace plimsoll::cli
