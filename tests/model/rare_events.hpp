// How often rare things have happened over many stores of a test: a test that never met one of them proves nothing about it.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "plimsoll/stats.hpp"

namespace plimsoll::test {

class RareEvents {
 public:
  void add(const std::string& name, std::uint64_t n = 1) { counts_[name] += n; }
  // The counters of a store, once in its life, before it is closed.
  void add(const Statistics& statistics) {
    for (const NamedValue& counter : statistics.counters) counts_[counter.name] += counter.value;
  }
  void add(const RareEvents& other) {
    for (const auto& [name, n] : other.counts_) counts_[name] += n;
  }
  std::uint64_t count(const std::string& name) const {
    const auto found = counts_.find(name);
    return found == counts_.end() ? 0 : found->second;
  }
  void print(const char* title) const {
    std::string text = fmt::format("{}:", title);
    for (const auto& [name, n] : counts_) text += fmt::format(" {} {},", name, n);
    std::puts(text.c_str());
    std::fflush(stdout);
  }
  // Those of `names` that never happened, in one line.
  std::string missing(const std::vector<std::string>& names) const {
    std::string text;
    for (const std::string& name : names)
      if (count(name) == 0) text += name + " ";
    return text;
  }

 private:
  std::map<std::string, std::uint64_t> counts_;
};

}  // namespace plimsoll::test
