#include "storage/doublewrite.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/check.hpp"
#include "base/crc32c.hpp"
#include "base/fail.hpp"

namespace plimsoll::storage {
namespace {

// Block 0 of the file: u64 magic | u32 page bytes | u32 pages | 128 x u64 page key | u32 CRC32C of all before.
constexpr std::uint64_t magic = 0x32454C42554F4450;  // "PDOUBLE2"
constexpr std::size_t header_keys_at = 16, header_crc_at = header_keys_at + 8 * doublewrite_batch;
static_assert(header_crc_at + 4 <= io::block_bytes);

struct alignas(io::block_bytes) Header {
  std::array<char, io::block_bytes> bytes{};

  template <class T>
  T get(std::size_t at) const {
    return page_load<T>(bytes.data() + at);
  }
  template <class T>
  void put(std::size_t at, std::type_identity_t<T> value) {
    page_store<T>(bytes.data() + at, value);
  }
  std::uint32_t crc() const { return crc32c(0, bytes.data(), header_crc_at); }
  PageKey key(std::size_t index) const { return PageKey{get<std::uint64_t>(header_keys_at + 8 * index)}; }
};

std::uint64_t image_offset(std::size_t index, std::uint32_t page_bytes) {
  return io::block_bytes + std::uint64_t{index} * page_bytes;
}

// The salt and the key come first, so that pages of other stores and other places never pass.
std::uint32_t image_crc(const char* image, std::uint32_t page_bytes, std::uint64_t salt) {
  const std::array<std::uint64_t, 2> prefix{salt, key_of(image).value};
  return crc32c(crc32c(0, prefix.data(), sizeof prefix), image + at::key, page_bytes - at::key);
}

bool all_zero(const char* image, std::uint32_t page_bytes) {
  return image[0] == 0 && std::memcmp(image, image + 1, page_bytes - 1) == 0;
}

}  // namespace

void seal_image(char* image, std::uint32_t page_bytes, std::uint64_t salt) {
  page_store<std::uint32_t>(image, image_crc(image, page_bytes, salt));
  page_store<std::uint32_t>(image + 4, page_format);
}

PageState check_image(const char* image, std::uint32_t page_bytes, std::uint64_t salt, PageKey key) {
  if (page_load<std::uint32_t>(image + 4) != page_format)
    return all_zero(image, page_bytes) ? PageState::never_written : PageState::damaged;
  if (page_load<std::uint32_t>(image) != image_crc(image, page_bytes, salt)) return PageState::damaged;
  return key_of(image) == key ? PageState::good : PageState::misplaced;
}

void DoublewritePages::begin_batch() {
  const MutexLock lock(mutex_);
  in_batch_count_ = 0;
}

void DoublewritePages::add(PageKey key) {
  const MutexLock lock(mutex_);
  PLIMSOLL_CHECK(in_batch_count_ < in_batch_.size());
  in_batch_[in_batch_count_++] = key;
}

void DoublewritePages::unsure() {
  const MutexLock lock(mutex_);
  unknown_ = true;
}

void DoublewritePages::replaced() {
  const MutexLock lock(mutex_);
  in_area_ = in_batch_;
  in_area_count_ = in_batch_count_;
  unknown_ = false;
}

void DoublewritePages::cleared() {
  const MutexLock lock(mutex_);
  in_area_count_ = 0;
  unknown_ = false;
}

std::span<const PageKey> DoublewritePages::in_area(Keys& keys) const {
  const MutexLock lock(mutex_);
  keys = in_area_;
  return std::span(keys).first(in_area_count_);
}

bool DoublewritePages::may_hold(PageKey from, PageKey to) const {
  const auto concerned = [&](PageKey key) { return key >= from && key < to; };
  const MutexLock lock(mutex_);
  return unknown_ || std::any_of(in_area_.begin(), in_area_.begin() + in_area_count_, concerned) ||
         std::any_of(in_batch_.begin(), in_batch_.begin() + in_batch_count_, concerned);
}

// One sync covers header and images: if the crash comes before its end, nothing has been written in place yet, and repair() trusts
// no image that does not fit its key.
Result<void> write_doublewrite(io::File& area, std::uint32_t page_bytes, std::span<const PageKey> keys, const char* images) {
  PLIMSOLL_CHECK(!keys.empty() && keys.size() <= doublewrite_batch);
  Header header;
  header.put<std::uint64_t>(0, magic);
  header.put<std::uint32_t>(8, page_bytes);
  header.put<std::uint32_t>(12, static_cast<std::uint32_t>(keys.size()));
  for (std::size_t i = 0; i < keys.size(); ++i) header.put<std::uint64_t>(header_keys_at + 8 * i, keys[i].value);
  header.put<std::uint32_t>(header_crc_at, header.crc());
  PLIMSOLL_TRY(area.write(image_offset(0, page_bytes), {images, keys.size() * page_bytes}));
  PLIMSOLL_TRY(area.write(0, header.bytes));
  return area.sync();
}

Result<void> read_doublewrite(io::File& area, std::uint32_t page_bytes, std::uint64_t salt, std::span<const PageKey> keys,
                              char* images) {
  PLIMSOLL_TRY(area.read(image_offset(0, page_bytes), {images, keys.size() * page_bytes}));
  for (std::size_t i = 0; i < keys.size(); ++i)
    if (check_image(images + i * page_bytes, page_bytes, salt, keys[i]) != PageState::good)
      return fail(ErrorCode::corruption, "the copy of page {} in the doublewrite area is damaged", page_of(keys[i]));
  return {};
}

Result<void> clear_doublewrite(io::File& area) {
  const Header nothing;
  PLIMSOLL_TRY(area.write(0, nothing.bytes));
  return area.sync();
}

Result<std::uint64_t> repair(io::File& area, memory::PageProvider& provider, std::uint32_t page_bytes, std::uint64_t salt,
                             const std::function<io::File*(std::uint16_t)>& file) {
  Header header;
  PLIMSOLL_TRY(area.read(0, header.bytes));
  const auto pages = header.get<std::uint32_t>(12);
  const bool usable = header.get<std::uint64_t>(0) == magic && header.get<std::uint32_t>(header_crc_at) == header.crc() &&
                      header.get<std::uint32_t>(8) == page_bytes && pages <= doublewrite_batch;
  if (!usable) return 0;  // never used, or torn itself: then its batch was not begun in place
  PLIMSOLL_ASSIGN(const memory::Mapping buffers, provider.map(memory::Account::io_buffers, 2 * std::size_t{page_bytes}));
  const std::span copy(buffers.data(), page_bytes), place(buffers.data() + page_bytes, page_bytes);
  std::uint64_t repaired = 0;
  for (std::size_t i = 0; i < pages; ++i) {
    const PageKey key = header.key(i);
    io::File* target = file(file_of(key));
    if (target == nullptr) continue;
    PLIMSOLL_TRY(area.read(image_offset(i, page_bytes), copy));
    if (check_image(copy.data(), page_bytes, salt, key) != PageState::good) continue;
    const std::uint64_t offset = std::uint64_t{page_of(key)} * page_bytes;
    PLIMSOLL_TRY(target->read(offset, place));
    if (check_image(place.data(), page_bytes, salt, key) == PageState::good) continue;
    PLIMSOLL_TRY(target->write(offset, copy));
    PLIMSOLL_TRY(target->sync());
    ++repaired;
  }
  return repaired;
}

}  // namespace plimsoll::storage
