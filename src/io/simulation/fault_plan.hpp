// Which calls of a simulated file system fail, and when the power does. Counts and, if asked, records every call.
// Used under the mutex of its file system.
//
// A call is admitted before it is done; the verdict says what is to become of it. Calls that change something are numbered in order
// ("changes"): the power fails at one of them. That call is in flight: it takes effect, but nothing of it is durable, and it
// answers EIO as does every call after it.
#pragma once

#include <array>
#include <cerrno>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace plimsoll::io::simulation {

// A batch counts each transfer. A durable write counts as a write and then a sync; opening with OpenMode::create, and taking a lock
// whose file is not there, as create. `look`: size, allocated, exists, list, lock_holder.
enum class Operation : std::uint8_t {
  read,
  write,
  sync,
  resize,
  allocate,
  deallocate,
  open,
  create,
  rename,
  remove,
  make_directory,
  sync_directory,
  lock,
  look,
  count_
};
constexpr std::size_t operations = static_cast<std::size_t>(Operation::count_);
std::string_view name(Operation operation);
constexpr bool changes_something(Operation operation) {
  return operation != Operation::read && operation != Operation::open && operation != Operation::lock &&
         operation != Operation::look;
}

struct Fault {
  Operation operation = Operation::write;
  std::uint64_t nth = 1;  // the first such call from now on is 1
  int os_error = EIO;
  bool from_then_on = false;    // or once
  std::size_t lands_bytes = 0;  // of a failing write: so long a prefix is written
};

struct Verdict {
  int os_error = 0;
  bool in_flight = false;  // the power failed during this call
  std::size_t lands_bytes = 0;

  bool good() const { return os_error == 0; }
  bool takes_effect() const { return good() || in_flight; }
};

struct Call {
  Operation operation{};
  std::string path;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  int os_error = 0;  // injected, or of the power failure
};

class FaultPlan {
 public:
  Verdict admit(Operation operation, std::string_view path, std::uint64_t offset = 0, std::uint64_t bytes = 0);

  void inject(const Fault& fault);
  void clear_faults() { faults_.clear(); }
  // The nth change from now on is the last: 1 is the next one.
  void power_fails_at(std::uint64_t nth);
  void power_returns();
  bool powered() const { return powered_; }

  std::uint64_t count(Operation operation) const { return counts_[static_cast<std::size_t>(operation)]; }
  std::uint64_t changes() const { return changes_; }
  std::uint64_t faults_fired() const { return faults_fired_; }

  void record(bool on) { recording_ = on; }
  const std::vector<Call>& calls() const { return calls_; }

 private:
  struct Armed {
    Fault fault;
    std::uint64_t at;  // the operation's count when it fires
  };
  Verdict judge(Operation operation);

  std::array<std::uint64_t, operations> counts_{};
  std::uint64_t changes_ = 0;
  std::uint64_t power_fails_at_ = 0;  // the change's number, 0: never
  std::uint64_t faults_fired_ = 0;
  bool powered_ = true;
  bool recording_ = false;
  std::vector<Armed> faults_;
  std::vector<Call> calls_;
};

}  // namespace plimsoll::io::simulation
