// Plimsoll's options per kind of access.
#include "bench/peers/plimsoll_engine.hpp"

#include <filesystem>

namespace plimsoll::bench {

Result<std::unique_ptr<PlimsollEngine>> PlimsollEngine::open(const Settings& settings) {
  Options options;
  options.memory_budget = settings.memory_budget;
  options.page_size = settings.page_size;
  PLIMSOLL_ASSIGN(Database database, Database::open(settings.path, options));
  PLIMSOLL_ASSIGN(const Table table, database.open_table("rows", {.create_if_missing = true}));
  return std::unique_ptr<PlimsollEngine>(new PlimsollEngine(std::move(database), table, settings));
}

PlimsollEngine::PlimsollEngine(Database database, Table table, const Settings& settings)
    : database_(std::move(database)), table_(table) {
  reads_.isolation = settings.isolation;
  reads_.read_only = true;
  writes_.isolation = settings.isolation;
  writes_.durability = settings.durability;
  loads_.durability = Durability::relaxed;
}

Result<void> PlimsollEngine::Session::begin(Access access) {
  const bool reads_only = access == Access::single_read || access == Access::snapshot;
  const TransactionOptions& options = reads_only ? engine_.reads_ : access == Access::bulk_load ? engine_.loads_ : engine_.writes_;
  PLIMSOLL_ASSIGN(transaction_, engine_.database_.begin(options));
  return {};
}

void PlimsollEngine::Session::abort() {
  if (transaction_.active()) (void)transaction_.abort();  // what the abort says changes nothing: the transaction is over
}

namespace {

std::uint64_t value_of(const std::vector<NamedValue>& values, std::string_view wanted) {
  for (const NamedValue& value : values)
    if (value.name == wanted) return value.value;
  return 0;
}

}  // namespace

std::uint64_t PlimsollEngine::version_bytes() const { return value_of(database_.statistics().gauges, "version_bytes"); }

// As somebody else asks for one, through the control socket.
static Result<nlohmann::ordered_json> asked(Database& database, nlohmann::ordered_json request) {
  request["version"] = 1;
  nlohmann::ordered_json answer = nlohmann::ordered_json::parse(database.answer(request.dump()));
  if (answer.contains("error")) return fail(ErrorCode::io_error, "{}", answer["error"].dump());
  return answer["result"];
}

Result<void> PlimsollEngine::start_backup(const std::string& file) {
  PLIMSOLL_TRY(asked(database_, {{"request", "backup"}, {"file", std::filesystem::absolute(file).string()}}));
  return {};
}

Result<bool> PlimsollEngine::backup_runs() {
  PLIMSOLL_ASSIGN(const nlohmann::ordered_json state, asked(database_, {{"request", "backup_state"}}));
  if (state.contains("error")) return fail(ErrorCode::io_error, "{}", state["error"].dump());
  return state["state"] == "running";
}

Result<std::uint64_t> PlimsollEngine::rows_in_backup(const std::string& file) {
  PLIMSOLL_ASSIGN(const BackupReport report, check_backup(file));
  return report.total.records;
}

void PlimsollEngine::add_facts(nlohmann::ordered_json& facts) const {
  const Statistics statistics = database_.statistics();
  facts["memory_used_mib"] = static_cast<double>(statistics.memory_used) / static_cast<double>(1_MiB);
  for (std::string_view counter :
       {"tree_splits", "tree_merges", "pages_read", "pages_written", "checkpoints", "log_flushes", "lock_waits"})
    facts[std::string(counter)] = value_of(statistics.counters, counter);
}

}  // namespace plimsoll::bench
