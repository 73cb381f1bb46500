#include "db/job.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <system_error>

namespace plimsoll::db {

namespace {
// Of this thread. One that is nicer already stays so.
void be_nice() {
  constexpr int nice = 5;
  const auto self = static_cast<id_t>(::gettid());
  if (::getpriority(PRIO_PROCESS, self) < nice) static_cast<void>(::setpriority(PRIO_PROCESS, self, nice));
}
}  // namespace

Result<void> JobThread::start(std::function<void()> work) {
  const MutexLock changing(mutex_);
  if (thread_.joinable()) thread_.join();
  called_off_.store(false);
  try {
    thread_ = std::thread([does = std::move(work)] {
      be_nice();
      does();
    });
  } catch (const std::system_error& error) { return fail(ErrorCode::busy, "the system gives no thread: {}", error.what()); }
  return {};
}

void JobThread::call_off() {
  const MutexLock changing(mutex_);
  called_off_.store(true);
  if (thread_.joinable()) thread_.join();
}

}  // namespace plimsoll::db
