// Parsing and printing for the bench commands.
#include "bench/command_line.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/check.hpp"
#include "plimsoll/text.hpp"

namespace plimsoll::bench {
namespace {

const CLI::Validator size_check(
    [](std::string& text) {
      const auto size = parse_size(text);
      return size ? std::string() : size.error();
    },
    "SIZE");

}  // namespace

const CLI::Validator plain_number(
    [](std::string& text) {
      const std::size_t whole = std::min(text.find('.'), text.size());
      const auto digits = [](std::string_view part) { return part.find_first_not_of("0123456789") == std::string_view::npos; };
      const bool plain = whole > 0 && (text[0] != '0' || whole == 1) && digits(std::string_view(text).substr(0, whole)) &&
                         (whole == text.size() || (whole + 1 < text.size() && digits(std::string_view(text).substr(whole + 1))));
      return plain ? std::string() : fmt::format("'{}' is no plain number", text);
    },
    "");

void Overrides::add_run_to(CLI::App& app) {
  app.add_option("--threads", threads_, "threads")->check(plain_number)->check(CLI::Range(1, 1024));
  app.add_option("--seconds", seconds_, "how long to measure")->check(plain_number)->check(CLI::Range(0.01, 1e6));
  app.add_option("--keys", keys_, "rows")->check(plain_number)->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 40));
  app.add_option("--memory-budget", memory_budget_, "budget of the engine")->check(size_check);
  app.add_option("--seed", seed_, "seed of all random choices")->check(plain_number);
  app.add_option("--path", path_, "folder for the stores (default: a fresh one, removed at the end)")->type_name("FOLDER");
  app.add_flag("--keep", keep_, "keep the store, and use a loaded one that is there (needs --path)");
}

std::vector<CLI::Option*> Overrides::add_store_to(CLI::App& app) {
  return {app.add_option("--value-bytes", value_bytes_, "bytes of a value")->check(plain_number)->check(CLI::Range(16, 4096)),
          app.add_option("--page-size", page_size_, "page size of a new store")->check(size_check),
          app.add_option("--durability", durability_, "durable or relaxed commits")->check(CLI::IsMember({"durable", "relaxed"})),
          app.add_option("--isolation", isolation_, "isolation level")->check(CLI::IsMember({"read_committed", "snapshot"}))};
}

std::vector<CLI::Option*> Overrides::add_workload_to(CLI::App& app) {
  return {
      app.add_option("--distribution", distribution_, "how rows are drawn")->check(CLI::IsMember({"uniform", "zipf"})),
      app.add_option("--gets", gets_, "point reads in a read-only transaction")->check(plain_number)->check(CLI::Range(1, 10'000)),
      app.add_option("--open-updates", open_updates_, "recovery: updates of the transaction that the kill interrupts")
          ->check(plain_number),
      app.add_flag("--load-only", load_only_, "only load the store (with --keep)")};
}

Settings Overrides::apply(const Settings& defaults, std::string_view workload, const std::string& path) const {
  Settings settings = defaults;
  settings.workload = workload;
  settings.path = path;
  settings.threads = threads_.value_or(settings.threads);
  settings.seconds = seconds_.value_or(settings.seconds);
  // The interrupted transaction shrinks with the rows, unless it is given.
  if (keys_ && settings.open_updates > 0) settings.open_updates = *keys_;
  settings.keys = keys_.value_or(settings.keys);
  settings.value_bytes = value_bytes_.value_or(settings.value_bytes);
  settings.gets_per_transaction = gets_.value_or(settings.gets_per_transaction);
  settings.open_updates = open_updates_.value_or(settings.open_updates);
  settings.seed = seed_.value_or(settings.seed);
  settings.keep = keep_;
  settings.load_only = load_only_;
  if (memory_budget_) settings.memory_budget = parse_size(*memory_budget_).value_or(settings.memory_budget);
  if (page_size_) settings.page_size = parse_size(*page_size_).value_or(settings.page_size);
  if (durability_) settings.durability = *durability_ == "durable" ? Durability::durable : Durability::relaxed;
  if (distribution_) settings.distribution = *distribution_ == "zipf" ? Distribution::zipf : Distribution::uniform;
  if (isolation_) settings.isolation = *isolation_ == "read_committed" ? Isolation::read_committed : Isolation::snapshot;
  return settings;
}

// As the command line program's own commands report theirs.
static int print_failure(std::string_view command, std::string_view code, std::string_view message, int status, bool as_json) {
  if (as_json) {
    const nlohmann::ordered_json facts{{"command", command}, {"code", code}, {"message", message}, {"status", status}};
    fmt::print(stderr, "{}\n", nlohmann::ordered_json{{"error", facts}}.dump());
  } else {
    fmt::print(stderr, "{}: {}\n", command, message);
  }
  return status;
}

std::optional<int> parse(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& problem) {
    if (problem.get_exit_code() == 0) return app.exit(problem);  // --help
    const bool as_json =
        std::find(argv, argv + argc, std::string_view("--json")) != argv + argc;  // the parser may not have seen it
    return print_failure(app.get_name(), "usage", fmt::format("{} (see {} --help)", problem.what(), app.get_name()),
                         exit_wrong_usage, as_json);
  }
  return std::nullopt;
}

int report_failure(std::string_view what, const Error& error, bool as_json) {
  const int status = error.code() == ErrorCode::invalid_argument ? exit_wrong_usage : exit_failed;
  return print_failure(what, name(error.code()), error.message(), status, as_json);
}

void print_run(const std::string& json_text, bool as_json) {
  if (as_json) {
    fmt::print("{}\n", json_text);
    std::fflush(stdout);
    return;
  }
  const auto run = nlohmann::ordered_json::parse(json_text);
  PLIMSOLL_CHECK(run.is_object());
  for (const auto& [member, value] : run.items())
    fmt::print("{:32} {}\n", member, value.is_string() ? value.get<std::string>() : value.dump());
  fmt::print("\n");
  std::fflush(stdout);
}

}  // namespace plimsoll::bench
