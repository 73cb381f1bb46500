// Reading records as get, scan and the shell do: values in pieces, so that the store's budget need not hold them whole.
#pragma once

#include <functional>
#include <string>

#include "output.hpp"
#include "plimsoll/plimsoll.hpp"
#include "render/bytes.hpp"

namespace plimsoll::cli {

// Hands the value out piece by piece until the consumer answers false.
Result<void> read_value(ValueReader& reader, const std::function<bool(Bytes)>& consume);

// The value of a key that is known to be there, in the program's own memory.
Result<std::string> whole_value(Transaction& transaction, Table table, Bytes key);

// Prints the value, without a line feed. Encoding::text passes the bytes on as they are, piece by piece; the others hold it whole.
Result<void> print_value(ValueReader& reader, Encoding encoding, Output& output);

struct Scan {
  Range range{};
  Direction direction = Direction::forward;
  std::uint64_t limit = UINT64_MAX;
  bool keys_only = false;
};
// Hands the records out in order, with empty values if only keys are asked for, until the consumer answers false.
Result<void> scan_records(Transaction& transaction, Table table, const Scan& scan,
                          const std::function<bool(Bytes key, Bytes value)>& consume);

}  // namespace plimsoll::cli
