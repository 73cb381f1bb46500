#include "version/entry.hpp"

#include "base/check.hpp"

namespace plimsoll::version {

Entry read_entry(const char* page, std::uint32_t page_bytes, std::uint32_t offset) {
  Entry entry;
  if (offset < storage::page_header_bytes || offset % 8 != 0 || offset + entry_header_bytes > page_bytes) return entry;
  const char* at = page + offset;
  const auto bytes = page_load<std::uint16_t>(at + at_entry::bytes);
  const auto key_bytes = page_load<std::uint16_t>(at + at_entry::key_bytes),
             value_bytes = page_load<std::uint16_t>(at + at_entry::value_bytes);
  if (bytes < entry_header_bytes || bytes % 8 != 0 || offset + bytes > page_bytes || entry_bytes(key_bytes, value_bytes) > bytes)
    return entry;
  entry.writer = TxnId{page_load<std::uint64_t>(at + at_entry::writer)};
  entry.previous_entry = page_load<std::uint64_t>(at + at_entry::previous_entry);
  entry.stamp = page_load<std::uint64_t>(at + at_entry::stamp);
  entry.previous = page_load<std::uint64_t>(at + at_entry::previous);
  entry.tree = page_load<std::uint32_t>(at + at_entry::tree);
  entry.leaf = page_load<std::uint32_t>(at + at_entry::leaf);
  entry.flags = page_load<std::uint8_t>(at + at_entry::flags);
  entry.entry_flags = page_load<std::uint8_t>(at + at_entry::entry_flags);
  entry.key = {at + entry_header_bytes, key_bytes};
  entry.value = {at + entry_header_bytes + key_bytes, value_bytes};
  entry.bytes = bytes;
  return entry;
}

void write_entry(char* page, std::uint32_t offset, const Entry& entry) {
  PLIMSOLL_CHECK(entry.bytes >= entry_bytes(entry.key.size(), entry.value.size()) && offset % 8 == 0);
  char* at = page + offset;
  page_store<std::uint64_t>(at + at_entry::writer, entry.writer.value);
  page_store<std::uint64_t>(at + at_entry::previous_entry, entry.previous_entry);
  page_store<std::uint64_t>(at + at_entry::stamp, entry.stamp);
  page_store<std::uint64_t>(at + at_entry::previous, entry.previous);
  page_store<std::uint32_t>(at + at_entry::tree, entry.tree);
  page_store<std::uint32_t>(at + at_entry::leaf, entry.leaf);
  page_store<std::uint16_t>(at + at_entry::key_bytes, static_cast<std::uint16_t>(entry.key.size()));
  page_store<std::uint16_t>(at + at_entry::value_bytes, static_cast<std::uint16_t>(entry.value.size()));
  page_store<std::uint16_t>(at + at_entry::bytes, entry.bytes);
  page_store<std::uint8_t>(at + at_entry::flags, entry.flags);
  page_store<std::uint8_t>(at + at_entry::entry_flags, entry.entry_flags);
  page_write(at + entry_header_bytes, entry.key.data(), entry.key.size());
  page_write(at + entry_header_bytes + entry.key.size(), entry.value.data(), entry.value.size());
}

}  // namespace plimsoll::version
