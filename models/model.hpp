// A small explicit-state model checker, shared by all models of this folder. The search is breadth first, so a counterexample is a
// shortest one.
//
// A model is one program. It defines a plain `State` (compared and hashed by its bytes: no padding, everything initialised), a
// struct Model with
//   static State initial();
//   static void successors(const State&, model::Search<State>&);   // search.step(next, label...) once for each possible next step
//   static bool may_end(const State&);                             // may nothing more happen here? Else it is a deadlock
// and options, which are variants (the model must hold with them) or mutations (each removes one rule: the model must fail). A step
// is one access to shared memory, or what happens under one latch; what touches private data only is folded into its neighbour.
// Memory is sequentially consistent. PROGRAM runs everything, PROGRAM OPTION... one search with its trace, --short with the small
// bounds, --list names the options.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace model {

using u8 = std::uint8_t;

inline bool short_run = false;  // small bounds

enum class Kind : u8 { variant, long_variant, mutation };  // long: not part of the short run

// A switch of a model. `with` names an option that is set together with a mutation, because only then the mutation shows.
class Option {
 public:
  Option(Kind kind, std::string_view name, Option* with = nullptr) : kind_(kind), name_(name), with_(with) {
    all().push_back(this);
  }
  Option(const Option&) = delete;
  Option& operator=(const Option&) = delete;
  explicit operator bool() const { return on_; }
  bool operator!() const { return !on_; }
  Kind kind() const { return kind_; }
  std::string_view name() const { return name_; }
  Option* with() const { return with_; }
  void set(bool on) { on_ = on; }
  static std::vector<Option*>& all() {
    static std::vector<Option*> options;
    return options;
  }
  static Option* find(std::string_view name) {
    for (Option* option : all())
      if (option->name() == name) return option;
    return nullptr;
  }

 private:
  const Kind kind_;
  const std::string_view name_;
  Option* const with_;
  bool on_ = false;
};

// `text` with each % replaced by the next number.
template <class... Numbers>
std::string label_text(const char* text, Numbers... numbers) {
  const std::vector<std::string> all{std::to_string(numbers)...};
  std::string made;
  std::size_t next = 0;
  for (; *text != 0; ++text) {
    if (*text == '%' && next < all.size()) {
      made += all[next++];
    } else {
      made += *text;
    }
  }
  return made;
}

enum class Outcome : u8 { holds, violated, too_large };

template <class State>
class Search {
  static_assert(std::is_trivially_copyable_v<State> && std::has_unique_object_representations_v<State>);

 public:
  explicit Search(std::size_t states_max) : states_max_(states_max) { table_.assign(std::size_t{1} << 16, 0); }

  // A possible next step.
  template <class... Numbers>
  void step(const State& next, const char* label, Numbers... numbers) {
    found_any_ = true;
    if (wanted_ != nullptr) {
      if (wanted_label_.empty() && std::memcmp(wanted_, &next, sizeof next) == 0) wanted_label_ = label_text(label, numbers...);
      return;
    }
    ++steps_;
    insert(next);
  }
  // A step that breaks `property`.
  template <class... Numbers>
  void wrong(const char* property, const char* label, Numbers... numbers) {
    found_any_ = true;
    if (wanted_ != nullptr || property_ != nullptr) return;
    property_ = property;
    last_label_ = label_text(label, numbers...);
  }

  template <class Model>
  Outcome run() {
    insert(Model::initial());
    for (here_ = 0; here_ < states_.size() && property_ == nullptr; ++here_) {
      if (states_.size() > states_max_) return Outcome::too_large;
      found_any_ = false;
      const State state = states_[here_];
      Model::successors(state, *this);
      if (!found_any_ && !Model::may_end(state)) {
        property_ = "deadlock, or something left undone";
        last_label_ = "nothing more can happen";
      }
      if (property_ != nullptr) break;
    }
    return property_ == nullptr ? Outcome::holds : Outcome::violated;
  }

  // The steps that lead to the violation; found again by redoing them.
  template <class Model>
  std::vector<std::string> trace() {
    std::vector<std::string> labels{last_label_};
    for (std::uint32_t at = here_; at != 0; at = parents_[at]) {
      const State target = states_[at], from = states_[parents_[at]];
      wanted_ = &target;
      wanted_label_.clear();
      Model::successors(from, *this);
      labels.push_back(wanted_label_);
    }
    wanted_ = nullptr;
    return {labels.rbegin(), labels.rend()};
  }

  std::size_t states() const { return states_.size(); }
  std::uint64_t steps() const { return steps_; }
  const char* property() const { return property_; }

 private:
  static std::uint64_t hash(const State& state) {
    constexpr std::uint64_t factor = 0xD6E8FEB86659FD93ull;
    std::uint64_t value = 0x9E3779B97F4A7C15ull;
    const auto* bytes = reinterpret_cast<const char*>(&state);
    for (std::size_t i = 0; i < sizeof state; i += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, bytes + i, sizeof state - i < 8 ? sizeof state - i : 8);
      value = (value ^ word) * factor;
      value ^= value >> 32;
    }
    return value * factor >> 16;
  }

  void insert(const State& state) {
    std::size_t place = hash(state) & (table_.size() - 1);
    for (; table_[place] != 0; place = (place + 1) & (table_.size() - 1))
      if (std::memcmp(&states_[table_[place] - 1], &state, sizeof state) == 0) return;
    states_.push_back(state);
    parents_.push_back(here_);
    table_[place] = static_cast<std::uint32_t>(states_.size());
    if (states_.size() * 2 > table_.size()) grow();
  }

  void grow() {
    table_.assign(table_.size() * 4, 0);
    for (std::uint32_t i = 0; i < states_.size(); ++i) {
      std::size_t place = hash(states_[i]) & (table_.size() - 1);
      while (table_[place] != 0) place = (place + 1) & (table_.size() - 1);
      table_[place] = i + 1;
    }
  }

  const std::size_t states_max_;
  std::vector<State> states_;
  std::vector<std::uint32_t> parents_, table_;  // table: index of a state + 1, open addressing
  std::uint32_t here_ = 0;
  std::uint64_t steps_ = 0;
  bool found_any_ = false;
  const char* property_ = nullptr;
  std::string last_label_, wanted_label_;
  const State* wanted_ = nullptr;
};

// One search with the options as they are set. True: it came out as expected.
template <class Model, class State>
bool search_once(const std::string& name, Outcome expected, bool show_trace) {
  constexpr std::size_t states_max = 30'000'000;
  Search<State> search(states_max);
  const Outcome outcome = search.template run<Model>();
  const char* text = outcome == Outcome::holds ? "holds" : outcome == Outcome::violated ? "fails" : "TOO LARGE";
  const bool as_expected = outcome == expected;
  std::printf("%-58s %-9s %9zu states %10llu steps%s%s%s\n", name.c_str(), text, search.states(),
              static_cast<unsigned long long>(search.steps()), outcome == Outcome::violated ? "  " : "",
              outcome == Outcome::violated ? search.property() : "", as_expected ? "" : "   <- UNEXPECTED");
  if (outcome == Outcome::violated && (show_trace || !as_expected)) {
    for (const std::string& label : search.template trace<Model>()) std::printf("      %s\n", label.c_str());
  }
  std::fflush(stdout);
  return as_expected;
}

template <class Model, class State>
int run_everything(const std::string& name) {
  bool good = search_once<Model, State>(name, Outcome::holds, false);
  for (Option* option : Option::all()) {
    if (short_run && option->kind() == Kind::long_variant) continue;
    option->set(true);
    if (option->with() != nullptr) option->with()->set(true);
    const bool mutation = option->kind() == Kind::mutation;
    good &= search_once<Model, State>(name + (mutation ? " without rule: " : " with: ") + std::string(option->name()),
                                      mutation ? Outcome::violated : Outcome::holds, false);
    option->set(false);
    if (option->with() != nullptr) option->with()->set(false);
  }
  return good ? 0 : 1;
}

template <class Model, class State>
int main_of(const std::string& name, int argc, char** argv) {
  bool everything = true;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--short") {
      short_run = true;
    } else if (argument == "--list") {
      for (const Option* option : Option::all())
        std::printf("%s %s\n", option->kind() == Kind::mutation ? "mutation" : "variant", std::string(option->name()).c_str());
      return 0;
    } else if (Option* option = Option::find(argument)) {
      option->set(true);
      everything = false;
    } else {
      std::fprintf(stderr, "%s: no option %s; --list names them\n", argv[0], argv[i]);
      return 2;
    }
  }
  if (everything) return run_everything<Model, State>(name);
  Outcome expected = Outcome::holds;
  for (const Option* option : Option::all())
    if (*option && option->kind() == Kind::mutation) expected = Outcome::violated;
  return search_once<Model, State>(name, expected, true) ? 0 : 1;
}

}  // namespace model
