// Lines of text over a Unix socket in a folder: a server with one thread, and a client that asks one question. Only processes of
// the owner, and the superuser's, are answered. Bounded: eight connections, lines of 4 KiB; who does not read its answer within a
// second is cut off. The folder's path may be longer than a socket's name: it is reached through an open handle.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "plimsoll/error.hpp"

namespace plimsoll::io {

class LineServer {
 public:
  // From a line, without its line feed, to the answer, which gets one. Called by the server's thread, one line at a time.
  using Answer = std::function<std::string(std::string_view line)>;

  // Replaces a socket of that name: the caller knows that nobody serves it.
  static Result<std::unique_ptr<LineServer>> start(std::string_view folder, std::string_view name, Answer answer);
  ~LineServer();  // waits for the answer under way, and removes the socket
  LineServer(const LineServer&) = delete;
  LineServer& operator=(const LineServer&) = delete;

 private:
  static constexpr std::size_t connections_max = 8, line_bytes_max = 4096;
  struct Connection {
    int fd = -1;
    std::size_t filled = 0;
    std::array<char, line_bytes_max> line;
  };

  LineServer(std::string name, Answer answer) : name_(std::move(name)), answer_(std::move(answer)) {}
  Result<void> listen(std::string_view folder);
  void serve();
  bool accept_one();
  void receive(Connection& connection);
  bool answer_lines(Connection& connection);
  static void hang_up(Connection& connection);

  const std::string name_;
  const Answer answer_;
  int folder_ = -1, listener_ = -1, stopping_ = -1;
  std::array<Connection, connections_max> connections_;
  std::thread thread_;
};

// The answer to `line`, without line feeds. not_found: nobody serves this socket. busy: no answer came within `patience`.
Result<std::string> ask_line(std::string_view folder, std::string_view name, std::string_view line,
                             std::chrono::milliseconds patience);

}  // namespace plimsoll::io
