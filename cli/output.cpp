#include "output.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/check.hpp"

namespace plimsoll::cli {

Output::Output(std::FILE* file) : file_(file), terminal_(isatty(fileno(file)) == 1) { PLIMSOLL_CHECK(file_ != nullptr); }

void Output::write(Bytes bytes) {
  if (failed() || bytes.empty()) return;
  errno = 0;
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size()) os_error_ = errno != 0 ? errno : EIO;
}

void Output::line(Bytes bytes) {
  write(bytes);
  write("\n");
}

void Output::object(const nlohmann::ordered_json& value) {
  line(value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

bool Output::closed_by_reader() const { return os_error_ == EPIPE; }

Outcome<void> Output::finish() {
  errno = 0;
  if (!failed() && std::fflush(file_) != 0) os_error_ = errno != 0 ? errno : EIO;
  if (!failed()) return {};
  return std::unexpected(
      Failure(Exit::failed, "io_error", fmt::format("cannot write to standard output: {}", std::strerror(os_error_))));
}

}  // namespace plimsoll::cli
