// Point reads (D4-D6): the newest version in the leaf, else down the chain of older ones. Optimistic: nothing that was read counts
// before the page it came from has been validated. Per hop the version page's word is sampled before the leaf is re-validated: who
// changes any link of a chain changes the leaf's word, so the leaf led to this page as it was sampled. The leaf need not be looked
// at again after that: a snapshot sees the same whenever it looks.
#include <algorithm>

#include "base/check.hpp"
#include "base/fail.hpp"
#include "btree/read_latch.hpp"
#include "txn/large_value.hpp"
#include "txn/transaction.hpp"

namespace plimsoll::txn {

namespace {
constexpr int optimistic_tries_max = 16;  // then the reader takes the leaf's latch
}

bool TransactionImpl::make_room(Found& found, std::size_t bytes) {
  if (found.data != nullptr && found.bytes == bytes) return true;
  drop(found);
  found.data = found.into->allocate(std::max<std::size_t>(bytes, 1));
  if (found.data != nullptr) found.bytes = bytes;
  return found.data != nullptr;
}

// Copies value bytes that may change meanwhile; the caller validates afterwards.
TransactionImpl::Attempt TransactionImpl::copy_out(Bytes from, Want want, Found& found) {
  if (want == Want::value) {
    if (!make_room(found, from.size())) return Attempt::no_memory;
    page_read(found.data, from.data(), from.size());
  }
  found.present = true;  // last: what an earlier attempt left may have been dropped
  return Attempt::done;
}

void TransactionImpl::drop(Found& found) {
  if (found.data != nullptr) found.into->free(found.data, std::max<std::size_t>(found.bytes, 1));
  found = {.into = found.into};
}

Result<TransactionImpl::Attempt> TransactionImpl::read_position(const btree::LeafPosition& position, Want want, Found& found) {
  const btree::RecordView& record = position.record;
  Attempt copied = Attempt::done;
  perturb(Window::sampled);
  std::uint64_t older = 0;  // where the chain begins, if the newest version is not the one to be seen
  {
    const btree::ReadLatch latch(engine_.pool, position.page);
    if (!latch) return Attempt::again;
    const bool seen = record && view_.sees(record.stamp());
    if (record && !seen) older = record.previous();
    if (seen && (record.flags & btree::flag_deleted) == 0) {
      copied = copy_out({record.value, record.value_bytes}, want, found);
      found.large = (record.flags & btree::flag_large) != 0;
      found.own = view_.own_mark != 0 && record.stamp() == view_.own_mark;
    } else {
      drop(found);
    }
  }
  if (!position.page.still_valid()) return Attempt::again;
  return older == 0 ? copied : read_chain(position, older, want, found);
}

Result<TransactionImpl::Attempt> TransactionImpl::read_chain(const btree::LeafPosition& position, std::uint64_t address, Want want,
                                                             Found& found) {
  // Each snapshot sees what was committed before this open. So whatever it does not see was written since, or by a transaction that
  // was recovered as prepared: the file of the version below is there.
  while (address != 0) {
    engine_.metrics.add(Counter::version_hops);
    const auto sampled = engine_.pool.read(version::page_of(address));
    if (!position.page.still_valid()) return Attempt::again;  // also when the read failed: the address may be stale
    if (!sampled) return std::unexpected(sampled.error());
    const storage::OptimisticPage& page = *sampled;
    perturb(Window::sampled);
    bool seen = false;
    Attempt copied = Attempt::done;
    {
      const btree::ReadLatch latch(engine_.pool, page);
      if (!latch) return Attempt::again;
      const version::Entry entry = version::read_entry(page.bytes, engine_.pool.page_bytes(), version::offset_of(address));
      if (entry.bytes == 0) return Attempt::again;
      const bool intermediate = entry.stamp == registry::mark_of(entry.writer);
      seen = !intermediate && (entry.absent() || view_.sees(entry.stamp));
      const bool present = seen && !entry.absent() && (entry.flags & btree::flag_deleted) == 0;
      if (present) copied = copy_out(entry.value, want, found);
      found.large = present && (entry.flags & btree::flag_large) != 0;
      found.own = false;
      address = entry.previous;
    }
    if (!page.still_valid()) return Attempt::again;
    if (seen) return copied;
  }
  return Attempt::done;
}

// The fallback when a leaf changes all the time: nobody changes it while it is latched. Version pages are made resident beforehand.
// Memory is taken without a latch, too: when it is short, the collector looks for some, in these very pages.
Result<TransactionImpl::Found> TransactionImpl::read_latched(TreeId tree, Bytes key, Want want, memory::Context& into) {
  constexpr int loads_max = 100'000;
  Found found{.into = &into};
  const auto nothing = [&] {
    drop(found);
    return found;
  };
  for (int loads = 0; loads < loads_max; ++loads) {
    auto latched = engine_.trees.latch(tree, key);
    if (!latched) {
      drop(found);
      return std::unexpected(latched.error());
    }
    btree::LatchedLeaf leaf = std::move(*latched);
    if (!leaf.found()) return nothing();
    const btree::RecordView record = leaf.record();
    std::uint64_t address = record.previous(), missing = 0;
    Bytes value{record.value, record.value_bytes};
    std::uint8_t flags = record.flags;
    bool seen = view_.sees(record.stamp());
    found.own = view_.own_mark != 0 && record.stamp() == view_.own_mark;
    storage::ExclusivePage page;
    while (!seen && address != 0) {
      page = engine_.pool.latch_resident(version::page_of(address));
      if (!page) {
        missing = address;
        break;
      }
      const version::Entry entry = version::read_entry(page.bytes(), engine_.pool.page_bytes(), version::offset_of(address));
      PLIMSOLL_CHECK(entry.bytes != 0);
      const bool intermediate = entry.stamp == registry::mark_of(entry.writer);
      seen = !intermediate && (entry.absent() || view_.sees(entry.stamp));
      value = entry.value;
      flags = entry.absent() ? btree::flag_deleted : entry.flags;
      address = entry.previous;
      if (!seen) page.unlatch();
    }
    if (missing != 0) {
      leaf.unlatch();
      if (auto loaded = engine_.pool.read(version::page_of(missing)); !loaded) {
        drop(found);
        return std::unexpected(loaded.error());
      }
      continue;
    }
    if (!seen || (flags & btree::flag_deleted) != 0) return nothing();
    if (const std::size_t bytes = value.size(); want == Want::value && (found.data == nullptr || found.bytes != bytes)) {
      page.unlatch();
      leaf.unlatch();
      if (!make_room(found, bytes)) return no_memory();
      continue;
    }
    copy_out(value, want, found);
    found.large = (flags & btree::flag_large) != 0;
    return found;
  }
  drop(found);
  return fail(ErrorCode::memory_budget_exceeded, "the versions of one key do not fit into the buffer pool");
}

Result<std::span<char>> TransactionImpl::allocate(std::size_t bytes, std::size_t alignment) {
  char* const at = context_.allocate(bytes, alignment);
  if (at == nullptr) return no_memory();
  return std::span(at, bytes);
}

std::unexpected<Error> TransactionImpl::no_memory() const {
  return fail(ErrorCode::memory_budget_exceeded, "transaction {}: its memory context cannot hold more than {} bytes", id_.value,
              context_.subtree_bytes());
}

Result<TransactionImpl::Found> TransactionImpl::read(TreeId tree, Bytes key, Want want, memory::Context& into) {
  Found found{.into = &into};
  for (int tries = 0; tries < optimistic_tries_max; ++tries) {
    PLIMSOLL_ASSIGN(const btree::LeafPosition position, engine_.trees.find(tree, key));
    auto attempt = read_position(position, want, found);
    if (!attempt) {
      drop(found);
      return std::unexpected(attempt.error());
    }
    if (*attempt == Attempt::done) return found;
    if (*attempt == Attempt::no_memory) return no_memory();
    engine_.metrics.add(Counter::read_restarts);
  }
  drop(found);
  return read_latched(tree, key, want, into);
}

Result<std::optional<Value>> TransactionImpl::to_value(Found found) {
  if (!found.present) return std::nullopt;
  if (found.large) PLIMSOLL_TRY(read_whole(found));
  Value value;
  value.data_ = found.data;
  value.size_ = found.bytes;
  value.owner_ = this;
  handle_made();
  value.owner_id_ = id_.value;
  return value;
}

Result<std::optional<Value>> TransactionImpl::get(TreeId tree, Bytes key) {
  engine_.metrics.add(Counter::point_reads);
  statement_snapshot();
  PLIMSOLL_ASSIGN(const Found found, read(tree, key, Want::value, context_));
  return to_value(found);
}

Result<bool> TransactionImpl::exists(TreeId tree, Bytes key) {
  engine_.metrics.add(Counter::point_reads);
  statement_snapshot();
  PLIMSOLL_ASSIGN(const Found found, read(tree, key, Want::existence, context_));
  return found.present;
}

Result<bool> TransactionImpl::superseded(TreeId tree, Bytes key) {
  engine_.metrics.add(Counter::point_reads);
  statement_snapshot();
  for (int tries = 0; tries < optimistic_tries_max; ++tries) {
    PLIMSOLL_ASSIGN(const btree::LeafPosition position, engine_.trees.find(tree, key));
    bool newer = false;
    {
      const btree::ReadLatch latch(engine_.pool, position.page);
      if (!latch) continue;
      newer = position.record && !view_.sees(position.record.stamp());
    }
    if (position.page.still_valid()) return newer;
    engine_.metrics.add(Counter::read_restarts);
  }
  PLIMSOLL_ASSIGN(btree::LatchedLeaf leaf, engine_.trees.latch(tree, key));
  return leaf.found() && !view_.sees(leaf.record().stamp());
}

Result<void> TransactionImpl::multi_get(TreeId tree, std::span<const Bytes> keys, std::span<std::optional<Value>> out) {
  constexpr std::size_t group = 64;
  statement_snapshot();
  engine_.metrics.add(Counter::point_reads, keys.size());
  std::array<btree::LeafPosition, group> positions;
  for (std::size_t begin = 0; begin < keys.size(); begin += group) {
    const std::size_t count = std::min(group, keys.size() - begin);
    PLIMSOLL_TRY(engine_.trees.find_many(tree, keys.subspan(begin, count), std::span(positions).first(count)));
    for (std::size_t i = 0; i < count; ++i) {
      Found found{.into = &context_};
      PLIMSOLL_ASSIGN(const Attempt attempt, read_position(positions[i], Want::value, found));
      if (attempt == Attempt::no_memory) return no_memory();
      if (attempt == Attempt::again) {
        drop(found);
        PLIMSOLL_ASSIGN(found, read(tree, keys[begin + i], Want::value, context_));
      }
      PLIMSOLL_ASSIGN(out[begin + i], to_value(found));
    }
  }
  return {};
}

}  // namespace plimsoll::txn
