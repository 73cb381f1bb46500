// Prints docs/metrics.md from the tables of counters, gauges and memory accounts: `make docs` writes the page with it, and a test
// compares the page in the tree with what it prints.
#include <cstdio>
#include <string_view>

#include "base/metrics.hpp"
#include "memory/budget.hpp"

namespace plimsoll {
namespace {

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void print_row(std::string_view name, std::string_view unit, std::string_view help) {
  for (const std::string_view part :
       {std::string_view("| `"), name, std::string_view("` | "), unit, std::string_view(" | "), help, std::string_view(" |\n")}) {
    print(part);
  }
}

void print_page() {
  print(
      "# Metrics\n\n"
      "Written by `make docs` from `src/base/metrics.hpp` and `src/memory/budget.hpp`; do not edit. `plimsoll stat`,\n"
      "`plimsoll stat --json` and `Database::statistics()` show the same names.\n\n"
      "## Counters\n\nMonotone since the store was opened, or since `Database::reset_statistics()`.\n\n"
      "| name | unit | meaning |\n|---|---|---|\n");
  for (const MetricFacts& fact : counter_facts) print_row(fact.name, fact.unit, fact.help);
  print("\n## Gauges\n\nThe value now.\n\n| name | unit | meaning |\n|---|---|---|\n");
  for (const MetricFacts& fact : gauge_facts) print_row(fact.name, fact.unit, fact.help);
  print(
      "\n## Memory accounts\n\nWho holds how much of the budget: committed chunks and spans, not objects. Each has `used`, `peak` "
      "and\n"
      "`floor` (what no other account may take).\n\n| name | unit | meaning |\n|---|---|---|\n");
  for (std::size_t i = 0; i < memory::account_count; ++i) {
    const auto account = static_cast<memory::Account>(i);
    print_row(memory::name(account), "bytes", memory::meaning(account));
  }
}

}  // namespace
}  // namespace plimsoll

int main() {
  plimsoll::print_page();
  return std::fflush(stdout) == 0 ? 0 : 1;
}
