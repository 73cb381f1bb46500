// One simulated life story of a store: random work, the power fails at a random change, the survivors are examined, the store goes
// on from one of them, and so on. Answers what was wrong as text, so that a test may also expect that something is.
//
// From each power failure several survivors are derived. Each is opened by Database::open and must hold a legal prefix of the
// history (reference.hpp), be sound to verify(), and take new work; some are crashed again while they recover, any number of times.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "io/simulation/simulated_file_system.hpp"
#include "model/history.hpp"
#include "model/simulated_store.hpp"

namespace plimsoll::test {

using io::simulation::SimulatedFileSystem;

// What may be found after a crash: `base` with the first n of `events`, n >= least.
struct Legal {
  State base;
  std::vector<Event> events;
  std::size_t least = 0;
};

// Empty, or why what the store holds is not legal. `found` becomes what it holds.
inline std::string match(Database& db, const Legal& legal, State& found) {
  auto read = read_state(db);
  if (!read) return "reading everything: " + read.error().message();
  State candidate = legal.base;
  for (std::size_t i = 0; i < legal.least; ++i) candidate.apply(legal.events[i]);
  const std::string first = *read == candidate ? "" : difference(candidate, *read);
  for (std::size_t n = legal.least;; ++n) {
    if (*read == candidate) {
      found = std::move(candidate);
      return {};
    }
    if (n == legal.events.size()) break;
    candidate.apply(legal.events[n]);
  }
  return fmt::format("no prefix of {} to {} events fits; with the shortest: {}; with the longest: {}", legal.least,
                     legal.events.size(), first, difference(candidate, *read));
}

struct CrashTally {
  RareEvents rare;
  std::unordered_set<std::uint64_t> states, damaged_states;  // by image hash

  // False: there has been such a state before.
  bool note(const SimulatedFileSystem& disk) {
    const io::simulation::CrashCounts counts = disk.last_crash();
    const std::uint64_t hash = disk.image_hash();
    const bool fresh = states.insert(hash).second;
    if (counts.writes_lost + counts.writes_torn + counts.writes_reordered != 0) damaged_states.insert(hash);
    rare.add("writes lost", counts.writes_lost);
    rare.add("writes torn", counts.writes_torn);
    rare.add("writes reordered", counts.writes_reordered);
    rare.add("resizes lost", counts.resizes_lost);
    rare.add("names lost", counts.names_lost);
    return fresh;
  }
};

struct CrashSettings {
  HistorySettings history;
  int lives = 4, survivors = 12;
  std::uint64_t steps = 400, changes_min = 1, changes_max = 300;
  std::size_t log_ring_bytes = 0;
};

class CrashRun {
 public:
  // What stands between store and disk: nothing, or a planted bug.
  using Wrap = std::function<std::unique_ptr<io::FileSystem>(SimulatedFileSystem&)>;

  CrashRun(const CrashSettings& settings, std::uint64_t seed, CrashTally& tally, Wrap wrap = {})
      : settings_(settings), random_(seed), seed_(seed), tally_(tally), wrap_(std::move(wrap)) {}

  std::string run() {
    SimulatedFileSystem disk;
    Legal legal;
    for (int life = 0; life < settings_.lives; ++life) {
      disk.power_fails_at(settings_.changes_min + random_.below(1 + random_.below(settings_.changes_max)));
      if (std::string wrong = live(disk, legal, life); !wrong.empty()) return fmt::format("life {}: {}", life, wrong);
      for (int i = 0; i < settings_.survivors; ++i) {
        const auto survivor = disk.crash_copy(random_);
        if (!tally_.note(*survivor)) continue;
        if (std::string wrong = examine(*survivor, legal, fmt::format("s{}.{}.", life, i)); !wrong.empty())
          return fmt::format("life {}, survivor {}: {}", life, i, wrong);
      }
      disk.crash(random_);
      tally_.note(disk);
    }
    return {};
  }

  // All checks of one survivor, which is used up.
  std::string examine(SimulatedFileSystem& disk, Legal legal, const std::string& names) {
    for (int depth = 0; random_.one_in(3) && depth < 20; ++depth) {
      disk.power_fails_at(1 + random_.below(60));
      {
        Opened store(*this, disk);
        if (!store.db && disk.powered()) return fmt::format("open at depth {}: {}", depth, store.db.error().message());
        if (store.db && disk.powered())
          if (std::string wrong = settle(*store.db, legal); !wrong.empty() && disk.powered())
            return fmt::format("depth {}: {}", depth, wrong);
        tally_.rare.add(store.db ? "crashes after recovery" : "crashes during recovery");
      }
      disk.crash(random_);
      tally_.note(disk);
    }
    Opened store(*this, disk);
    if (!store.db) return "open: " + store.db.error().message();
    if (std::string wrong = settle(*store.db, legal); !wrong.empty()) return wrong;
    if (std::string wrong = problems(*store.db); !wrong.empty()) return wrong;
    History history(*store.db, settings_.history, random_, legal.base, [] { return true; }, names);
    for (int i = 0; i < 10 && history.going(); ++i) history.step();
    note(*store.db, history);
    disk.power_fails_at(1);  // so that closing costs nothing
    return history.wrong().empty() ? "" : "going on: " + history.wrong();
  }

 private:
  // Every second recovery goes over the log several times, as one of a large store with a small pool does.
  std::uint32_t redo_frames() { return ++opens_ % 2 == 0 ? 4 : 0; }

  struct Opened {
    Opened(CrashRun& run, SimulatedFileSystem& disk)
        : wrapped(run.wrap_ ? run.wrap_(disk) : nullptr),
          environment{wrapped ? wrapped.get() : &disk, &run.time_, run.seed_, run.redo_frames()},
          db(Database::open(store_path, tiny_store(environment, run.settings_.log_ring_bytes))) {}

    std::unique_ptr<io::FileSystem> wrapped;
    Environment environment;
    Result<Database> db;
  };

  // What an open that succeeded shows is durable from then on.
  static std::string settle(Database& db, Legal& legal) {
    State found;
    if (std::string wrong = match(db, legal, found); !wrong.empty()) return wrong;
    legal = {std::move(found), {}, 0};
    return {};
  }

  void note(Database& db, History& history) {
    tally_.rare.add(db.statistics());
    tally_.rare.add(history.rare());
    const RecoveryReport report = db.recovery_report();
    tally_.rare.add("unclean opens", report.was_clean ? 0 : 1);
    tally_.rare.add("prepared recovered", report.prepared);
  }

  std::string live(SimulatedFileSystem& disk, Legal& legal, int life) {
    Opened store(*this, disk);
    if (!store.db) return disk.powered() ? "open: " + store.db.error().message() : "";
    if (std::string wrong = settle(*store.db, legal); !wrong.empty()) return disk.powered() ? wrong : "";
    History history(*store.db, settings_.history, random_, legal.base, [&] { return disk.powered(); }, fmt::format("g{}.", life));
    for (std::uint64_t i = 0; i < settings_.steps && history.going(); ++i) history.step();
    legal.least = history.durable_events();
    legal.events = history.events();
    note(*store.db, history);
    if (!history.wrong().empty()) return history.wrong();
    if (random_.one_in(8)) {
      if (auto closed = store.db->close(); closed) legal.least = legal.events.size();
      tally_.rare.add("closed in order or nearly so");
    } else {
      disk.power_fails_at(1);
    }
    return {};
  }

  const CrashSettings settings_;
  Random random_;
  std::uint64_t opens_ = 0;
  const std::uint64_t seed_;
  CrashTally& tally_;
  const Wrap wrap_;
  SteppingTime time_;
};

}  // namespace plimsoll::test
