#include "db/control.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/fail.hpp"
#include "db/as_json.hpp"
#include "db/backup.hpp"
#include "db/store.hpp"
#include "io/line_socket.hpp"
#include "plimsoll/control.hpp"

namespace plimsoll {

Result<std::string> ask(std::string_view path, std::string_view request, std::chrono::milliseconds patience) {
  constexpr std::size_t request_bytes_max = 4095;
  if (request.size() > request_bytes_max || request.find('\n') != std::string_view::npos)
    return fail(ErrorCode::invalid_argument, "a request is one line of at most {} bytes", request_bytes_max);
  return io::ask_line(path, storage::control_name, request, patience);
}

namespace db {
namespace {

using nlohmann::ordered_json;

constexpr int protocol_version = 1;

Result<std::uint64_t> number(const ordered_json& request, const char* field) {
  const auto found = request.find(field);
  if (found == request.end() || !found->is_number_unsigned())
    return fail(ErrorCode::invalid_argument, "the request needs \"{}\", a number from 0", field);
  return found->get<std::uint64_t>();
}

Result<ordered_json> show_statistics(Store& store, const ordered_json& request) {
  const Statistics statistics = store.statistics();
  ordered_json shown = as_json(statistics, store.engine().contexts.list(), store.recovery_report());
  if (request.value("explain", ordered_json()) == true) shown["metrics"] = explained(statistics);
  return shown;
}

Result<ordered_json> show_transactions(Store& store, const ordered_json&) { return as_json(store.transactions().list()); }

Result<ordered_json> show_waits(Store& store, const ordered_json&) { return as_json(store.registry().wait_graph()); }

Result<ordered_json> show_process(Store& store, const ordered_json&) {
  return ordered_json{{"pid", ::getpid()}, {"page_size", store.page_bytes()}, {"protocol", protocol_version}};
}

Result<ordered_json> kill(Store& store, const ordered_json& request) {
  PLIMSOLL_ASSIGN(const std::uint64_t id, number(request, "id"));
  PLIMSOLL_TRY(store.kill(TxnId{id}));
  return ordered_json{{"killed", id}};
}

Result<ordered_json> release_memory(Store& store, const ordered_json& request) {
  PLIMSOLL_ASSIGN(const std::uint64_t bytes, number(request, "bytes"));
  return ordered_json{{"released_bytes", store.budget().pressure().release(bytes)}};
}

Result<ordered_json> set_memory_budget(Store& store, const ordered_json& request) {
  PLIMSOLL_ASSIGN(const std::uint64_t bytes, number(request, "bytes"));
  PLIMSOLL_TRY(store.budget().set_limit(bytes));
  return ordered_json{{"memory_budget", store.budget().limit()}};
}

Result<ordered_json> take_checkpoint(Store& store, const ordered_json&) {
  PLIMSOLL_TRY(store.checkpoint());
  return ordered_json{{"log_start", store.log().start().value}};
}

// The process may stand in another folder than who asks.
Result<ordered_json> start_backup(Store& store, const ordered_json& request) {
  const auto file = request.find("file");
  if (file == request.end() || !file->is_string() || !file->get_ref<const std::string&>().starts_with('/'))
    return fail(ErrorCode::invalid_argument, "the request needs \"file\", a path that begins with /");
  const auto work = [&store, name = file->get<std::string>()](const Job<BackupReport>::Watch& watch) {
    return backup(store, name, [&](const BackupProgress& progress) { return watch({.total = progress}); });
  };
  PLIMSOLL_ASSIGN(const std::uint64_t number, store.backup_job().start(file->get<std::string>(), work));
  return ordered_json{{"number", number}};
}

Result<ordered_json> show_backup(Store& store, const ordered_json&) { return as_json(store.backup_job().state()); }

Result<ordered_json> start_check(Store& store, const ordered_json&) {
  const auto work = [&store](const Job<VerifyReport>::Watch& watch) { return store.verify(watch); };
  PLIMSOLL_ASSIGN(const std::uint64_t number, store.check_job().start({}, work));
  return ordered_json{{"number", number}};
}

Result<ordered_json> show_check(Store& store, const ordered_json&) { return as_json(store.check_job().state()); }

Result<ordered_json> start_compaction(Store& store, const ordered_json&) {
  const auto work = [&store](const Job<CompactReport>::Watch& watch) { return store.compact(watch); };
  PLIMSOLL_ASSIGN(const std::uint64_t number, store.compact_job().start({}, work));
  return ordered_json{{"number", number}};
}

Result<ordered_json> show_compaction(Store& store, const ordered_json&) { return as_json(store.compact_job().state()); }

Result<ordered_json> reset_statistics(Store& store, const ordered_json&) {
  store.reset_statistics();
  return ordered_json::object();
}

struct Request {
  std::string_view name;
  Result<ordered_json> (*answer)(Store&, const ordered_json&);
};
constexpr std::array requests{Request{"stat", show_statistics},
                              Request{"transactions", show_transactions},
                              Request{"waits", show_waits},
                              Request{"process", show_process},
                              Request{"kill", kill},
                              Request{"release_memory", release_memory},
                              Request{"set_memory_budget", set_memory_budget},
                              Request{"checkpoint", take_checkpoint},
                              Request{"backup", start_backup},
                              Request{"backup_state", show_backup},
                              Request{"check", start_check},
                              Request{"check_state", show_check},
                              Request{"compact", start_compaction},
                              Request{"compact_state", show_compaction},
                              Request{"reset_statistics", reset_statistics}};

Result<ordered_json> result_of(Store& store, std::string_view line) {
  PLIMSOLL_TRY(store.usable());
  const ordered_json request = ordered_json::parse(line, nullptr, false);
  if (!request.is_object()) return fail(ErrorCode::invalid_argument, "a request is a JSON object");
  PLIMSOLL_ASSIGN(const std::uint64_t version, number(request, "version"));
  if (version != protocol_version)
    return fail(ErrorCode::version_mismatch, "the request has protocol version {}, this store answers version {}", version,
                protocol_version);
  const auto name = request.find("request");
  std::string known;
  for (const Request& one : requests) {
    if (name != request.end() && *name == one.name) return one.answer(store, request);
    known.append(known.empty() ? "" : ", ").append(one.name);
  }
  return fail(ErrorCode::invalid_argument, "\"request\" is none of {}", known);
}

std::string one_line(const ordered_json& answer) { return answer.dump(-1, ' ', false, ordered_json::error_handler_t::replace); }

}  // namespace

std::string answer(Store& store, std::string_view request) {
  try {
    const Result<ordered_json> result = result_of(store, request);
    if (result) return one_line({{"version", protocol_version}, {"result", *result}});
    const Error& error = result.error();
    return one_line({{"version", protocol_version}, {"error", {{"code", name(error.code())}, {"message", error.message()}}}});
  } catch (const std::exception&) {  // of the JSON library, or of the heap
    return fmt::format(R"({{"version":{},"error":{{"code":"io_error","message":"the request could not be answered"}}}})",
                       protocol_version);
  }
}

}  // namespace db
}  // namespace plimsoll
