// plimsoll top: a running store, live: its memory and pressure, what it does a second, the transactions that hold most or run
// longest. On a terminal the screen is drawn again each time; in a pipe each time is a line, with --json an object.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/fail.hpp"
#include "command/commands.hpp"
#include "plimsoll/text.hpp"
#include "program.hpp"
#include "render/bytes.hpp"
#include "render/quantity.hpp"
#include "render/table.hpp"
#include "running.hpp"

namespace plimsoll::cli {
namespace {

using nlohmann::ordered_json;
using enum TextTable::Align;
using Clock = std::chrono::steady_clock;

struct Arguments {
  StoreArguments store;
  std::chrono::nanoseconds interval = std::chrono::seconds(1);
  std::uint64_t count = 0;  // 0: until interrupted, or until the store is closed
};

// What is shown as a rate: the counter, and its heading.
struct Rate {
  const char* counter;
  const char* heading;
};
constexpr Rate rates[] = {{"transactions_committed", "commits/s"},
                          {"transactions_aborted", "aborts/s"},
                          {"point_reads", "reads/s"},
                          {"records_written", "writes/s"},
                          {"pages_read", "pages in/s"},
                          {"pages_written", "pages out/s"},
                          {"log_bytes", "log bytes/s"}};

struct Sample {
  Clock::time_point at;
  ordered_json stat, transactions;
};

Outcome<Sample> take(const StoreArguments& store) {
  Sample sample;
  PLIMSOLL_ASSIGN(sample.stat, ask_running_store(store, request_named("stat")));
  PLIMSOLL_ASSIGN(sample.transactions, ask_running_store(store, request_named("transactions")));
  sample.at = Clock::now();
  return sample;
}

// Counters may have been reset in between; then the rate is what was counted since.
std::uint64_t rate(const Sample& before, const Sample& now, const char* counter) {
  const std::uint64_t then = number_in(part_of(before.stat, "counters"), counter),
                      count = number_in(part_of(now.stat, "counters"), counter);
  const double seconds = std::max(std::chrono::duration<double>(now.at - before.at).count(), 1e-3);
  return static_cast<std::uint64_t>(static_cast<double>(count < then ? count : count - then) / seconds);
}

void show_json(const Sample& before, const Sample& now, Output& output) {
  ordered_json per_second = ordered_json::object();
  for (const Rate& one : rates) per_second[one.counter] = rate(before, now, one.counter);
  output.object({{"memory_used", number_in(now.stat, "memory_used")},
                 {"memory_budget", number_in(now.stat, "memory_budget")},
                 {"level", text_in(part_of(now.stat, "pressure"), "level")},
                 {"per_second", per_second},
                 {"transactions", now.transactions}});
}

void show_line(const Sample& before, const Sample& now, bool first, Output& output) {
  if (first) {
    std::string heading = "used\tbudget\tlevel\ttransactions";
    for (const Rate& one : rates) heading.append("\t").append(one.heading);
    output.line(heading);
  }
  std::string line = fmt::format("{}\t{}\t{}\t{}", number_in(now.stat, "memory_used"), number_in(now.stat, "memory_budget"),
                                 text_in(part_of(now.stat, "pressure"), "level"), now.transactions.size());
  for (const Rate& one : rates) line += fmt::format("\t{}", rate(before, now, one.counter));
  output.line(line);
}

void show_screen(const Sample& before, const Sample& now, Output& output) {
  constexpr std::string_view from_the_top = "\x1b[H\x1b[J";
  constexpr std::size_t transactions_shown = 12;
  const ordered_json& pressure = part_of(now.stat, "pressure");
  output.write(from_the_top);
  output.line(fmt::format("memory: {} of {} used, {} needed; pressure {}; {} transactions",
                          render_size(number_in(now.stat, "memory_used")), render_size(number_in(now.stat, "memory_budget")),
                          render_size(number_in(pressure, "needed_bytes")), text_in(pressure, "level"), now.transactions.size()));
  for (const Rate& one : rates) output.write(fmt::format("{} {}  ", render_count(rate(before, now, one.counter)), one.heading));
  output.write("\n\n");

  TextTable accounts({{"account"}, {"used", right}, {"peak", right}, {"cap", right}});
  for (const auto& [name, account] : part_of(now.stat, "accounts").items())
    if (number_in(account, "used_bytes") != 0)
      accounts.add({escape_control(name), render_size(number_in(account, "used_bytes")),
                    render_size(number_in(account, "peak_bytes")),
                    number_in(account, "cap_bytes") == 0 ? "" : render_size(number_in(account, "cap_bytes"))});
  output.write(accounts.render(true) + "\n");

  TextTable rungs({{"rung"}, {"taken", right}, {"freed", right}, {"in vain", right}});
  for (const auto& [name, rung] : part_of(pressure, "rungs").items())
    rungs.add({escape_control(name), render_count(number_in(rung, "fired")), render_size(number_in(rung, "freed_bytes")),
               render_count(number_in(rung, "in_vain"))});
  output.write(rungs.render(true) + "\n");

  std::vector<ordered_json> oldest(now.transactions.begin(), now.transactions.end());
  std::ranges::stable_sort(oldest, std::ranges::greater(), [](const ordered_json& one) { return number_in(one, "age_ms"); });
  oldest.resize(std::min(oldest.size(), transactions_shown));
  TextTable table({{"transaction", right}, {"state"}, {"age", right}, {"written", right}, {"waits for", right}, {"label"}});
  for (const ordered_json& one : oldest)
    table.add({fmt::format("{}", number_in(one, "id")), text_in(one, "state"),
               render_duration(std::chrono::milliseconds(number_in(one, "age_ms"))), render_size(number_in(one, "written_bytes")),
               number_in(one, "waits_for") == 0 ? "" : fmt::format("{}", number_in(one, "waits_for")), text_in(one, "label")});
  output.write(table.render(true));
}

Outcome<Exit> run(const Arguments& arguments, Output& output) {
  PLIMSOLL_ASSIGN(Sample before, take(arguments.store));
  for (std::uint64_t shown = 0; !output.failed() && (arguments.count == 0 || shown < arguments.count); ++shown) {
    std::this_thread::sleep_for(arguments.interval);
    auto now = take(arguments.store);
    if (!now && now.error().exit == Exit::not_found && shown != 0) break;  // the store was closed
    if (!now) return std::unexpected(now.error());
    if (output.json()) {
      show_json(before, *now, output);
    } else if (output.terminal()) {
      show_screen(before, *now, output);
    } else {
      show_line(before, *now, shown == 0, output);
    }
    PLIMSOLL_TRY(output.finish());
    before = std::move(*now);
  }
  return Exit::done;
}

}  // namespace

void add_top(Program& program) {
  auto* command = program.app().add_subcommand("top", "Watch a running store: memory, pressure, rates, transactions");
  auto arguments = std::make_shared<Arguments>();
  command->add_option("STORE", arguments->store.path, "Folder of the store, which some process has open")->required();
  command
      ->add_option_function<std::string>(
          "--interval",
          [arguments](const std::string& word) {
            const auto interval = parse_duration(word);
            if (!interval) throw CLI::ValidationError("--interval", interval.error());
            if (*interval < std::chrono::milliseconds(10)) throw CLI::ValidationError("--interval", "the least is 10ms");
            arguments->interval = *interval;
          },
          "Time between two looks (default 1s)")
      ->type_name("DURATION");
  command->add_option("--count", arguments->count, "End after so many looks (default: go on)")->type_name("N");
  program.runs(*command, [arguments](Output& output) { return run(*arguments, output); });
}

}  // namespace plimsoll::cli
