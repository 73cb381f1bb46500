// Random use of the slab allocator against a shadow map: nothing overlaps, everything is aligned, every byte is what its owner
// wrote, also after it was moved; the ledger is what the spans are; caps hold; and at the end nothing is left. With an allocator
// that is made to break these rules now and then the checks must see it.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "base/random.hpp"
#include "memory/slab.hpp"
#include "scale.hpp"
#include "unit/memory_support.hpp"

namespace plimsoll::memory {
namespace {

enum class Bug { none, overlap, misaligned, lost_byte };

struct Live {
  std::size_t bytes, alignment;
  std::uint64_t cookie;
  int movable;  // -1: not
};

// The allocator with the model beside it. Every function answers what is wrong, or nothing.
class Checked {
 public:
  Checked(SlabAllocator& slab, Bug bug) : slab_(slab), bug_(bug) {
    for (int i = 0; i < 2; ++i) movable_.push_back(slab.make_movable(i == 0 ? 64 : 400, &Checked::relocate, this));
  }

  std::string take(std::size_t bytes, std::size_t alignment) {
    return remember(slab_.allocate(bytes, alignment), bytes, alignment, -1);
  }
  std::string take_movable(int which) {
    const SlabAllocator::MovableClass of = movable_[static_cast<std::size_t>(which)];
    return remember(slab_.take(of), of.object_bytes, 16, which);
  }
  std::string give(std::size_t number) {
    auto at = std::next(live_.begin(), static_cast<std::ptrdiff_t>(number % live_.size()));
    char* place = reinterpret_cast<char*>(at->first);  // NOLINT: it was one
    const std::string wrong = check(place, at->second);
    const Live was = at->second;
    live_.erase(at);
    live_bytes -= was.bytes;
    if (was.movable >= 0) {
      slab_.give(movable_[static_cast<std::size_t>(was.movable)], place);
    } else {
      slab_.free(place, was.bytes, was.alignment);
    }
    return wrong;
  }
  std::string check_all() const {
    std::string wrong;
    for (const auto& [place, one] : live_) {
      wrong += check(reinterpret_cast<const char*>(place), one);  // NOLINT
    }
    return wrong + moved_wrong_;
  }
  bool empty() const { return live_.empty(); }
  std::size_t size() const { return live_.size(); }
  std::size_t live_bytes = 0;

 private:
  static std::string check(const char* place, const Live& one) {
    const std::uint64_t expected = one.cookie * 0x9E3779B97F4A7C15ull;
    for (std::size_t i = 0; i < one.bytes; i += sizeof expected) {
      if (std::memcmp(place + i, &expected, std::min(sizeof expected, one.bytes - i)) != 0) return "content; ";
    }
    return {};
  }
  std::string remember(char* at, std::size_t bytes, std::size_t alignment, int movable) {
    if (at == nullptr) return {};
    const bool now = live_.size() % 50 == 49;
    auto place = reinterpret_cast<std::uintptr_t>(at);
    if (bug_ == Bug::overlap && now) place = live_.begin()->first;
    if (bug_ == Bug::misaligned && now) place += 1;
    std::string wrong = place % alignment == 0 ? "" : "alignment; ";
    if (overlaps(place, std::max<std::size_t>(bytes, 1))) wrong += "overlap; ";
    place = reinterpret_cast<std::uintptr_t>(at);
    const Live one{bytes, alignment, ++cookies_, movable};
    const std::uint64_t content = one.cookie * 0x9E3779B97F4A7C15ull;
    for (std::size_t i = 0; i < bytes; i += sizeof content) std::memcpy(at + i, &content, std::min(sizeof content, bytes - i));
    if (bug_ == Bug::lost_byte && bytes > 20 && now) at[19] = static_cast<char>(at[19] + 1);
    live_[place] = one;
    live_bytes += bytes;
    return wrong;
  }
  bool overlaps(std::uintptr_t place, std::size_t bytes) const {
    const auto after = live_.lower_bound(place);
    if (after != live_.end() && after->first < place + bytes) return true;
    return after != live_.begin() && std::prev(after)->first + std::prev(after)->second.bytes > place;
  }
  static bool relocate(void* context, char* from, char* to) {
    Checked& self = *static_cast<Checked*>(context);
    if (self.slab_.is_free(from)) return false;
    auto at = self.live_.find(reinterpret_cast<std::uintptr_t>(from));
    if (at == self.live_.end()) {
      self.moved_wrong_ += "asked to move what is not; ";
      return false;
    }
    std::memcpy(to, from, at->second.bytes);
    const Live one = at->second;
    self.live_.erase(at);
    if (self.overlaps(reinterpret_cast<std::uintptr_t>(to), one.bytes)) self.moved_wrong_ += "overlap; ";
    self.live_[reinterpret_cast<std::uintptr_t>(to)] = one;
    return true;
  }

  SlabAllocator& slab_;
  Bug bug_;
  std::vector<SlabAllocator::MovableClass> movable_;
  std::map<std::uintptr_t, Live> live_;
  std::uint64_t cookies_ = 0;
  std::string moved_wrong_;
};

std::size_t random_bytes(Random& random) {
  switch (random.below(20)) {
    case 0: return random.below(300 * KiB);
    case 1: return 4 * KiB << random.below(4);
    case 2:
    case 3: return random.below(32 * KiB);
    default: return random.below(1200);
  }
}

// Answers the first thing that is wrong.
std::string run(std::uint64_t seed, Bug bug, std::size_t steps) {
  Random random(seed);
  MemoryBudget budget(random.one_in(2) ? 16 * MiB : 80 * MiB);  // small and large chunks
  PageProvider provider(budget);
  std::string wrong;
  {
    auto pool = BlockPool::make(provider);
    const std::size_t depot = 64 * KiB, cap = random.one_in(3) ? 2 * MiB : 0;
    auto slab = SlabAllocator::make(*pool, {.span_bytes_max = cap,
                                            .depot_bytes_max = depot,
                                            .guard_every = random.one_in(4) ? 1u : static_cast<std::uint32_t>(random.below(500)),
                                            .guard_places = 5});
    Checked checked(*slab, bug);
    for (std::size_t step = 0; step < steps && wrong.empty(); ++step) {
      const bool shrinking = step / 500 % 2 == 1;
      const std::uint64_t action = random.below(1000);
      if (action < 3) {
        slab->trim(random.below(2 * MiB));
      } else if (action < 6) {
        slab->compact(random.below(3000));
      } else if (action < 8) {
        wrong = checked.check_all();
      } else if (action < 9) {
        std::thread([&] {
          for (int i = 0; i < 200 && wrong.empty(); ++i) {
            wrong = checked.empty() || random.one_in(2) ? checked.take(random_bytes(random), 16) : checked.give(random.next());
          }
        }).join();
      } else if (action < (shrinking ? 300 : 650) || checked.empty()) {
        wrong = random.one_in(3) ? checked.take_movable(static_cast<int>(random.below(2)))
                                 : checked.take(random_bytes(random), std::size_t{1} << random.below(random.one_in(10) ? 13 : 5));
      } else {
        wrong = checked.give(random.next());
      }
    }
    wrong += checked.check_all();
    const SlabStatistics now = slab->statistics();
    if (now.depot_bytes_peak > depot) wrong += "depot above its limit; ";
    if (cap != 0 && now.slab_bytes > cap) wrong += "slabs above their cap; ";
    if (budget.used(Account::contexts) < pool->live_bytes() || pool->live_bytes() < now.slab_bytes) wrong += "ledger; ";
    while (!checked.empty()) wrong += checked.give(0);
    slab->trim();
    if (slab->statistics().live_objects != 0 || slab->statistics().slabs != 0) wrong += "something is left; ";
  }
  if (budget.used() != 0) wrong += "charges are left; ";
  return wrong;
}

RC_GTEST_PROP(SlabModel, RandomUseAgreesWithTheModel, (std::uint64_t seed)) {
  RC_ASSERT(run(seed, Bug::none, scaled(2500, 500)) == "");
}

TEST(SlabModel, PlantedBugsAreSeen) {
  EXPECT_NE(run(1, Bug::overlap, 4000), "");
  EXPECT_NE(run(1, Bug::misaligned, 4000), "");
  EXPECT_NE(run(1, Bug::lost_byte, 4000), "");
}

}  // namespace
}  // namespace plimsoll::memory
