// The header of a record: its kinds, its checksum, its validity.
#include "log/record.hpp"

#include "base/crc32c.hpp"

namespace plimsoll::log {

static_assert(header_bytes == 4 + 4 + 1 + 3 + 4);
static_assert(record_bytes_max % 8 == 0 && header_bytes % 8 == 0);

namespace {

template <class T>
T number_at(std::string_view bytes, std::size_t offset) {
  PLIMSOLL_DCHECK(offset + sizeof(T) <= bytes.size());
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

}  // namespace

std::string_view name(Kind kind) {
  switch (kind) {
#define PLIMSOLL_X(name, value, meaning) \
  case Kind::name: return #name;
    PLIMSOLL_RECORD_KINDS(PLIMSOLL_X)
#undef PLIMSOLL_X
  }
  return "unknown";
}

bool known(std::uint8_t kind) {
  switch (Kind{kind}) {
#define PLIMSOLL_X(name, value, meaning) case Kind::name:
    PLIMSOLL_RECORD_KINDS(PLIMSOLL_X)
#undef PLIMSOLL_X
    return true;
  }
  return false;
}

std::uint32_t record_crc(std::uint64_t salt, Lsn position, std::string_view record_without_first_8_bytes) {
  const std::uint64_t identity[2] = {salt, position.value};
  return crc32c(crc32c(0, identity, sizeof identity), record_without_first_8_bytes);
}

Validity validate(std::string_view available, Lsn position, std::uint64_t salt, Record& record) {
  if (position.value % 8 != 0) return Validity::bad_header;
  if (available.size() < 8) return Validity::incomplete;
  const auto bytes = number_at<std::uint32_t>(available, 0);
  if (bytes == 0) return Validity::zero;
  if (bytes % 8 != 0 || bytes < header_bytes || bytes > record_bytes_max) return Validity::bad_header;
  if (available.size() < bytes) return Validity::incomplete;
  if (number_at<std::uint32_t>(available, 4) != record_crc(salt, position, available.substr(8, bytes - 8))) {
    return Validity::bad_checksum;
  }
  const auto kind = number_at<std::uint8_t>(available, 8);
  if (!known(kind)) return Validity::unknown_kind;
  const auto payload_bytes = number_at<std::uint32_t>(available, 12);
  const std::uint64_t room = bytes - header_bytes;
  if (payload_bytes > room || room - payload_bytes >= 8) return Validity::bad_header;
  record = {position, Lsn{position.value + bytes}, Kind{kind}, available.substr(header_bytes, payload_bytes)};
  PLIMSOLL_DCHECK(record.end.value % 8 == 0 && record.end > record.begin);
  return Validity::valid;
}

}  // namespace plimsoll::log
