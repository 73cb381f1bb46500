// The table of options, and values from files, the environment and words: each option goes to its field and comes back unchanged,
// and what is wrong is refused in one line that names it.
// ctest-labels: fast asan
#include "plimsoll/config.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "config/environment.hpp"
#include "plimsoll/text.hpp"

namespace plimsoll {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

struct Field {
  std::string_view option, text;
  bool (*is_set)(const Options&, const TransactionOptions&);
};
constexpr Field fields[] = {
    {"memory_budget", "32MiB", [](const Options& o, const TransactionOptions&) { return o.memory_budget == 32_MiB; }},
    {"follow_container_limit", "true", [](const Options& o, const TransactionOptions&) { return o.follow_container_limit; }},
    {"memory_deadline", "7ms", [](const Options& o, const TransactionOptions&) { return o.memory_deadline == milliseconds(7); }},
    {"max_transactions", "17", [](const Options& o, const TransactionOptions&) { return o.max_transactions == 17; }},
    {"transaction_deadline", "3h", [](const Options& o, const TransactionOptions&) { return o.transaction_deadline == hours(3); }},
    {"lock_deadline", "0", [](const Options& o, const TransactionOptions&) { return o.lock_deadline == milliseconds(0); }},
    {"retention", "9s", [](const Options& o, const TransactionOptions&) { return o.retention == seconds(9); }},
    {"io_backend", "plain", [](const Options& o, const TransactionOptions&) { return o.io_backend == IoBackend::plain; }},
    {"log_bytes_max", "128MiB", [](const Options& o, const TransactionOptions&) { return o.log_bytes_max == 128_MiB; }},
    {"log_ring_bytes", "1MiB", [](const Options& o, const TransactionOptions&) { return o.log_ring_bytes == 1_MiB; }},
    {"control_socket", "false", [](const Options& o, const TransactionOptions&) { return !o.control_socket; }},
    {"create_if_missing", "false", [](const Options& o, const TransactionOptions&) { return !o.create_if_missing; }},
    {"error_if_exists", "true", [](const Options& o, const TransactionOptions&) { return o.error_if_exists; }},
    {"page_size", "16KiB", [](const Options& o, const TransactionOptions&) { return o.page_size == 16_KiB; }},
    {"log_segment_bytes", "8MiB", [](const Options& o, const TransactionOptions&) { return o.log_segment_bytes == 8_MiB; }},
    {"background_threads", "false", [](const Options& o, const TransactionOptions&) { return !o.background_threads; }},
    {"isolation", "read_committed",
     [](const Options&, const TransactionOptions& t) { return t.isolation == Isolation::read_committed; }},
    {"durability", "relaxed", [](const Options&, const TransactionOptions& t) { return t.durability == Durability::relaxed; }},
    {"transaction_memory_bytes_max", "5MB",
     [](const Options&, const TransactionOptions& t) { return t.memory_bytes_max == 5'000'000; }},
    {"transaction_written_bytes_max", "6GB",
     [](const Options&, const TransactionOptions& t) { return t.written_bytes_max == 6'000'000'000; }},
};

bool is_settable(const OptionFacts& option) { return option.kind != OptionKind::program; }

std::string toml_line(const OptionFacts& option, std::string_view text) {
  const bool bare = option.kind == OptionKind::boolean || option.kind == OptionKind::count;
  const std::string quote = bare ? "" : "\"";
  return std::string(option.name) + " = " + quote + std::string(text) + quote + "\n";
}

class Variable {
 public:
  Variable(std::string name, const std::string& value) : name_(std::move(name)) { setenv(name_.c_str(), value.c_str(), 1); }
  ~Variable() { unsetenv(name_.c_str()); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  std::string name_;
};

// What the file is refused with.
std::string refusal(std::string_view text) {
  Configuration values;
  const auto done = values.read_text(text, "f.toml");
  if (done) return "nothing";
  EXPECT_EQ(done.error().code, ErrorCode::invalid_argument);
  return done.error().message;
}

TEST(Config, EveryOptionIsTestedHereAndHasAHelpAndADefaultInItsRange) {
  std::set<std::string_view> names;
  for (const OptionFacts& option : option_table()) {
    SCOPED_TRACE(option.name);
    EXPECT_TRUE(names.insert(option.name).second);
    EXPECT_FALSE(option.help.empty());
    if (!is_settable(option)) continue;
    EXPECT_EQ(std::ranges::count(fields, option.name, &Field::option), 1);
    Configuration values;
    EXPECT_TRUE(values.set(option.name, values.text(option.name), "here"));
  }
  EXPECT_EQ(std::ranges::count_if(option_table(), is_settable), std::ssize(fields));
}

TEST(Config, EachOptionGoesToItsFieldFromAFileTheEnvironmentAndWords) {
  for (const Field& field : fields) {
    SCOPED_TRACE(field.option);
    const OptionFacts& option = *std::ranges::find(option_table(), field.option, &OptionFacts::name);
    Configuration file, environment, words;
    EXPECT_FALSE(field.is_set(file.options(), file.transaction_options())) << "the default shows nothing";
    EXPECT_TRUE(file.read_text("\n" + toml_line(option, field.text), "f.toml"));
    EXPECT_TRUE(field.is_set(file.options(), file.transaction_options()));
    EXPECT_EQ(file.origin(field.option).source, OptionSource::file);
    EXPECT_EQ(file.origin(field.option).where, "f.toml:2");

    const Variable variable(environment_variable(option), std::string(field.text));
    EXPECT_TRUE(environment.read_environment());
    EXPECT_TRUE(field.is_set(environment.options(), environment.transaction_options()));
    EXPECT_EQ(environment.origin(field.option).source, OptionSource::environment);
    EXPECT_EQ(environment.origin(field.option).where, environment_variable(option));

    EXPECT_TRUE(words.set(field.option, field.text, "--flag"));
    EXPECT_TRUE(field.is_set(words.options(), words.transaction_options()));
    EXPECT_EQ(words.origin(field.option).source, OptionSource::given);
    for (const OptionFacts& other : option_table()) {
      if (!is_settable(other) || other.name == field.option) continue;
      EXPECT_EQ(words.number(other.name), Configuration().number(other.name)) << other.name;
      EXPECT_EQ(words.origin(other.name).source, OptionSource::built_in) << other.name;
    }
  }
}

// Any value that the option may have.
std::uint64_t value_of(const OptionFacts& option) {
  constexpr std::uint64_t longest_text_ms = 9'223'372'036'854;  // 292 years
  switch (option.kind) {
    case OptionKind::boolean: return *rc::gen::inRange<std::uint64_t>(0, 2);
    case OptionKind::choice: return option.choices[*rc::gen::inRange<std::size_t>(0, option.choices.size())].value;
    default: break;
  }
  if (!option.zero.empty() && *rc::gen::inRange(0, 4) == 0) return 0;
  const std::uint64_t most = option.kind == OptionKind::duration ? longest_text_ms : option.most;
  if (!option.power_of_two) return *rc::gen::oneOf(rc::gen::inRange(option.least, most), rc::gen::just(most));
  return option.least << *rc::gen::inRange(0, std::countr_zero(most) - std::countr_zero(option.least) + 1);
}

RC_GTEST_PROP(Config, WhatIsReadIsWrittenAndReadAgain, ()) {
  std::string file;
  for (const OptionFacts& option : option_table()) {
    if (!is_settable(option)) continue;
    const std::uint64_t value = value_of(option);
    // A configuration that holds the value writes it; the number goes in as bytes, milliseconds or a word.
    std::string text = std::to_string(value);
    if (option.kind == OptionKind::duration) text += "ms";
    if (option.kind == OptionKind::boolean) text = value != 0 ? "true" : "false";
    if (option.kind == OptionKind::choice) text = std::ranges::find(option.choices, value, &OptionChoice::value)->word;
    Configuration words;
    RC_ASSERT(words.set(option.name, text, "here").has_value());
    RC_ASSERT(words.number(option.name) == value);
    Configuration again;
    RC_ASSERT(again.read_text(toml_line(option, words.text(option.name)), "f.toml").has_value());
    RC_ASSERT(again.number(option.name) == value);
    const Variable variable(environment_variable(option), words.text(option.name));
    Configuration environment;
    RC_ASSERT(environment.read_environment().has_value());
    RC_ASSERT(environment.number(option.name) == value);
    file += toml_line(option, words.text(option.name));
  }
  Configuration all;
  RC_ASSERT(all.read_text(file, "f.toml").has_value());
}

TEST(Config, OutOfItsRangeAnOptionIsRefusedWithNameValueAndRange) {
  EXPECT_EQ(refusal("memory_budget = \"1MiB\""), "f.toml:1: option memory_budget: 1MiB is outside 16MiB .. 1TiB");
  EXPECT_EQ(refusal("# one\n\npage_size = 5000"), "f.toml:3: option page_size: 5000B is not a power of two (4KiB .. 32KiB)");
  EXPECT_EQ(refusal("max_transactions = 0"), "f.toml:1: option max_transactions: 0 is outside 1 .. 131072");
  for (const OptionFacts& option : option_table()) {
    if (option.kind != OptionKind::size && option.kind != OptionKind::count) continue;
    SCOPED_TRACE(option.name);
    Configuration values;
    for (const std::uint64_t outside : {option.least - 1, option.most + 1}) {
      if (outside == 0 && !option.zero.empty()) continue;
      if (outside > option.most && outside == UINT64_MAX) continue;  // below a least of 0
      const auto done = values.set(option.name, std::to_string(outside), "--flag");
      EXPECT_EQ(done.has_value(), outside >= option.least && outside <= option.most) << outside;
    }
  }
}

TEST(Config, AWrongTypeIsRefusedWithWhatIsWanted) {
  EXPECT_EQ(refusal("memory_budget = true"),
            "f.toml:1: option memory_budget: true, where a string such as \"64MiB\", or a number of bytes is wanted; "
            "allowed: 16MiB .. 1TiB");
  EXPECT_EQ(refusal("lock_deadline = 10"),
            "f.toml:1: option lock_deadline: the number 10, where a string such as \"250ms\", or 0 is wanted; allowed: 0 or more; "
            "0: no deadline");
  EXPECT_EQ(refusal("lock_deadline = 0"), "nothing");
  EXPECT_EQ(refusal("memory_budget = 33554432"), "nothing");
  for (const char* bad : {"memory_budget = 1.5", "memory_budget = -1", "memory_budget = [1]", "memory_budget = 1979-05-27",
                          "memory_budget.size = 1", "[memory_budget]", "control_socket = \"true\"", "control_socket = 1",
                          "max_transactions = \"17\"", "io_backend = true", "io_backend = 1", "lock_deadline = \"1us\""}) {
    EXPECT_NE(refusal(bad).find(std::string("f.toml:1: option ") + std::string(bad).substr(bad[0] == '[' ? 1 : 0, 6)),
              std::string::npos)
        << bad << ": " << refusal(bad);
  }
  EXPECT_EQ(refusal("io_backend = \"tape\""), "f.toml:1: option io_backend: 'tape' is none of auto|uring|plain");
  EXPECT_EQ(refusal("isolation = \"serializable\""),
            "f.toml:1: option isolation: 'serializable' is none of read_committed|snapshot");
  EXPECT_EQ(
      refusal("memory_budget = \"64M\""),
      "f.toml:1: option memory_budget: '64M' is no size (write 64MiB, 1GB or 4096): unknown unit 'M'; allowed: 16MiB .. 1TiB");
}

TEST(Config, WhatNoOptionIsCalledIsRefusedWithTheNearestName) {
  EXPECT_EQ(refusal("memory_buget = 1"), "f.toml:1: unknown option 'memory_buget'; did you mean 'memory_budget'?");
  EXPECT_EQ(refusal("\nlock-deadline = 1"), "f.toml:2: unknown option 'lock-deadline'; did you mean 'lock_deadline'?");
  EXPECT_EQ(refusal("[store]\nmemory_budget = 1"), "f.toml:1: a table: options do not stand in tables");
  EXPECT_EQ(refusal("environment = 1"), "f.toml:1: option environment: only a program can set it");
  Configuration values;
  EXPECT_EQ(values.set("page-size", "4KiB", "--page").error().message,
            "--page: unknown option 'page-size'; did you mean 'page_size'?");
  EXPECT_EQ(values.set("events", "1", "--events").error().message, "--events: option events: only a program can set it");
}

TEST(Config, WhatIsNoTomlIsRefusedWithItsLine) {
  EXPECT_TRUE(refusal("page_size = \"4KiB\"\npage_size = \"4KiB\"").starts_with("f.toml:2: "));
  EXPECT_TRUE(refusal("\n\npage_size = = 3").starts_with("f.toml:3: "));
  EXPECT_TRUE(refusal("page_size").starts_with("f.toml:1: "));
  EXPECT_TRUE(refusal("\npage_size = \"4KiB").starts_with("f.toml:2: "));
  EXPECT_TRUE(refusal("x = \"\xFF\"").starts_with("f.toml:1: "));
  EXPECT_EQ(refusal("#" + std::string(2000, 'x')), "f.toml:1: the line has more than 1024 bytes");
  EXPECT_EQ(refusal("#" + std::string(1024, 'x') + "\n"), "f.toml:1: the line has more than 1024 bytes");
  EXPECT_EQ(refusal("#" + std::string(1023, 'x') + "\n"), "nothing");
  EXPECT_EQ(refusal(std::string(70'000, '\n')), "f.toml:65537: the file has more than 65536 bytes");
}

TEST(Config, LettersOfAllScriptsMayStandInComments) {
  EXPECT_EQ(refusal("\xEF\xBB\xBF# Gr\u00f6\u00dfe, \u5927\u5c0f\npage_size = \"4KiB\" # \u00e9\n"), "nothing");
  EXPECT_TRUE(refusal("\npage_size \u00e9= 4096").starts_with("f.toml:2: "));
  EXPECT_TRUE(refusal("\npage_size = \u00e9").starts_with("f.toml:2: "));
  EXPECT_TRUE(refusal("\n\u00e9 = 1").starts_with("f.toml:2: "));
}

TEST(Config, NestingAsDeepAsAFileCanHoldIsRefused) {
  std::string dots = "a", table = "[a";
  while (dots.size() < 1000) dots += ".a", table += ".a";
  EXPECT_TRUE(refusal(dots + " = 1").starts_with("f.toml:1: "));
  EXPECT_TRUE(refusal(table + "]\n" + dots + " = 1").starts_with("f.toml:"));
  EXPECT_TRUE(refusal("a = " + std::string(1000, '[')).starts_with("f.toml:1: "));
  EXPECT_TRUE(refusal("a = " + std::string(500, '[') + std::string(500, ']')).starts_with("f.toml:1: "));
}

TEST(Config, AfterARefusalEverythingIsAsItWas) {
  Configuration values;
  ASSERT_TRUE(values.read_text("memory_budget = \"32MiB\"", "f.toml"));
  EXPECT_FALSE(values.read_text("memory_budget = \"64MiB\"\npage_size = 1", "g.toml"));
  EXPECT_EQ(values.options().memory_budget, 32_MiB);
  EXPECT_EQ(values.origin("memory_budget").where, "f.toml:1");
  const Variable good("PLIMSOLL_MEMORY_BUDGET", "64MiB"), bad("PLIMSOLL_PAGE_SIZE", "1"), empty("PLIMSOLL_IO_BACKEND", "");
  const auto done = values.read_environment();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().message, "PLIMSOLL_PAGE_SIZE: option page_size: 1B is outside 4KiB .. 32KiB");
  EXPECT_EQ(values.options().memory_budget, 32_MiB);
  EXPECT_FALSE(values.set("memory_budget", "no", "--flag"));
  EXPECT_EQ(values.options().memory_budget, 32_MiB);
}

// What read_environment() says with this variable in the environment; empty: it takes it.
std::string environment_refusal(const std::string& name, const std::string& value = "1") {
  const Variable variable(name, value);
  Configuration values;
  const auto done = values.read_environment();
  return done ? "" : done.error().message;
}

TEST(Config, AVariableThatBelongsToNobodyIsRefusedWithTheNearestThatDoes) {
  EXPECT_EQ(environment_refusal("PLIMSOLL_MEMORY_BUGET", "64MiB"),
            "PLIMSOLL_MEMORY_BUGET: the variable of no option; did you mean PLIMSOLL_MEMORY_BUDGET?");
  EXPECT_EQ(environment_refusal("PLIMSOLL_memory_budget", "64MiB").substr(0, 23), "PLIMSOLL_memory_budget:");
  EXPECT_EQ(environment_refusal("PLIMSOLL_CONFG"), "PLIMSOLL_CONFG: the variable of no option; did you mean PLIMSOLL_CONFIG?");
  EXPECT_EQ(environment_refusal("PLIMSOLL_EVENTS"), "PLIMSOLL_EVENTS: option events: only a program can set it");
  EXPECT_TRUE(environment_refusal("PLIMSOLL_").starts_with("PLIMSOLL_: the variable of no option"));
  EXPECT_EQ(environment_refusal("PLIMSOLL_\n"), "PLIMSOLL_?: the variable of no option; did you mean PLIMSOLL_KILLS?");
  const std::string longest = environment_refusal("PLIMSOLL_" + std::string(100'000, 'X'));
  EXPECT_TRUE(longest.ends_with("X: no option has a name of 100000 bytes")) << longest.substr(0, 200);
  EXPECT_LT(longest.size(), 150u);
  EXPECT_EQ(environment_refusal("PLIMSOLL_MEMORY_BUGET", ""), "");
  EXPECT_EQ(environment_refusal("PLIMSOL_MEMORY_BUDGET"), "");  // somebody else's
  for (const config::OtherVariable& other : config::other_variables()) {
    std::string name(other.name);
    if (name.ends_with('*')) name.back() = 'X';
    EXPECT_EQ(environment_refusal(name), "");
    EXPECT_EQ(environment_refusal(name + "X").empty(), other.name.ends_with('*')) << name;
  }
}

TEST(Config, WhatIsReadLaterWins) {
  Configuration values;
  ASSERT_TRUE(values.read_text("memory_budget = \"32MiB\"\nretention = \"1s\"", "f.toml"));
  ASSERT_TRUE(values.read_text("memory_budget = \"64MiB\"", "g.toml"));
  EXPECT_EQ(values.text("memory_budget"), "64MiB");
  EXPECT_EQ(values.text("retention"), "1s");
  const Variable variable("PLIMSOLL_MEMORY_BUDGET", "128MiB");
  ASSERT_TRUE(values.read_environment());
  EXPECT_EQ(values.text("memory_budget"), "128MiB");
  ASSERT_TRUE(values.set("memory_budget", "256MB", "--memory-budget"));
  EXPECT_EQ(values.number("memory_budget"), 256'000'000u);
}

TEST(Config, OptionsThatRefuteEachOtherAreRefusedTogether) {
  Configuration values;
  ASSERT_TRUE(values.read_text("log_bytes_max = \"1MiB\"", "f.toml"));
  const auto done = values.check();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().message, "f.toml:1: option log_bytes_max: 1MiB is less than 4 segments of 16MiB (log_segment_bytes)");
  ASSERT_TRUE(values.set("log_segment_bytes", "256KiB", "--log-segment-bytes"));
  EXPECT_TRUE(values.check());
}

class ConfigFile : public testing::Test {
 protected:
  ConfigFile() { std::filesystem::create_directory(folder_); }
  ~ConfigFile() override { std::filesystem::remove_all(folder_); }
  std::string write(const std::string& name, std::string_view text) {
    std::ofstream(folder_ + "/" + name, std::ios::binary) << text;
    return folder_ + "/" + name;
  }
  std::string folder_ = "config_files." + std::to_string(getpid());
};

TEST_F(ConfigFile, TheOptionsOfAFileAreReadAtOnce) {
  const auto options = read_options(write("f.toml", "memory_budget = \"32MiB\"\n"));
  ASSERT_TRUE(options);
  EXPECT_EQ(options->memory_budget, 32_MiB);
  EXPECT_EQ(options->page_size, Options{}.page_size);
  EXPECT_EQ(read_options(write("g.toml", "log_bytes_max = \"1MiB\"\n")).error().code(), ErrorCode::invalid_argument);
}

TEST_F(ConfigFile, AFileThatCannotBeReadIsNamed) {
  const auto missing = read_options(folder_ + "/none.toml");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), ErrorCode::not_found);
  EXPECT_NE(missing.error().message().find("none.toml"), std::string::npos);
  const auto directory = read_options(folder_);
  ASSERT_FALSE(directory);
  EXPECT_EQ(directory.error().code(), ErrorCode::io_error);
}

TEST_F(ConfigFile, TheReasonIsKeptWhenThePathIsLong) {
  const auto options = read_options(write(std::string(200, 'n') + ".toml", "\nmemory_buget = 1"));
  ASSERT_FALSE(options);
  const std::string_view text = options.error().details();
  EXPECT_TRUE(text.starts_with("...nnn")) << text;
  EXPECT_TRUE(text.ends_with("nn.toml:2: unknown option 'memory_buget'; did you mean 'memory_budget'?")) << text;
}

}  // namespace
}  // namespace plimsoll
