#include "io/simulation/inode.hpp"

#include <algorithm>
#include <array>

#include "base/check.hpp"

namespace plimsoll::io::simulation {

namespace {

// In percent. A failure draws one chance per file, so that states with nearly all or nearly nothing surviving are as common as
// mixed ones; with one fixed chance a thousand pending writes would never all be lost.
constexpr std::array<std::uint64_t, 5> survival_chances = {0, 10, 50, 90, 100};

// One surviving write in so many is torn.
constexpr std::uint64_t torn_one_in = 4;

}  // namespace

// Whether the two may be applied in either order.
bool Inode::commute(const Change& a, const Change& b) {
  if (a.kind == Kind::write && b.kind == Kind::write) return a.end() <= b.offset || b.end() <= a.offset;
  if (a.kind == Kind::cut) return b.kind == Kind::cut || b.end() <= a.offset;
  if (b.kind == Kind::cut) return a.end() <= b.offset;
  if (a.kind == Kind::release || b.kind == Kind::release) return a.end() <= b.offset || b.end() <= a.offset;
  return true;
}

void Inode::apply(const Change& change, Content& content) {
  switch (change.kind) {
    case Kind::write: return content.write(change.offset, change.data);
    case Kind::grow: return content.grow(change.offset);
    case Kind::cut: return content.cut(change.offset);
    case Kind::allocate: return content.reserve(change.offset, change.bytes);
    case Kind::release: return content.release(change.offset, change.bytes);
  }
}

// Keeps a random subset of the sectors; true if that was neither none nor all of them.
bool Inode::apply_torn(const Change& write, Content& content, Random& random) {
  std::size_t kept = 0;
  std::size_t sectors = 0;
  const std::span<const char> data(write.data);
  for (std::size_t done = 0; done < data.size(); ++sectors) {
    const std::size_t in_sector = (write.offset + done) % sector_bytes;
    const std::size_t bytes = std::min(sector_bytes - in_sector, data.size() - done);
    if (random.one_in(2)) {
      content.write(write.offset + done, data.subspan(done, bytes));
      ++kept;
    }
    done += bytes;
  }
  return kept != 0 && kept != sectors;
}

// Moves what is certain from the list to durable_, as far as nothing uncertain before it could still overwrite it.
void Inode::settle() {
  if (std::ranges::all_of(pending_, [](const Change& change) { return change.state == State::certain; })) return settle_all();
  std::vector<Change> kept;
  for (Change& change : pending_) {
    const bool movable = change.state == State::certain &&
                         std::ranges::all_of(kept, [&](const Change& earlier) { return commute(earlier, change); });
    if (movable) {
      apply(change, durable_);
    } else {
      kept.push_back(std::move(change));
    }
  }
  pending_ = std::move(kept);
}

// The end of it is current_, whose blocks can be shared: what a cut takes from one of them, the writes after the cut bring back.
void Inode::settle_all() {
  for (const Change& change : pending_) {
    if (change.kind == Kind::write) {
      durable_.adopt(current_, change.offset, change.bytes);
    } else {
      apply(change, durable_);
    }
  }
  pending_.clear();
  PLIMSOLL_CHECK(durable_.size() == current_.size());
  PLIMSOLL_DCHECK(durable_.reserved_bytes() == current_.reserved_bytes());
}

void Inode::add(Change change) {
  apply(change, current_);
  pending_.push_back(std::move(change));
}

void Inode::write(std::uint64_t offset, std::span<const char> from) {
  if (from.empty()) return;
  const std::uint64_t end = offset + from.size();
  // The new size may survive without the bytes.
  if (end > current_.size()) add({Kind::grow, State::unsynced, end, 0, {}});
  add({Kind::write, State::unsynced, offset, from.size(), {from.begin(), from.end()}});
}

void Inode::settle_last_write() {
  if (pending_.empty()) return;  // it was a write of nothing
  Change& write = pending_.back();
  PLIMSOLL_CHECK(write.kind == Kind::write);
  write.state = State::certain;
  if (pending_.size() > 1) {
    Change& before = pending_[pending_.size() - 2];
    if (before.kind == Kind::grow && before.offset == write.end()) before.state = State::certain;
  }
  settle();
}

void Inode::resize(std::uint64_t bytes) {
  const Kind kind = bytes < current_.size() ? Kind::cut : Kind::grow;
  add({kind, State::unsynced, bytes, 0, {}});
}

void Inode::allocate(std::uint64_t offset, std::uint64_t bytes) { add({Kind::allocate, State::unsynced, offset, bytes, {}}); }

void Inode::deallocate(std::uint64_t offset, std::uint64_t bytes) { add({Kind::release, State::unsynced, offset, bytes, {}}); }

void Inode::sync() {
  for (Change& change : pending_) {
    if (change.state == State::unsynced) change.state = State::certain;
  }
  settle();
}

void Inode::sync_failed() {
  for (Change& change : pending_) {
    if (change.state == State::unsynced) change.state = State::forgotten;
  }
}

Content Inode::survive(Random& random, CrashCounts& counts) const {
  Content image = durable_;
  const std::uint64_t chance = survival_chances[random.below(survival_chances.size())];
  bool write_lost = false;
  for (const Change& change : pending_) {
    const bool survives = change.state == State::certain || random.below(100) < chance;
    if (change.kind != Kind::write) {
      if (survives) apply(change, image);
      if (!survives) ++counts.resizes_lost;
    } else if (!survives) {
      ++counts.writes_lost;
      write_lost = true;
    } else {
      if (change.state != State::certain && random.one_in(torn_one_in)) {
        if (apply_torn(change, image, random)) ++counts.writes_torn;
      } else {
        apply(change, image);
      }
      if (write_lost) ++counts.writes_reordered;
    }
  }
  return image;
}

}  // namespace plimsoll::io::simulation
