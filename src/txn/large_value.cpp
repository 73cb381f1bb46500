#include "txn/large_value.hpp"

#include <algorithm>
#include <cstring>

#include "base/check.hpp"
#include "log/record.hpp"

namespace plimsoll::txn {

namespace {
constexpr std::uint32_t shared_bit = std::uint32_t{1} << 31;
}

Bytes LargeValue::encode(std::array<char, descriptor_max>& into) const {
  log::Writer writer(into);
  writer.number<std::uint64_t>(bytes).number<std::uint32_t>(crc).number<std::uint32_t>(count | (shared ? shared_bit : 0));
  for (std::uint32_t i = 0; i < count; ++i) writer.number<std::uint32_t>(extent[i].first).number<std::uint32_t>(extent[i].pages);
  return writer.view();
}

bool LargeValue::decode(Bytes from, LargeValue& value) {
  log::Reader reader(from);
  value.bytes = reader.number<std::uint64_t>();
  value.crc = reader.number<std::uint32_t>();
  const auto count = reader.number<std::uint32_t>();
  value.shared = (count & shared_bit) != 0;
  value.count = count & ~shared_bit;
  if (!reader.ok() || value.count > extents_max || value.bytes > value_bytes_max) return false;
  for (std::uint32_t i = 0; i < value.count; ++i)
    value.extent[i] = {reader.number<std::uint32_t>(), reader.number<std::uint32_t>()};
  return reader.ok() && reader.empty();
}

void MapPages::begin(Lsn lower_bound) {
  const std::size_t runs = runs_.extents.size();
  PLIMSOLL_CHECK(runs <= extents_max && runs_.pinned.size() >= runs);
  std::array<std::uint32_t, extents_max> order;
  for (std::uint32_t i = 0; i < runs; ++i) order[i] = i;
  std::sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(runs),
            [&](std::uint32_t a, std::uint32_t b) { return runs_.extents[a].first < runs_.extents[b].first; });
  for (std::size_t i = 0; i < runs; ++i) {
    if (count_ != 0 && pages_[count_ - 1].key() == space_.map_of(runs_.extents[order[i]].first)) continue;
    pages_[count_] = space_.latch_map(runs_.pinned[order[i]]);
    pages_[count_++].will_change(lower_bound);
  }
}

template <class Each>
void MapPages::for_each(Lsn end, Each each) {
  for (std::size_t p = 0; p < count_; ++p) {
    for (const Extent& extent : runs_.extents)
      if (space_.map_of(extent.first) == pages_[p].key()) each(pages_[p].bytes(), extent);
    pages_[p].set_lsn(end);
    pages_[p].unlatch();
  }
  count_ = 0;
}

void MapPages::set_bits(Lsn end) {
  for_each(end, [](char* map, const Extent& extent) { storage::Space::set_bits(map, extent.first, extent.pages); });
}
void MapPages::clear_bits(Lsn end) {
  for_each(end, [&](char* map, const Extent& extent) {
    storage::Space::clear_bits(map, extent.first, extent.pages);
    space_.note_freed(extent.first, end);
  });
}

}  // namespace plimsoll::txn
