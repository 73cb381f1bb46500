// Checks a source tree against the rules of rules.hpp. Usage: tidy ROOT. Prints one finding a line; exit status 0 if there is none.
#include <cstdio>

#include "rules.hpp"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s ROOT\n", argv[0]);
    return 2;
  }
  const auto findings = plimsoll::tidy::check_tree(argv[1]);
  for (const auto& f : findings) {
    std::fprintf(stderr, "%s:%zu: %s: %s\n", f.path.c_str(), f.line, f.rule.c_str(), f.what.c_str());
  }
  if (findings.empty()) std::puts("tidy: ok");
  return findings.empty() ? 0 : 1;
}
