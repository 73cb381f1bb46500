// Structure changes on their way into the log (btree/change.hpp).
#include "btree/change.hpp"

#include <algorithm>

#include "btree/node_update.hpp"

namespace plimsoll::btree {

void StructureChange::begin(storage::ExclusivePage& page) {
  PLIMSOLL_CHECK(page && count_ < pages_max);
  PLIMSOLL_DCHECK(std::ranges::find(pages_, &page) == pages_.end());
  before_[count_] = page.lsn().value;
  PLIMSOLL_DCHECK(storage::file_of(page.key()) == storage::data_file);
  pages_[count_++] = &page;
  page.will_change(log_.end());
}

void StructureChange::add(storage::ExclusivePage& page, log::Action action, std::string_view data) {
  const auto place = std::ranges::find(pages_, &page);
  PLIMSOLL_CHECK(place != pages_.end());
  log::write_action(to_, {page.key().value, before_[static_cast<std::size_t>(place - pages_.begin())], action, data});
}

void StructureChange::add_image(storage::ExclusivePage& page) {
  // low | high, without the hole; the word, the key and the LSN are not part of the image.
  const Node node(page.bytes());
  const std::size_t low = node.arrays_end() - storage::at::kind, high = node.page_bytes() - node.heap_begin();
  PLIMSOLL_CHECK(low + high + storage::at::kind <= node.page_bytes());
  char image[4 + storage::page_bytes_max];
  log::Writer writer(image);
  writer.number<std::uint16_t>(static_cast<std::uint16_t>(low)).number<std::uint16_t>(static_cast<std::uint16_t>(high));
  writer.bytes({page.bytes() + storage::at::kind, low}).bytes({page.bytes() + node.heap_begin(), high});
  add(page, log::Action::image, writer.view());
}

void StructureChange::set_space(storage::ExclusivePage& map, std::uint32_t first, std::uint32_t count) {
  storage::Space::set_bits(map.bytes(), first, count);
  char data[8];
  add(map, log::Action::space_set, log::Writer(data).number<std::uint32_t>(first).number<std::uint32_t>(count).view());
}

void StructureChange::clear_space(storage::ExclusivePage& map, std::uint32_t first, std::uint32_t count) {
  storage::Space::clear_bits(map.bytes(), first, count);
  char data[8];
  add(map, log::Action::space_clear, log::Writer(data).number<std::uint32_t>(first).number<std::uint32_t>(count).view());
}

log::Log::Span StructureChange::finish() {
  PLIMSOLL_CHECK(count_ > 0 && to_.size() > 0);
  const auto span = log_.append(credit_, log::Kind::pages, to_.view());
  for (std::size_t i = 0; i < count_; ++i) pages_[i]->set_lsn(span.end);
  count_ = 0;
  return span;
}

}  // namespace plimsoll::btree
