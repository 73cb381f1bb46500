#include "io/simulation/fault_plan.hpp"

#include "base/check.hpp"

namespace plimsoll::io::simulation {

std::string_view name(Operation operation) {
  static constexpr std::array<std::string_view, operations> names = {
      "read",   "write",  "sync",   "resize",         "allocate",       "deallocate", "open",
      "create", "rename", "remove", "make_directory", "sync_directory", "lock",       "look"};
  PLIMSOLL_CHECK(operation < Operation::count_);
  return names[static_cast<std::size_t>(operation)];
}

void FaultPlan::inject(const Fault& fault) {
  PLIMSOLL_CHECK(fault.nth > 0 && fault.os_error > 0);
  faults_.push_back({fault, count(fault.operation) + fault.nth});
}

void FaultPlan::power_fails_at(std::uint64_t nth) {
  PLIMSOLL_CHECK(nth > 0);
  power_fails_at_ = changes_ + nth;
}

void FaultPlan::power_returns() {
  power_fails_at_ = 0;
  powered_ = true;
}

Verdict FaultPlan::judge(Operation operation) {
  if (!powered_) return {.os_error = EIO};
  if (changes_something(operation) && ++changes_ == power_fails_at_) {
    powered_ = false;
    return {.os_error = EIO, .in_flight = true};
  }
  const std::uint64_t now = count(operation);
  for (const Armed& armed : faults_) {
    if (armed.fault.operation != operation) continue;
    if (now != armed.at && !(armed.fault.from_then_on && now > armed.at)) continue;
    ++faults_fired_;
    return {.os_error = armed.fault.os_error, .lands_bytes = armed.fault.lands_bytes};
  }
  return {};
}

Verdict FaultPlan::admit(Operation operation, std::string_view path, std::uint64_t offset, std::uint64_t bytes) {
  ++counts_[static_cast<std::size_t>(operation)];
  const Verdict verdict = judge(operation);
  PLIMSOLL_DCHECK(verdict.os_error != 0 || !verdict.in_flight);
  if (recording_) calls_.push_back({operation, std::string(path), offset, bytes, verdict.os_error});
  return verdict;
}

}  // namespace plimsoll::io::simulation
