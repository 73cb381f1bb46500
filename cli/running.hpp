// Questions to a store whether or not somebody has it open: to the process that has it, through its control socket, or else to the
// store itself, opened for as long as the answer takes. The answers are the same (docs/control-socket.md). Used by the commands
// that look at a store.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>

#include "arguments.hpp"
#include "failure.hpp"

namespace plimsoll::cli {

// The "result" of the request; what failed there fails here, with the same exit status.
Outcome<nlohmann::ordered_json> ask_store(const StoreArguments& store, const nlohmann::ordered_json& request);
// Of one that this process has open.
Outcome<nlohmann::ordered_json> ask_open_store(Database& db, const nlohmann::ordered_json& request);
// Only of a store that somebody has open; not_found says that nobody has.
Outcome<nlohmann::ordered_json> ask_running_store(const StoreArguments& store, const nlohmann::ordered_json& request);

// Waits for the end of long work that was asked for with the request `work`, and that has the number in `started`. Answers the last
// answer of `<work>_state`; `look` sees those before. `ask`: one of the above.
using Ask = std::function<Outcome<nlohmann::ordered_json>(const nlohmann::ordered_json& request)>;
Outcome<nlohmann::ordered_json> await_work(const Ask& ask, std::string_view work, const nlohmann::ordered_json& started,
                                           const std::string& path, const std::function<void(const nlohmann::ordered_json&)>& look);

// Long work where the store is open: in the process that has it open, or else in this one. A store that closes badly after it is a
// failure, unless the work has found problems: then these are the news.
Outcome<nlohmann::ordered_json> have_done(const StoreArguments& store, std::string_view work,
                                          const std::function<void(const nlohmann::ordered_json&)>& look);

// Fields of an answer. It comes from whatever version has the store open: what is missing is zero, empty, or an empty object.
std::uint64_t number_in(const nlohmann::ordered_json& answer, std::string_view field);
std::string text_in(const nlohmann::ordered_json& answer, std::string_view field);  // control characters escaped
const nlohmann::ordered_json& part_of(const nlohmann::ordered_json& answer, std::string_view field);

// The "error" of an answer.
Failure failure_in(const nlohmann::ordered_json& error, const std::string& path);

// {"version":1,"request":name}
nlohmann::ordered_json request_named(std::string_view name);

}  // namespace plimsoll::cli
