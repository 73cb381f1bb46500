#include "input.hpp"

#include <fmt/core.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "base/check.hpp"

namespace plimsoll::cli {

Outcome<Input> Input::open(const std::string& path) {
  PLIMSOLL_DCHECK(!path.empty());
  if (path == "-") return Input(stdin, "standard input");
  std::FILE* file = std::fopen(path.c_str(), "rbe");
  if (file != nullptr) return Input(file, path);
  const int os_error = errno;
  return std::unexpected(Failure(os_error == ENOENT ? Exit::not_found : Exit::failed, os_error == ENOENT ? "not_found" : "io_error",
                                 fmt::format("cannot read the file '{}': {}", path, std::strerror(os_error))));
}

std::uint64_t Input::size() const {
  PLIMSOLL_CHECK(file_ != nullptr);
  struct stat facts{};
  if (fstat(fileno(file_.get()), &facts) != 0 || !S_ISREG(facts.st_mode)) return 0;
  PLIMSOLL_DCHECK(facts.st_size >= 0);
  return static_cast<std::uint64_t>(facts.st_size);
}

}  // namespace plimsoll::cli
