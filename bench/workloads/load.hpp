// Filling a store with its rows, in ascending order and in large transactions, and checking rows afterwards.
#pragma once

#include <vector>

#include "base/fail.hpp"
#include "bench/workloads/engine.hpp"

namespace plimsoll::bench {

inline constexpr std::uint64_t load_batch_rows = 10'000;

// Puts rows 0 .. settings.keys - 1; `fill(out, number)` writes each value.
template <EngineLike E, class Fill>
Result<void> load_rows(E& engine, const Settings& settings, Fill fill) {
  PLIMSOLL_ASSIGN(auto session, engine.session());
  std::vector<char> value(settings.value_bytes);
  for (std::uint64_t number = 0; number < settings.keys;) {
    PLIMSOLL_TRY(session->begin(Access::bulk_load));
    const std::uint64_t end = std::min(settings.keys, number + load_batch_rows);
    for (; number < end; ++number) {
      fill(std::span<char>(value), number);
      PLIMSOLL_TRY(session->put(Key(number).bytes(), {value.data(), value.size()}));
    }
    PLIMSOLL_TRY(session->commit());
  }
  session.reset();
  return engine.settle();
}

// Reads every row: each must be there once, in order, and whole.
template <EngineLike E>
Result<void> verify_rows(E& engine, const Settings& settings) {
  PLIMSOLL_ASSIGN(auto session, engine.session());
  PLIMSOLL_TRY(session->begin(Access::snapshot));
  std::uint64_t next = 0;
  bool sound = true;
  PLIMSOLL_TRY(session->scan([&](Bytes key, Bytes value) {
    sound = key_number(key) == next && is_value_of(value, next);
    next += sound ? 1 : 0;
    return sound;
  }));
  PLIMSOLL_TRY(session->commit());
  if (!sound || next != settings.keys)
    return fail(ErrorCode::corruption, "row {} of {} is missing or damaged", next, settings.keys);
  return {};
}

}  // namespace plimsoll::bench
