#include "version/stamping.hpp"

#include "btree/leaf.hpp"
#include "version/visibility.hpp"

namespace plimsoll::version {

std::size_t stamp_leaf(char* leaf, const registry::Registry& registry) {
  if (storage::kind_of(leaf) != storage::PageKind::node || page_load<std::uint8_t>(leaf + storage::at::level) != 0) return 0;
  std::size_t stamped = 0;
  const std::uint16_t count = btree::record_count(leaf);
  std::uint64_t last_mark = 0, last_timestamp = 0;  // neighbours often have one writer
  for (std::uint16_t i = 0; i < count; ++i) {
    const btree::RecordView record = btree::record_at(leaf, i);
    const std::uint64_t stamp = record.stamp();
    if (!registry::is_mark(stamp)) continue;
    if (stamp != last_mark) {
      const Resolved resolved = resolve(registry, stamp);
      last_mark = stamp;
      last_timestamp = resolved.kind == Resolved::Kind::timestamp ? resolved.timestamp : 0;
    }
    if (last_timestamp == 0) continue;
    page_store<std::uint64_t>(const_cast<char*>(record.at), last_timestamp);
    ++stamped;
  }
  return stamped;
}

}  // namespace plimsoll::version
