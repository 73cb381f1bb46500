#include "storage/superblock.hpp"

#include <fmt/core.h>

#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <span>

#include "base/check.hpp"
#include "base/crc32c.hpp"
#include "base/fail.hpp"
#include "storage/page.hpp"

namespace plimsoll::storage {
namespace {

// A block: magic | format version | fields | zeroes | CRC32C over all before. docs/file-format.md has the table.
namespace field {
constexpr std::size_t magic = 0, version = 8, page_bytes = 12, sequence = 16, segment_bytes = 24, salt = 32, clean = 40,
                      incarnation = 42, checkpoint_lsn = 48, log_end = 56, clock_ceiling = 64, next_sequence = 72,
                      crc = io::block_bytes - 4;
}
constexpr std::string_view magic = "Plimsoll";
constexpr std::size_t blocks = 2;
constexpr std::string_view new_suffix = ".new";

using Block = std::span<char, io::block_bytes>;
struct alignas(io::block_bytes) Image {
  std::array<char, blocks * io::block_bytes> bytes{};
  Block block(std::size_t index) { return Block(bytes.data() + index * io::block_bytes, io::block_bytes); }
};

std::uint32_t crc_of(Block block) { return crc32c(0, block.data(), field::crc); }
bool has_magic(Block block) { return std::memcmp(block.data() + field::magic, magic.data(), magic.size()) == 0; }
bool is_intact(Block block) { return has_magic(block) && page_load<std::uint32_t>(block.data() + field::crc) == crc_of(block); }
std::uint32_t version_of(Block block) { return page_load<std::uint32_t>(block.data() + field::version); }

void encode(const Superblock& from, Block to) {
  char* at = to.data();
  std::memset(at, 0, to.size());
  std::memcpy(at + field::magic, magic.data(), magic.size());
  page_store<std::uint32_t>(at + field::version, format_version);
  page_store<std::uint32_t>(at + field::page_bytes, from.page_bytes);
  page_store<std::uint64_t>(at + field::sequence, from.sequence);
  page_store<std::uint64_t>(at + field::segment_bytes, from.segment_bytes);
  page_store<std::uint64_t>(at + field::salt, from.salt);
  page_store<std::uint8_t>(at + field::clean, from.clean ? 1 : 0);
  page_store<std::uint16_t>(at + field::incarnation, from.incarnation);
  page_store<std::uint64_t>(at + field::checkpoint_lsn, from.checkpoint_lsn);
  page_store<std::uint64_t>(at + field::log_end, from.log_end);
  page_store<std::uint64_t>(at + field::clock_ceiling, from.clock_ceiling);
  page_store<std::uint64_t>(at + field::next_sequence, from.next_sequence);
  page_store<std::uint32_t>(at + field::crc, crc_of(to));
}

Superblock decode(Block from) {
  PLIMSOLL_CHECK(is_intact(from) && version_of(from) == format_version);
  const char* at = from.data();
  Superblock to;
  to.page_bytes = page_load<std::uint32_t>(at + field::page_bytes);
  to.sequence = page_load<std::uint64_t>(at + field::sequence);
  to.segment_bytes = page_load<std::uint64_t>(at + field::segment_bytes);
  to.salt = page_load<std::uint64_t>(at + field::salt);
  to.clean = page_load<std::uint8_t>(at + field::clean) != 0;
  to.incarnation = page_load<std::uint16_t>(at + field::incarnation);
  to.checkpoint_lsn = page_load<std::uint64_t>(at + field::checkpoint_lsn);
  to.log_end = page_load<std::uint64_t>(at + field::log_end);
  to.clock_ceiling = page_load<std::uint64_t>(at + field::clock_ceiling);
  to.next_sequence = page_load<std::uint64_t>(at + field::next_sequence);
  return to;
}

std::string path_of(std::string_view store, std::string_view suffix = {}) {
  return fmt::format("{}/{}{}", store, superblock_name, suffix);
}

// Which block counts; empty: none is intact.
std::optional<std::size_t> newest(Image& image) {
  std::optional<std::size_t> best;
  std::uint64_t sequence = 0;
  for (std::size_t i = 0; i < blocks; ++i) {
    const Block block = image.block(i);
    if (!is_intact(block)) continue;
    const auto candidate = page_load<std::uint64_t>(block.data() + field::sequence);
    if (!best || candidate > sequence) {
      best = i;
      sequence = candidate;
    }
  }
  return best;
}

// Why neither block can be used.
std::unexpected<Error> fail_unusable(Image& image, const std::string& path) {
  for (std::size_t i = 0; i < blocks; ++i) {
    const Block block = image.block(i);
    if (has_magic(block) && version_of(block) > format_version) {
      return fail(ErrorCode::version_mismatch, "{} has format version {}, this library reads version {}", path, version_of(block),
                  format_version);
    }
  }
  if (has_magic(image.block(0)) || has_magic(image.block(1)))
    return fail(ErrorCode::corruption, "{}: both blocks are damaged", path);
  return fail(ErrorCode::corruption, "{} is no superblock of a store", path);
}

Result<void> check_values(const Superblock& block, const std::string& path) {
  if (!std::has_single_bit(block.page_bytes) || block.page_bytes < page_bytes_min || block.page_bytes > page_bytes_max) {
    return fail(ErrorCode::corruption, "{}: page size {} is not a power of two in {} .. {}", path, block.page_bytes, page_bytes_min,
                page_bytes_max);
  }
  if (!std::has_single_bit(block.segment_bytes)) {
    return fail(ErrorCode::corruption, "{}: log segment size {} is not a power of two", path, block.segment_bytes);
  }
  return {};
}

Result<void> load_image(io::File& file, const std::string& path, Image& image) {
  PLIMSOLL_ASSIGN(const std::uint64_t size, file.size());
  if (size < image.bytes.size())
    return fail(ErrorCode::corruption, "{} is cut off: {} of {} bytes", path, size, image.bytes.size());
  return file.read(0, image.bytes);
}

}  // namespace

constexpr std::string_view version_prefix = "versions.";
std::string version_file_name(std::uint16_t incarnation) { return fmt::format("{}{:04}", version_prefix, incarnation); }

std::optional<std::uint16_t> incarnation_of_version_file(std::string_view name) {
  if (!name.starts_with(version_prefix)) return std::nullopt;
  std::uint16_t number = 0;
  const std::string_view digits = name.substr(version_prefix.size());
  const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (end.ec != std::errc() || name != version_file_name(number)) return std::nullopt;
  return number;
}

Result<Superblock> read_superblock(io::FileSystem& files, std::string_view store) {
  const std::string path = path_of(store);
  PLIMSOLL_ASSIGN(const bool there, files.exists(path));
  if (!there) return fail(ErrorCode::not_found, "{} is no store: it has no file {}", store, superblock_name);
  PLIMSOLL_ASSIGN(const auto file, files.open(path, io::OpenMode::read_only, false));
  Image image;
  PLIMSOLL_TRY(load_image(*file, path, image));
  const auto best = newest(image);
  if (!best) return fail_unusable(image, path);
  const Block block = image.block(*best);
  if (version_of(block) != format_version) {
    return fail(ErrorCode::version_mismatch, "{} has format version {}, this library reads version {}", path, version_of(block),
                format_version);
  }
  const Superblock answer = decode(block);
  PLIMSOLL_TRY(check_values(answer, path));
  return answer;
}

namespace {

// The file, its blocks, and which of them counts.
struct Existing {
  std::unique_ptr<io::File> file;
  Image image;
  std::size_t newest = 0;

  Result<void> write(std::size_t index) { return file->write_durable(index * io::block_bytes, image.block(index)); }
};

Result<void> load_existing(io::FileSystem& files, std::string_view store, Existing& to) {
  const std::string path = path_of(store);
  PLIMSOLL_ASSIGN(to.file, files.open(path, io::OpenMode::read_write, false));
  PLIMSOLL_TRY(load_image(*to.file, path, to.image));
  const auto best = newest(to.image);
  if (!best) return fail_unusable(to.image, path);
  to.newest = *best;
  return {};
}

}  // namespace

Result<void> create_superblock(io::FileSystem& files, std::string_view store, const Superblock& block) {
  const std::string path = path_of(store, new_suffix);
  PLIMSOLL_ASSIGN(const bool left_over, files.exists(path));
  if (left_over) PLIMSOLL_TRY(files.remove(path));  // of a creation that did not end
  PLIMSOLL_ASSIGN(const auto file, files.open(path, io::OpenMode::create, false));
  Image image;
  Superblock first = block;
  first.sequence = 1;
  encode(first, image.block(0));
  PLIMSOLL_TRY(file->write(0, image.bytes));
  PLIMSOLL_TRY(file->sync());
  PLIMSOLL_TRY(files.rename(path, path_of(store)));
  return files.sync_directory(store);
}

// The block that does not count is overwritten, whatever sequence number the caller has.
Result<void> write_superblock(io::FileSystem& files, std::string_view store, const Superblock& block) {
  Existing existing;
  PLIMSOLL_TRY(load_existing(files, store, existing));
  Superblock next = block;
  next.sequence = page_load<std::uint64_t>(existing.image.block(existing.newest).data() + field::sequence) + 1;
  const std::size_t target = 1 - existing.newest;
  encode(next, existing.image.block(target));
  return existing.write(target);
}

// The only intact block is never overwritten: then its copy goes over the damaged one.
Result<void> confirm_superblock(io::FileSystem& files, std::string_view store) {
  Existing existing;
  PLIMSOLL_TRY(load_existing(files, store, existing));
  const Block newest = existing.image.block(existing.newest);
  const std::size_t other = 1 - existing.newest;
  if (is_intact(existing.image.block(other)) || version_of(newest) != format_version) return existing.write(existing.newest);
  Superblock copy = decode(newest);
  ++copy.sequence;
  encode(copy, existing.image.block(other));
  return existing.write(other);
}

}  // namespace plimsoll::storage
