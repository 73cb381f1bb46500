// The protocol between the comparison and its sides: one command a line ("warm SECONDS", "slice SECONDS", "finish", "end"), one
// JSON object a line back; an object with the member "problem" is a failure. End of file ends the child too, but a side that was
// started later holds a copy of the pipe: hence "end".
#include "bench/side_process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "bench/workloads/runner.hpp"

namespace plimsoll::bench {
namespace {

void say(std::FILE* to, const Json& object) {
  const std::string line = object.dump() + "\n";
  std::fwrite(line.data(), 1, line.size(), to);
  std::fflush(to);
}

void say(std::FILE* to, const Result<Json>& outcome) { say(to, outcome ? *outcome : Json{{"problem", outcome.error().message()}}); }

// The child's life. The workload and with it the store end inside, in order.
void serve(const EngineFacts& engine, const Settings& settings, std::FILE* commands, std::FILE* answers) {
  const std::unique_ptr<Workload> workload = engine.make(settings);
  PLIMSOLL_CHECK(workload != nullptr);
  SliceResult total;
  const auto prepared = workload->prepare();
  say(answers, prepared ? Result<Json>(Json::object()) : std::unexpected(prepared.error()));
  std::array<char, 128> line;
  while (std::fgets(line.data(), static_cast<int>(line.size()), commands) != nullptr) {
    const std::string_view command(line.data());
    const bool warm = command.starts_with("warm ");
    if (warm || command.starts_with("slice ")) {
      const Result<SliceResult> result = workload->run(std::strtod(line.data() + command.find(' '), nullptr), settings.threads);
      if (result && !warm) total.add(*result);
      say(answers, result ? Result<Json>(run_facts(engine.name, settings, *result, workload->store_folder()))
                          : std::unexpected(result.error()));
    } else if (command.starts_with("end")) {
      return;
    } else {
      Json facts = run_facts(engine.name, settings, total, workload->store_folder());
      const auto finished = workload->finish(facts);
      say(answers, finished ? Result<Json>(std::move(facts)) : std::unexpected(finished.error()));
    }
  }
}

}  // namespace

Result<std::unique_ptr<SideProcess>> SideProcess::start(const EngineFacts& engine, const Settings& settings) {
  int down[2] = {-1, -1};
  int up[2] = {-1, -1};
  if (::pipe2(down, O_CLOEXEC) != 0 || ::pipe2(up, O_CLOEXEC) != 0) return fail_os(errno, "make a pipe");
  const pid_t parent = ::getpid(), child = ::fork();
  if (child < 0) return fail_os(errno, "fork");
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);  // it died before that
    ::close(down[1]);
    ::close(up[0]);
    serve(engine, settings, ::fdopen(down[0], "r"), ::fdopen(up[1], "w"));
    ::_exit(0);  // nothing of the parent's may run twice
  }
  ::close(down[0]);
  ::close(up[1]);
  return std::unique_ptr<SideProcess>(new SideProcess(child, ::fdopen(down[1], "w"), ::fdopen(up[0], "r")));
}

SideProcess::~SideProcess() {
  if (commands_ != nullptr) (void)end();  // something else failed already
}

Result<void> SideProcess::end() {
  std::fputs("end\n", commands_);
  std::fclose(std::exchange(commands_, nullptr));
  std::fclose(answers_);
  int status = 0;
  ::waitpid(child_, &status, 0);
  if (status != 0) return fail(ErrorCode::io_error, "a side of the comparison died while it closed its store");
  return {};
}

Result<Json> SideProcess::wait_prepared() { return answer(); }
Result<Json> SideProcess::warm(double seconds) { return ask(fmt::format("warm {}\n", seconds)); }
Result<Json> SideProcess::slice(double seconds) { return ask(fmt::format("slice {}\n", seconds)); }
Result<Json> SideProcess::finish() { return ask("finish\n"); }

Result<Json> SideProcess::ask(const std::string& command) {
  std::fwrite(command.data(), 1, command.size(), commands_);
  std::fflush(commands_);
  return answer();
}

Result<Json> SideProcess::answer() {
  std::string text;
  for (int c = std::fgetc(answers_); c != EOF && c != '\n'; c = std::fgetc(answers_)) text.push_back(static_cast<char>(c));
  Json object = Json::parse(text, nullptr, false);
  if (object.is_discarded()) return fail(ErrorCode::io_error, "a side of the comparison died");
  if (object.contains("problem")) return fail(ErrorCode::io_error, "{}", object["problem"].get<std::string>());
  return object;
}

}  // namespace plimsoll::bench
