// The root contexts of a store: for the view, and for giving back the keepers of those that rest when somebody else needs the
// memory.
//
// Thread-safe. The mutex guards the list only: it is taken to make and to end a root, by the view and by trim(), never by an
// allocation, and the contexts of transactions live as long as their slots. A resting context's keeper is taken by exchanging the
// pointer to it for null (Context::rest), so that trim() and the context's next use need not know of each other: who gets the
// pointer owns the block, and the other one finds none. The figures of a context in use are read while its thread goes on: each is
// right by itself, they may be of different moments.
#pragma once

#include <vector>

#include "base/latch.hpp"
#include "base/time.hpp"
#include "memory/context.hpp"
#include "memory/pressure.hpp"
#include "plimsoll/stats.hpp"

namespace plimsoll::memory {

class ContextSet final : public Reclaimer {
 public:
  ContextSet(BlockSource& pool, PressureManager& pressure, TimeSource& time);
  ~ContextSet() override;  // no root is left (checked)
  ContextSet(const ContextSet&) = delete;
  ContextSet& operator=(const ContextSet&) = delete;

  BlockSource& pool() { return pool_; }
  // The keepers of the contexts that rest go back to the pool; answers their bytes.
  std::size_t trim();
  std::size_t reclaim(std::size_t bytes) override;  // trim(), and what the source keeps
  std::string_view obstacle() const override { return "no resting context has a block, or what they had shares its chunk"; }
  // What is in use or holds memory.
  std::vector<ContextInfo> list() const;

 private:
  friend class Context;
  void add(Context& root);
  void remove(Context& root);

  BlockSource& pool_;
  TimeSource& time_;
  mutable Mutex mutex_{LatchRank::memory};
  Context* first_ PLIMSOLL_GUARDED_BY(mutex_) = nullptr;
  Registration registration_;
};

}  // namespace plimsoll::memory
