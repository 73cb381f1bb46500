// The line server and who asks it: answers, and what happens when one of the two does not go on.
#include "io/line_socket.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <thread>
#include <vector>

namespace plimsoll::io {
namespace {

class LineSocket : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/line_socket_XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    folder_ = name;
  }
  void TearDown() override {
    for (const int fd : descriptors_) ::close(fd);
    std::filesystem::remove_all(folder_);
  }
  int socket(int more) {
    descriptors_.push_back(::socket(AF_UNIX, SOCK_STREAM | more, 0));
    EXPECT_GE(descriptors_.back(), 0);
    return descriptors_.back();
  }
  sockaddr_un address() const {
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    const std::string path = folder_ + "/s";
    std::memcpy(to.sun_path, path.data(), path.size());
    return to;
  }
  template <class Call>
  int with_address(Call call, int fd) const {
    const sockaddr_un to = address();
    return call(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to);
  }
  std::string folder_;
  std::vector<int> descriptors_;
};

constexpr std::chrono::milliseconds long_time{60'000};

TEST_F(LineSocket, AnswersLineByLine) {
  auto server = LineServer::start(folder_, "s", [](std::string_view line) { return "<" + std::string(line) + ">"; });
  ASSERT_TRUE(server) << server.error().message();
  for (const char* line : {"one", "", "three words here"}) {
    auto answer = ask_line(folder_, "s", line, long_time);
    ASSERT_TRUE(answer) << answer.error().message();
    EXPECT_EQ(*answer, "<" + std::string(line) + ">");
  }
  server->reset();
  EXPECT_EQ(ask_line(folder_, "s", "x", long_time).error().code(), ErrorCode::not_found);
}

// As of a process that is stopped: it is there, and its queue is full.
TEST_F(LineSocket, AServerThatAcceptsNobodyIsBusy) {
  const int listener = socket(0);
  ASSERT_EQ(with_address(::bind, listener), 0);
  ASSERT_EQ(::listen(listener, 1), 0);
  bool full = false;
  for (int i = 0; i < 100 && !full; ++i) full = with_address(::connect, socket(SOCK_NONBLOCK)) != 0;
  ASSERT_TRUE(full);
  auto answer = ask_line(folder_, "s", "x", std::chrono::milliseconds(200));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), ErrorCode::busy) << answer.error().message();
}

TEST_F(LineSocket, AServerThatDoesNotAnswerIsBusy) {
  const int listener = socket(0);
  ASSERT_EQ(with_address(::bind, listener), 0);
  ASSERT_EQ(::listen(listener, 1), 0);
  auto answer = ask_line(folder_, "s", "x", std::chrono::milliseconds(50));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), ErrorCode::busy) << answer.error().message();
}

// Who comes while the process has no descriptor left waits, and the server neither ends nor spins.
TEST_F(LineSocket, WithoutDescriptorsAClientWaits) {
  auto server = LineServer::start(folder_, "s", [](std::string_view) { return std::string("here"); });
  ASSERT_TRUE(server) << server.error().message();
  int client = socket(0);
  while (client < 32) client = socket(0);  // a limit below the number of descriptors to wait for is another error
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{.rlim_cur = static_cast<rlim_t>(client) + 1, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  ASSERT_EQ(with_address(::connect, client), 0);
  const auto cpu_us = [] {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1'000'000 + used.ru_utime.tv_usec + used.ru_stime.tv_usec;
  };
  const auto begun = cpu_us();
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  const auto used = cpu_us() - begun;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_LT(used, 100'000) << "the server never rests";
  ASSERT_EQ(::send(client, "x\n", 2, 0), 2);
  char answer[16] = {};
  EXPECT_EQ(::recv(client, answer, sizeof answer, 0), 5);
  EXPECT_STREQ(answer, "here\n");
}

}  // namespace
}  // namespace plimsoll::io
