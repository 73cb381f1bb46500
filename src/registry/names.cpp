// What messages call transactions. A slot keeps its label and timestamp after its transaction has ended, until it is taken again.
// Taking it clears the timestamp first, then counts the sequence number, then changes the label.
#include <fmt/format.h>

#include <algorithm>

#include "registry/label.hpp"
#include "registry/registry.hpp"

namespace plimsoll::registry {

TransactionName::TransactionName(TxnId id, std::string_view label) {
  const auto end = label.empty() ? fmt::format_to_n(text_.data(), text_.size(), "{}", id.value)
                                 : fmt::format_to_n(text_.data(), text_.size(), "{} '{}'", id.value, label);
  bytes_ = std::min(end.size, text_.size());
}

TransactionName Registry::name(TxnId id) const {
  const SlotIndex index = slot_of(id);
  if (index >= count_) return {id, {}};
  const Slot& slot = slots()[index];
  const auto last = [&] {  // the transaction that the slot is or was of
    const TxnId now{slot.id.load(std::memory_order_acquire)};
    return now ? now : make_id(slot.sequence.load(std::memory_order_acquire) - 1, index);
  };
  if (last() != id) return {id, {}};
  const Label label(slot);
  return {id, last() == id ? label.text() : std::string_view()};
}

TxnId Registry::committer(Timestamp at) const {
  if (!at || slots_high() > slots_cheap) return {};
  for (SlotIndex index = 0; index < slots_high(); ++index) {
    const Slot& slot = slots()[index];
    if (slot.timestamp.load(std::memory_order_acquire) != at.value) continue;
    TxnId id{slot.id.load(std::memory_order_acquire)};
    const std::uint64_t next = slot.sequence.load(std::memory_order_acquire);
    if (!id && next > first_sequence_) id = make_id(next - 1, index);  // else it was recovered, under an older number
    return slot.timestamp.load(std::memory_order_acquire) == at.value ? id : TxnId{};
  }
  return {};
}

}  // namespace plimsoll::registry
