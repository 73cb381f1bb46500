#include "running.hpp"

#include <fmt/core.h>

#include <array>
#include <chrono>
#include <thread>

#include "base/fail.hpp"
#include "render/bytes.hpp"

namespace plimsoll::cli {
namespace {

using nlohmann::ordered_json;

constexpr std::array all_codes{
#define PLIMSOLL_X(name, meaning, retryable) ErrorCode::name,
    PLIMSOLL_ERROR_CODES(PLIMSOLL_X)
#undef PLIMSOLL_X
};

Outcome<ordered_json> result_in(const std::string& answer, const std::string& path) {
  ordered_json parsed = ordered_json::parse(answer, nullptr, false);
  if (parsed.is_object() && parsed.contains("result")) return std::move(parsed["result"]);
  if (parsed.is_object() && parsed.contains("error")) return std::unexpected(failure_in(parsed["error"], path));
  return std::unexpected(
      Failure(Exit::failed, "io_error", fmt::format("the process that has '{}' open does not answer in JSON", path)));
}

std::string text_of(const ordered_json& request) { return request.dump(-1, ' ', false, ordered_json::error_handler_t::replace); }

}  // namespace

Failure failure_in(const ordered_json& error, const std::string& path) {
  const std::string code = error.value("code", ""), message = error.value("message", "");
  const auto known = std::ranges::find_if(all_codes, [&](ErrorCode one) { return name(one) == code; });
  Failure failure(Error(known == all_codes.end() ? ErrorCode::io_error : *known, ""));
  failure.message = fmt::format("the store '{}' answers: {}", path, message);
  return failure;
}

std::uint64_t number_in(const ordered_json& answer, std::string_view field) {
  const ordered_json& found = part_of(answer, field);
  return found.is_number_unsigned() ? found.get<std::uint64_t>() : 0;
}

std::string text_in(const ordered_json& answer, std::string_view field) {
  const ordered_json& found = part_of(answer, field);
  return found.is_string() ? escape_control(found.get_ref<const std::string&>()) : std::string();
}

const ordered_json& part_of(const ordered_json& answer, std::string_view field) {
  static const ordered_json nothing = ordered_json::object();
  if (!answer.is_object()) return nothing;
  const auto found = answer.find(field);
  return found == answer.end() ? nothing : *found;
}

ordered_json request_named(std::string_view name) { return {{"version", 1}, {"request", name}}; }

Outcome<ordered_json> ask_running_store(const StoreArguments& store, const ordered_json& request) {
  const Result<std::string> answer = ask(store.path, text_of(request));
  if (answer) return result_in(*answer, store.path);
  Failure failure(answer.error());
  if (answer.error().code() == ErrorCode::not_found) {
    failure.message = fmt::format("no process that answers has the store '{}' open", store.path);
    failure.hint = "`plimsoll identify` tells who has it open; one opened with control_socket = false does not answer";
  }
  return std::unexpected(std::move(failure));
}

Outcome<ordered_json> ask_open_store(Database& db, const ordered_json& request) {
  return result_in(db.answer(text_of(request)), "here");
}

Outcome<ordered_json> ask_store(const StoreArguments& store, const ordered_json& request) {
  auto running = ask_running_store(store, request);
  if (running || running.error().exit != Exit::not_found) return running;
  PLIMSOLL_ASSIGN(auto db, store.open());
  const std::string answer = db.answer(text_of(request));
  PLIMSOLL_TRY(close_store(db));
  return result_in(answer, store.path);
}

Outcome<ordered_json> await_work(const Ask& ask, std::string_view work, const ordered_json& started, const std::string& path,
                                 const std::function<void(const ordered_json&)>& look) {
  constexpr auto pause_max = std::chrono::milliseconds(50);
  const ordered_json question = request_named(fmt::format("{}_state", work));
  for (auto pause = std::chrono::milliseconds(1);; pause = std::min(2 * pause, pause_max)) {
    PLIMSOLL_ASSIGN(ordered_json state, ask(question));
    if (number_in(state, "number") != number_in(started, "number"))
      return std::unexpected(Failure(Exit::failed, "busy",
                                     fmt::format("the store '{}' was asked for another {} meanwhile", path, work),
                                     "what this one came to is not known"));
    if (state.contains("error")) return std::unexpected(failure_in(state["error"], path));
    if (text_in(state, "state") == "done") {
      for (const char* of_the_work : {"number", "state"}) state.erase(of_the_work);
      return state;
    }
    look(state);
    std::this_thread::sleep_for(pause);
  }
}

Outcome<ordered_json> have_done(const StoreArguments& store, std::string_view work,
                                const std::function<void(const ordered_json&)>& look) {
  const auto through = [&](const Ask& ask) -> Outcome<ordered_json> {
    PLIMSOLL_ASSIGN(const ordered_json started, ask(request_named(work)));
    return await_work(ask, work, started, store.path, look);
  };
  const auto ask_other = [&](const ordered_json& request) { return ask_running_store(store, request); };
  auto running = ask_other(request_named("process"));
  if (running) return through(ask_other);
  if (running.error().exit != Exit::not_found) return running;
  PLIMSOLL_ASSIGN(auto db, store.open());
  auto done = through([&](const ordered_json& request) { return ask_open_store(db, request); });
  const auto closed = close_store(db);
  if (done && !closed && part_of(*done, "problems").empty()) return std::unexpected(closed.error());
  return done;
}

}  // namespace plimsoll::cli
