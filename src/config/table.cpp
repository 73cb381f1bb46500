#include "config/table.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <limits>
#include <type_traits>

#include "base/check.hpp"
#include "base/fail.hpp"
#include "plimsoll/text.hpp"

namespace plimsoll::config {
namespace {

using enum OptionKind;
using std::chrono::milliseconds;

constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t longest_ms = static_cast<std::uint64_t>(milliseconds::max().count());  // above: a negative duration

constexpr OptionChoice io_backends[] = {{"auto", static_cast<std::uint64_t>(IoBackend::automatic)},
                                        {"uring", static_cast<std::uint64_t>(IoBackend::uring)},
                                        {"plain", static_cast<std::uint64_t>(IoBackend::plain)}};
// Those that exist so far (docs/limitations.md).
constexpr OptionChoice isolations[] = {{"read_committed", static_cast<std::uint64_t>(Isolation::read_committed)},
                                       {"snapshot", static_cast<std::uint64_t>(Isolation::snapshot)}};
constexpr OptionChoice durabilities[] = {{"durable", static_cast<std::uint64_t>(Durability::durable)},
                                         {"relaxed", static_cast<std::uint64_t>(Durability::relaxed)}};

// The struct that has the field.
template <class AnySettings, class Struct, class T>
auto& part(AnySettings& settings, T Struct::*) {
  if constexpr (std::is_same_v<Struct, Options>) {
    return settings.options;
  } else {
    return settings.transaction;
  }
}

template <auto field>
std::uint64_t get(const Settings& settings) {
  const auto value = part(settings, field).*field;
  if constexpr (std::is_same_v<decltype(value), const milliseconds>) {
    return static_cast<std::uint64_t>(value.count());
  } else {
    return static_cast<std::uint64_t>(value);
  }
}

template <auto field>
void set(Settings& settings, std::uint64_t value) {
  auto& to = part(settings, field).*field;
  using Field = std::remove_reference_t<decltype(to)>;
  if constexpr (std::is_same_v<Field, milliseconds>) {
    to = milliseconds(static_cast<std::int64_t>(value));
  } else {
    to = static_cast<Field>(value);
  }
}

template <auto field>
constexpr Entry entry(OptionFacts facts) {
  return {facts, get<field>, set<field>};
}
constexpr Entry program_entry(std::string_view name, std::string_view why, OptionUse use = OptionUse::embedding) {
  return {{.name = name, .kind = program, .use = use, .help = why}};
}

constexpr Entry table[] = {
    entry<&Options::memory_budget>({.name = "memory_budget",
                                    .kind = size,
                                    .help = "Hard limit of the memory that the store uses",
                                    .least = memory_budget_least,
                                    .most = memory_budget_most}),
    entry<&Options::follow_container_limit>({.name = "follow_container_limit",
                                             .kind = boolean,
                                             .help = "Lower the limit while the container or the machine has less room than that"}),
    entry<&Options::memory_deadline>(
        {.name = "memory_deadline",
         .kind = duration,
         .help = "How long a call waits for memory that others free; ten times as long for what would fit",
         .most = longest_ms,
         .zero = "not at all"}),
    entry<&Options::max_transactions>({.name = "max_transactions",
                                       .kind = count,
                                       .help = "Transactions that can be open at the same time",
                                       .least = 1,
                                       .most = 131'072}),
    entry<&Options::transaction_deadline>({.name = "transaction_deadline",
                                           .kind = duration,
                                           .help = "How long a transaction may take until it is aborted",
                                           .most = longest_ms,
                                           .zero = "no deadline"}),
    entry<&Options::lock_deadline>({.name = "lock_deadline",
                                    .kind = duration,
                                    .help = "How long a call waits for another transaction",
                                    .most = longest_ms,
                                    .zero = "no deadline"}),
    entry<&Options::retention>({.name = "retention",
                                .kind = duration,
                                .help = "How far back transactions may read the past",
                                .most = longest_ms,
                                .zero = "not at all"}),
    entry<&Options::io_backend>({.name = "io_backend",
                                 .kind = choice,
                                 .help = "How files are read and written: auto is uring where the system has it, else plain",
                                 .choices = io_backends}),
    entry<&Options::log_bytes_max>({.name = "log_bytes_max",
                                    .kind = size,
                                    .help = "Log kept on disk; at least four segments",
                                    .least = log_segments_least * 64_KiB,
                                    .most = std::uint64_t{1} << 42,
                                    .zero = "chosen from the budget"}),
    entry<&Options::log_ring_bytes>({.name = "log_ring_bytes",
                                     .kind = size,
                                     .help = "Memory in which the log's records wait to be written",
                                     .least = 256_KiB,
                                     .most = 1_GiB,
                                     .power_of_two = true,
                                     .zero = "chosen from the budget"}),
    entry<&Options::control_socket>({.name = "control_socket",
                                     .kind = boolean,
                                     .help = "Let processes of the same user ask the open store through the socket in its folder"}),
    entry<&Options::create_if_missing>({.name = "create_if_missing",
                                        .kind = boolean,
                                        .use = OptionUse::creation,
                                        .help = "Create the store, and in commands the table, if they are missing"}),
    entry<&Options::error_if_exists>(
        {.name = "error_if_exists", .kind = boolean, .use = OptionUse::creation, .help = "Refuse a store that is there already"}),
    entry<&Options::page_size>({.name = "page_size",
                                .kind = size,
                                .use = OptionUse::creation,
                                .help = "Size of the pages of a store that is created",
                                .least = page_size_least,
                                .most = page_size_most,
                                .power_of_two = true}),
    entry<&Options::log_segment_bytes>({.name = "log_segment_bytes",
                                        .kind = size,
                                        .use = OptionUse::creation,
                                        .help = "Size of the log's files of a store that is created",
                                        .least = 64_KiB,
                                        .most = 1_GiB,
                                        .power_of_two = true}),
    entry<&TransactionOptions::isolation>(
        {.name = "isolation",
         .kind = choice,
         .use = OptionUse::transaction,
         .help = "What a transaction that writes sees of others: a snapshot, or one per statement",
         .choices = isolations}),
    entry<&TransactionOptions::durability>({.name = "durability",
                                            .kind = choice,
                                            .use = OptionUse::transaction,
                                            .help = "Whether a commit waits for stable storage",
                                            .choices = durabilities}),
    entry<&TransactionOptions::memory_bytes_max>({.name = "transaction_memory_bytes_max",
                                                  .kind = size,
                                                  .use = OptionUse::transaction,
                                                  .help = "Cap on the memory of a transaction",
                                                  .most = unlimited,
                                                  .zero = "the budget"}),
    entry<&TransactionOptions::written_bytes_max>({.name = "transaction_written_bytes_max",
                                                   .kind = size,
                                                   .use = OptionUse::transaction,
                                                   .help = "Cap on the keys and values that a transaction writes",
                                                   .most = unlimited,
                                                   .zero = "no cap"}),
    entry<&Options::background_threads>(
        {.name = "background_threads",
         .kind = boolean,
         .use = OptionUse::embedding,
         .help = "Whether the store has threads of its own; without them the program drives Database::run_background"}),
    program_entry("events", "a function of the program that is told of events"),
    program_entry("environment", "files, clock and randomness that a test injects"),
    program_entry("TransactionOptions::read_only", "what the one transaction is for"),
    program_entry("TransactionOptions::deadline", "of the one transaction; transaction_deadline is the default"),
    program_entry("TransactionOptions::lock_deadline", "of the one transaction; lock_deadline is the default"),
    program_entry("TransactionOptions::as_of", "the moment that the one transaction reads"),
    program_entry("TransactionOptions::with_position", "whether the one transaction tells where in the log its snapshot stands"),
    program_entry("TransactionOptions::label", "the name of the one transaction in lists"),
};

// A field that is added to one of the structs does not compile here: it gets a name below and an entry above.
consteval std::size_t fields(const Options& all) {
  [[maybe_unused]] const auto& [memory_budget, page_size, create_if_missing, error_if_exists, io_backend, follow_container_limit,
                                max_transactions, log_bytes_max, log_segment_bytes, log_ring_bytes, transaction_deadline,
                                lock_deadline, memory_deadline, retention, background_threads, control_socket, events,
                                environment] = all;
  return 18;
}
consteval std::size_t fields(const TransactionOptions& all) {
  [[maybe_unused]] const auto& [isolation, read_only, durability, deadline, lock_deadline, as_of, with_position, memory_bytes_max,
                                written_bytes_max, label] = all;
  return 10;
}
static_assert(std::size(table) == fields(Options{}) + fields(TransactionOptions{}), "a field has no entry");

constexpr auto facts = [] {
  std::array<OptionFacts, std::size(table)> all{};
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = table[i].facts;
  return all;
}();

std::expected<std::uint64_t, std::string> parse_count(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size())
    return std::unexpected(fmt::format("'{}' is no whole number", text));
  return number;
}

std::expected<std::uint64_t, std::string> parse_milliseconds(std::string_view text) {
  const auto time = parse_duration(text);
  if (!time) return std::unexpected(time.error());
  if (*time % milliseconds(1) != std::chrono::nanoseconds(0))
    return std::unexpected(fmt::format("'{}' is no whole number of milliseconds", text));
  return static_cast<std::uint64_t>(*time / milliseconds(1));
}

std::expected<std::uint64_t, std::string> parse_word(const OptionFacts& option, std::string_view text) {
  const auto found = std::ranges::find(option.choices, text, &OptionChoice::word);
  if (found == option.choices.end()) return std::unexpected(fmt::format("'{}' is none of {}", text, allowed_values(option)));
  return found->value;
}

std::string range_text(const OptionFacts& option) {
  if (option.most == unlimited || (option.kind == duration && option.most == longest_ms))
    return fmt::format("{} or more", value_text(option, option.least));
  return fmt::format("{} .. {}", value_text(option, option.least), value_text(option, option.most));
}

}  // namespace

std::span<const Entry> entries() { return table; }

std::expected<std::uint64_t, std::string> parse_value(const OptionFacts& option, std::string_view text) {
  switch (option.kind) {
    case size: return parse_size(text);
    case duration: return parse_milliseconds(text);
    case count: return parse_count(text);
    case choice: return parse_word(option, text);
    case boolean:
      if (text == "true" || text == "false") return text == "true" ? 1 : 0;
      return std::unexpected(fmt::format("'{}' is neither true nor false", text));
    case program: break;
  }
  return std::unexpected("only a program can set it");
}

std::string value_text(const OptionFacts& option, std::uint64_t value) {
  switch (option.kind) {
    case size: return size_text(value);
    case duration: return duration_text(milliseconds(static_cast<std::int64_t>(value)));
    case boolean: return value != 0 ? "true" : "false";
    case choice: {
      const auto found = std::ranges::find(option.choices, value, &OptionChoice::value);
      return found == option.choices.end() ? fmt::format("{}", value) : std::string(found->word);
    }
    case count:
    case program: break;
  }
  return fmt::format("{}", value);
}

std::string breach(const OptionFacts& option, std::uint64_t value) {
  switch (option.kind) {
    case boolean:
    case program: return {};
    case choice:
      if (std::ranges::count(option.choices, value, &OptionChoice::value) != 0) return {};
      return fmt::format("option {}: {} is none of {}", option.name, value, allowed_values(option));
    case size:
    case duration:
    case count: break;
  }
  if (value == 0 && !option.zero.empty()) return {};
  if (value < option.least || value > option.most)
    return fmt::format("option {}: {} is outside {}", option.name, value_text(option, value), range_text(option));
  if (option.power_of_two && !std::has_single_bit(value))
    return fmt::format("option {}: {} is not a power of two ({})", option.name, value_text(option, value), range_text(option));
  return {};
}

Contradiction contradiction(const Options& options) {
  const std::uint64_t least = log_segments_least * options.log_segment_bytes;
  if (options.log_bytes_max == 0 || options.log_bytes_max >= least) return {};
  return {"log_bytes_max", fmt::format("option log_bytes_max: {} is less than {} segments of {} (log_segment_bytes)",
                                       size_text(options.log_bytes_max), log_segments_least, size_text(options.log_segment_bytes))};
}

Result<void> check(const Options& options) {
  const Settings settings{.options = options};
  for (const Entry& entry : table) {
    if (entry.get == nullptr) continue;
    if (const std::string why = breach(entry.facts, entry.get(settings)); !why.empty())
      return fail(ErrorCode::invalid_argument, "{}", why);
  }
  if (const Contradiction found = contradiction(options); !found.name.empty())
    return fail(ErrorCode::invalid_argument, "{}", found.reason);
  return {};
}

}  // namespace plimsoll::config

namespace plimsoll {

std::span<const OptionFacts> option_table() { return config::facts; }

std::string allowed_values(const OptionFacts& option) {
  switch (option.kind) {
    case OptionKind::boolean: return "true|false";
    case OptionKind::choice: {
      std::string words;
      for (const OptionChoice& choice : option.choices) words.append(words.empty() ? "" : "|").append(choice.word);
      return words;
    }
    case OptionKind::program: return "set by a program";
    case OptionKind::size:
    case OptionKind::duration:
    case OptionKind::count: break;
  }
  const std::string range = (option.power_of_two ? "a power of two, " : "") + config::range_text(option);
  if (option.zero.empty()) return range;
  return option.least == 0 ? fmt::format("{}; 0: {}", range, option.zero) : fmt::format("{}, or 0: {}", range, option.zero);
}

std::string environment_variable(const OptionFacts& option) {
  std::string name = "PLIMSOLL_";
  for (const char c : option.name) name += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return name;
}

std::string command_line_flag(const OptionFacts& option) {
  if (option.name == "create_if_missing") return "--create";  // a word that is typed often
  std::string flag = "--";
  for (const char c : option.name) flag += c == '_' ? '-' : c;
  return flag;
}

}  // namespace plimsoll
