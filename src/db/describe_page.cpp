// describe_page: one page of a store's files, explained. Reads the file, and nothing else of the store but its superblock.
#include <fmt/format.h>

#include <array>

#include "base/fail.hpp"
#include "btree/node.hpp"
#include "btree/node_check.hpp"
#include "io/file.hpp"
#include "plimsoll/inspect.hpp"
#include "storage/doublewrite.hpp"
#include "storage/superblock.hpp"
#include "version/entry.hpp"

namespace plimsoll {
namespace {

using Each = std::function<bool(const PageItem&)>;

struct Image {
  const char* bytes;
  std::uint32_t page_bytes;
};

std::string_view text_of(storage::PageState state) {
  switch (state) {
    case storage::PageState::good: return "good";
    case storage::PageState::never_written: return "never written";
    case storage::PageState::damaged: return "damaged";
    case storage::PageState::misplaced: return "misplaced";
  }
  return "";
}

// The number that the file's pages have in their keys; none: it is no file of pages.
std::optional<std::uint16_t> number_of(std::string_view file) {
  if (file == storage::data_name) return storage::data_file;
  return storage::incarnation_of_version_file(file);
}

std::optional<std::string> owned(std::optional<Bytes> bytes) {
  if (!bytes) return std::nullopt;
  return std::string(*bytes);
}

void describe_leaf(const Image& image, PageDescription& page, const Each& each) {
  std::array<char, btree::key_bytes_limit> key;
  for (std::uint16_t i = 0; i < page.items; ++i) {
    const btree::RecordView record = btree::record_at(image.bytes, i);
    const bool deleted = (record.flags & btree::flag_deleted) != 0, large = (record.flags & btree::flag_large) != 0;
    const PageItem item{static_cast<std::uint64_t>(record.at - image.bytes),
                        btree::key_at(image.bytes, i, key.data()),
                        {record.value, record.value_bytes},
                        fmt::format("stamp {:#x}, older version {:#x}{}{}", record.stamp(), record.previous(),
                                    deleted ? ", deleted" : "", large ? ", value out of line" : "")};
    if (!each(item)) return;
  }
}

void describe_inner(const Image& image, const PageDescription& page, const Each& each) {
  const btree::Node node(image.bytes);
  std::array<char, btree::key_bytes_limit> key;
  for (std::size_t i = 0; i < page.items; ++i) {
    const Bytes from = i == 0 ? Bytes() : node.key(i, key.data());  // the first takes all below the second
    if (!each({node.child_at(i), from, {}, fmt::format("child page {}", node.child(i))})) return;
  }
}

void describe_node(const Image& image, PageDescription& page, const Each& each) {
  const btree::Node node(image.bytes);
  page.level = node.level();
  page.tree = TreeId{node.tree()};
  page.kind = node.leaf() ? "leaf" : "inner node";
  const bool walkable =
      btree::check_node(image.bytes, image.page_bytes, [&](std::string_view problem) { page.problems.emplace_back(problem); });
  if (!walkable) return;
  page.items = node.count();
  page.lower_fence = owned(node.lower_fence());
  page.upper_fence = owned(node.upper_fence());
  node.leaf() ? describe_leaf(image, page, each) : describe_inner(image, page, each);
}

void describe_versions(const Image& image, PageDescription& page, const Each& each) {
  bool wanted = true;
  std::uint32_t at = storage::page_header_bytes;
  while (at + version::entry_header_bytes <= image.page_bytes) {
    const version::Entry entry = version::read_entry(image.bytes, image.page_bytes, at);
    if (entry.bytes == 0) break;  // nothing was appended from here on
    ++page.items;
    const bool filled = (entry.entry_flags & version::entry_filled) != 0;
    if (wanted && !filled) wanted = each({at, {}, {}, "a hole: reserved, and not filled"});
    if (wanted && filled)
      wanted = each({at, entry.key, entry.value,
                     fmt::format("tree {}, written by transaction {}, stamp {:#x}, older version {:#x}{}{}", entry.tree,
                                 entry.writer.value, entry.stamp, entry.previous, entry.absent() ? ", no record before" : "",
                                 (entry.entry_flags & version::entry_dead) != 0 ? ", dead" : "")});
    at += entry.bytes;
  }
}

// Bit i of byte j, from offset 64 on, is the page j * 8 + i of the group that begins with this page.
void describe_space_map(const Image& image, PageDescription& page, const Each& each) {
  constexpr std::size_t bits_at = 64;
  const std::uint64_t pages = (image.page_bytes - bits_at) * 8;
  const auto used = [&](std::uint64_t i) { return (static_cast<unsigned char>(image.bytes[bits_at + i / 8]) >> (i % 8) & 1) != 0; };
  for (std::uint64_t i = 0; i < pages; ++i) {
    if (!used(i)) continue;
    const std::uint64_t first = i;
    while (i + 1 < pages && used(i + 1)) ++i;
    ++page.items;
    if (!each({page.page + first, {}, {}, fmt::format("pages {} to {} are in use", page.page + first, page.page + i)})) return;
  }
}

void describe(const Image& image, PageDescription& page, const Each& each) {
  switch (storage::kind_of(image.bytes)) {
    case storage::PageKind::none: page.kind = "none"; return;
    case storage::PageKind::node: return describe_node(image, page, each);
    case storage::PageKind::space_map: page.kind = "space map"; return describe_space_map(image, page, each);
    case storage::PageKind::version: page.kind = "version page"; return describe_versions(image, page, each);
  }
  page.kind = "none";
  page.problems.emplace_back("its kind is unknown");
}

}  // namespace

Result<PageDescription> describe_page(std::string_view path, std::string_view file, std::uint64_t page, const Each& each) {
  const auto files = io::make_plain_file_system();
  PLIMSOLL_ASSIGN(const storage::Superblock super, storage::read_superblock(*files, path));
  const std::optional<std::uint16_t> number = number_of(file);
  if (!number) return fail(ErrorCode::not_found, "{} has no pages: data and versions.NNNN have", file);
  PLIMSOLL_ASSIGN(const auto handle, files->open(fmt::format("{}/{}", path, file), io::OpenMode::read_only, false));
  PLIMSOLL_ASSIGN(const std::uint64_t bytes, handle->size());
  if (page >= bytes / super.page_bytes)
    return fail(ErrorCode::not_found, "{}/{} has {} pages, from 0 on", path, file, bytes / super.page_bytes);

  alignas(io::block_bytes) std::array<char, storage::page_bytes_max> buffer;
  const Image image{buffer.data(), super.page_bytes};
  PLIMSOLL_TRY(handle->read(page * super.page_bytes, {buffer.data(), super.page_bytes}));
  const storage::PageKey key = storage::page_key(*number, static_cast<std::uint32_t>(page));
  const storage::PageState state = storage::check_image(image.bytes, super.page_bytes, super.salt, key);
  PageDescription description;
  description.file = file;
  description.page = page;
  description.state = text_of(state);
  description.key = storage::key_of(image.bytes).value;
  description.lsn = storage::lsn_of(image.bytes);
  if (state == storage::PageState::good || state == storage::PageState::misplaced) describe(image, description, each);
  return description;
}

}  // namespace plimsoll
