// A scenario: something that a program does with a store, while memory is refused to it. It returns the first error, and expects
// what it is answered otherwise.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "faults/life.hpp"

namespace plimsoll::test {

using Changes = std::vector<Change>;

inline constexpr int many = Life::small_records;

struct Scenario {
  const char* name;
  Result<void> (*run)(Life&);
  void (*prepare)(Life&) = nullptr;                                   // before each run, nothing fails
  enum Kind : std::uint8_t { goes_on, ends, begins } kind = goes_on;  // the store stays open; run closes it; run opens it
  bool on_memory_disk = false;                                        // no_space says the same there: the disk is the budget
};

inline Error wrong(std::string_view what) { return Error(ErrorCode::corruption, what); }

inline Result<void> expect_value(const std::optional<Value>& found, Bytes value) {
  if (!found || found->bytes() != value) return std::unexpected(wrong("a read that succeeded has answered something else"));
  return {};
}

std::span<const Scenario> scenarios_of_transactions();
std::span<const Scenario> scenarios_of_stores();

}  // namespace plimsoll::test
