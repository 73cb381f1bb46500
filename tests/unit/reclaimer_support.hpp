// A reclaimer for tests: frees what it holds, piece by piece, as a pool with clean pages would; and what a rung's statistics say.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>

#include "memory/budget.hpp"
#include "memory/pressure.hpp"

namespace plimsoll::memory {

inline RungStats stats_of(const MemoryBudget& budget, Rung rung) {
  return budget.pressure().statistics().rungs[static_cast<std::size_t>(rung)];
}
inline std::uint64_t fired(const MemoryBudget& budget, Rung rung) { return stats_of(budget, rung).fired; }

class TestReclaimer final : public Reclaimer {
 public:
  TestReclaimer(MemoryBudget& budget, Account account, std::size_t piece, Rung rung = Rung::caches)
      : budget_(budget), account_(account), piece_(piece) {
    budget_.pressure().add(rung, account, *this);
  }
  ~TestReclaimer() override {
    budget_.pressure().remove(*this);
    budget_.discharge(account_, held.exchange(0));
  }
  std::size_t reclaim(std::size_t bytes) override {
    ++calls;
    asked += bytes;
    if (when_called) when_called();
    std::size_t given = 0;
    while (given < bytes) {
      std::size_t have = held.load();
      if (have < piece_) break;
      if (!held.compare_exchange_weak(have, have - piece_)) continue;
      budget_.discharge(account_, piece_);
      given += piece_;
    }
    if (when_done) when_done();
    return given + lie;
  }
  std::size_t reclaimable() const override { return offers ? held.load() : 0; }
  bool only_starts() const override { return starts; }
  std::string_view obstacle() const override { return "nothing is held"; }
  void hold(std::size_t bytes) {
    if (budget_.try_charge(account_, bytes)) held += bytes;
  }

  std::atomic<std::size_t> held{0}, calls{0}, asked{0};
  std::atomic<std::size_t> lie = 0;
  bool offers = false, starts = false;
  std::function<void()> when_called, when_done;

 private:
  MemoryBudget& budget_;
  Account account_;
  std::size_t piece_;
};

}  // namespace plimsoll::memory
