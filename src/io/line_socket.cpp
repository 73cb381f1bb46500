#include "io/line_socket.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "base/check.hpp"
#include "base/fail.hpp"
#include "io/os_error.hpp"

namespace plimsoll::io {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds client_patience{1000};  // with a client that does not read
constexpr int rest_ms = 100;                                // when the process has no descriptor left for a client

int left_ms(Clock::time_point until) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now());
  return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  const int fd_;
};

int open_folder(std::string_view folder) { return ::open(std::string(folder).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC); }

sockaddr_un address_in(int folder, std::string_view name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = fmt::format("/proc/self/fd/{}/{}", folder, name);
  PLIMSOLL_CHECK(path.size() < sizeof address.sun_path);
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

const sockaddr* plain(const sockaddr_un& address) { return reinterpret_cast<const sockaddr*>(&address); }

bool wait_until_ready(int fd, short what, int milliseconds) {
  pollfd one{fd, what, 0};
  int ready = 0;
  do ready = ::poll(&one, 1, milliseconds);
  while (ready < 0 && errno == EINTR);
  return ready > 0;
}

bool send_all(int fd, std::string_view bytes, Clock::time_point until) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (sent < 0 && errno == EINTR) {
      continue;
    } else if (errno != EAGAIN || !wait_until_ready(fd, POLLOUT, left_ms(until))) {
      return false;
    }
  }
  return true;
}

bool of_the_owner(int fd) {
  ucred peer{};
  socklen_t bytes = sizeof peer;
  return ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) == 0 && (peer.uid == ::geteuid() || peer.uid == 0);
}

}  // namespace

Result<std::unique_ptr<LineServer>> LineServer::start(std::string_view folder, std::string_view name, Answer answer) {
  std::unique_ptr<LineServer> server(new LineServer(std::string(name), std::move(answer)));
  PLIMSOLL_TRY(server->listen(folder));
  try {
    server->thread_ = std::thread([raw = server.get()] { raw->serve(); });
  } catch (const std::system_error& error) { return fail(ErrorCode::busy, "the system gives no thread: {}", error.what()); }
  return server;
}

Result<void> LineServer::listen(std::string_view folder) {
  folder_ = open_folder(folder);
  if (folder_ < 0) return fail_path(errno, "cannot open the folder", folder);
  stopping_ = ::eventfd(0, EFD_CLOEXEC);
  if (stopping_ < 0) return fail_path(errno, "cannot make an event for", folder);
  ::unlinkat(folder_, name_.c_str(), 0);
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener < 0) return fail_path(errno, "cannot make a socket in", folder);
  const sockaddr_un address = address_in(folder_, name_);
  // The mode of the socket is that of its file: nobody else can reach it in the moment before a chmod.
  if (::fchmod(listener, S_IRUSR | S_IWUSR) != 0 || ::bind(listener, plain(address), sizeof address) != 0 ||
      ::listen(listener, connections_max) != 0) {
    const int error = errno;
    ::close(listener);
    return fail_path(error, "cannot serve a socket in", folder);
  }
  listener_ = listener;
  return {};
}

LineServer::~LineServer() {
  if (thread_.joinable()) {
    const std::uint64_t one = 1;
    PLIMSOLL_CHECK(::write(stopping_, &one, sizeof one) == sizeof one);
    thread_.join();
  }
  for (Connection& connection : connections_) hang_up(connection);
  if (listener_ >= 0) {
    ::close(listener_);
    ::unlinkat(folder_, name_.c_str(), 0);
  }
  if (stopping_ >= 0) ::close(stopping_);
  if (folder_ >= 0) ::close(folder_);
}

void LineServer::serve() {
  for (bool rests = false;;) {
    std::array<pollfd, connections_max + 2> polled;
    polled[0] = {stopping_, POLLIN, 0};
    polled[1] = {rests ? -1 : listener_, POLLIN, 0};
    for (std::size_t i = 0; i < connections_max; ++i) polled[i + 2] = {connections_[i].fd, POLLIN, 0};  // -1 is passed over
    if (::poll(polled.data(), polled.size(), rests ? rest_ms : -1) < 0) {
      PLIMSOLL_CHECK(errno == EINTR || errno == ENOMEM);
      continue;
    }
    if (polled[0].revents != 0) return;
    for (std::size_t i = 0; i < connections_max; ++i)
      if (polled[i + 2].revents != 0) receive(connections_[i]);
    rests = polled[1].revents != 0 && !accept_one();
  }
}

// False: there was no descriptor for it. The client waits in the queue meanwhile.
bool LineServer::accept_one() {
  const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return errno != EMFILE && errno != ENFILE && errno != ENOMEM && errno != ENOBUFS;
  const auto unused = std::ranges::find(connections_, -1, &Connection::fd);
  if (unused == connections_.end() || !of_the_owner(fd)) {
    ::close(fd);
    return true;
  }
  unused->fd = fd;
  unused->filled = 0;
  return true;
}

void LineServer::receive(Connection& connection) {
  const ssize_t got =
      ::recv(connection.fd, connection.line.data() + connection.filled, connection.line.size() - connection.filled, MSG_DONTWAIT);
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (got <= 0) return hang_up(connection);
  connection.filled += static_cast<std::size_t>(got);
  if (!answer_lines(connection) || connection.filled == connection.line.size()) hang_up(connection);
}

// All complete lines; what follows them stays. False: the client does not read.
bool LineServer::answer_lines(Connection& connection) {
  for (const auto until = Clock::now() + client_patience;;) {
    const std::string_view received(connection.line.data(), connection.filled);
    const std::size_t end = received.find('\n');
    if (end == std::string_view::npos) return true;
    if (!send_all(connection.fd, answer_(received.substr(0, end)) + '\n', until)) return false;
    connection.filled -= end + 1;
    std::memmove(connection.line.data(), connection.line.data() + end + 1, connection.filled);
  }
}

void LineServer::hang_up(Connection& connection) {
  if (connection.fd >= 0) ::close(std::exchange(connection.fd, -1));
}

Result<std::string> ask_line(std::string_view folder, std::string_view name, std::string_view line,
                             std::chrono::milliseconds patience) {
  PLIMSOLL_CHECK(line.find('\n') == std::string_view::npos);
  const Descriptor directory(open_folder(folder));
  if (directory.get() < 0 && errno == ENOTDIR) return fail(ErrorCode::not_found, "{} is no folder: nobody serves it", folder);
  if (directory.get() < 0) return fail_path(errno, "cannot open the folder", folder);  // not_found, if it is not there
  const Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) return fail_path(errno, "cannot make a socket for", folder);
  const sockaddr_un address = address_in(directory.get(), name);
  // A server that is stopped accepts nobody: once its queue is full, connecting waits, too.
  const auto wait = std::max(patience, std::chrono::milliseconds(1));  // 0 would be for ever
  const timeval most{.tv_sec = wait.count() / 1000, .tv_usec = wait.count() % 1000 * 1000};
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most) != 0)
    return fail_path(errno, "cannot set up a socket for", folder);
  const auto until = Clock::now() + patience;
  int refused = 0;
  do refused = ::connect(socket.get(), plain(address), sizeof address);
  while (refused != 0 && errno == EINTR && left_ms(until) > 0);
  if (refused != 0) {
    if (errno == ENOENT || errno == ECONNREFUSED) return fail(ErrorCode::not_found, "nobody serves {}/{}", folder, name);
    if (errno == EAGAIN || errno == EINTR) return fail(ErrorCode::busy, "the server of {} accepts nobody", folder);
    return fail_path(errno, "cannot reach the server of", folder);
  }
  if (!send_all(socket.get(), std::string(line) + '\n', until))
    return fail(ErrorCode::io_error, "the server of {} hung up", folder);
  std::string answer;
  std::array<char, 16384> piece;
  for (;;) {
    if (!wait_until_ready(socket.get(), POLLIN, left_ms(until)))
      return fail(ErrorCode::busy, "the server of {} does not answer", folder);
    const ssize_t got = ::recv(socket.get(), piece.data(), piece.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return fail(ErrorCode::io_error, "the server of {} hung up", folder);
    answer.append(piece.data(), static_cast<std::size_t>(got));
    if (answer.back() != '\n') continue;
    answer.pop_back();
    return answer;
  }
}

}  // namespace plimsoll::io
