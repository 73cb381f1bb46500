// Log records with arbitrary bytes: without a right checksum none is taken for a record, and with one (bytes damaged before it was
// made) every payload is either decoded within its bounds or refused. The records lie before memory that cannot be read.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "fuzz/support.hpp"
#include "log/record.hpp"

namespace plimsoll::log {
namespace {

constexpr std::size_t area_bytes = 16u << 10;
constexpr std::uint64_t salt = 0x5EED;
constexpr Lsn position{4096};

// Records end where readable memory ends.
class Area {
 public:
  Area() {
    void* at = mmap(nullptr, area_bytes + (1u << 20), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT_NE(at, MAP_FAILED);
    begin_ = static_cast<char*>(at);
    EXPECT_EQ(mprotect(begin_, area_bytes, PROT_READ | PROT_WRITE), 0);
  }
  ~Area() { munmap(begin_, area_bytes + (1u << 20)); }
  Area(const Area&) = delete;
  Area& operator=(const Area&) = delete;
  std::span<char> last(std::size_t bytes) const { return {begin_ + area_bytes - bytes, bytes}; }

 private:
  char* begin_ = nullptr;
};

std::string noise(std::size_t bytes, Random& random) {
  std::string made(bytes, '\0');
  for (char& c : made) c = static_cast<char>(random.next());
  return made;
}

std::string payload_of(Kind kind, Random& random) {
  std::string buffer(8192, '\0');
  Writer to(buffer);
  const std::string key = noise(random.below(40), random), before = noise(random.below(100), random),
                    after = noise(random.below(100), random);
  switch (kind) {
    case Kind::update:
    case Kind::revert: {
      Update update;
      update.transaction = TxnId{random.next()};
      update.tree = 3;
      update.leaf = 9;
      update.key = key;
      update.before = before;
      update.after = after;
      write_update(to, update);
      break;
    }
    case Kind::pages:
      for (std::uint64_t i = 0, n = 1 + random.below(5); i < n; ++i)
        write_action(to, {random.below(100), random.next(), static_cast<Action>(1 + random.below(9)), before});
      break;
    case Kind::commit: write_commit(to, {TxnId{random.next()}, Timestamp{random.next()}}); break;
    case Kind::abort:
    case Kind::end:
    case Kind::prepare:
      write_ending(to, {TxnId{random.next()}, random.next(), kind == Kind::prepare ? Bytes(key) : Bytes{}});
      break;
    case Kind::checkpoint: {
      Checkpoint checkpoint;
      checkpoint.transactions = static_cast<std::uint32_t>(random.below(4));
      write_checkpoint(to, checkpoint);
      for (std::uint32_t i = 0; i < checkpoint.transactions; ++i)
        write_checkpoint_transaction(to, {TxnId{random.next()}, 1, random.next(), key});
    }
  }
  return std::string(to.view());
}

void seal(std::span<char> record) {
  const std::uint32_t crc = record_crc(salt, position, {record.data() + 8, record.size() - 8});
  std::memcpy(record.data() + 4, &crc, sizeof crc);
}

// A sealed record of this kind at the end of the area.
std::span<char> make_record(const Area& area, Kind kind, Random& random) {
  const std::string payload = payload_of(kind, random);
  const std::size_t bytes = (header_bytes + payload.size() + 7) / 8 * 8;
  const std::span<char> record = area.last(bytes);
  std::memset(record.data(), 0, bytes);
  const auto all = static_cast<std::uint32_t>(bytes), of_payload = static_cast<std::uint32_t>(payload.size());
  std::memcpy(record.data(), &all, sizeof all);
  record[8] = static_cast<char>(kind);
  std::memcpy(record.data() + 12, &of_payload, sizeof of_payload);
  payload.copy(record.data() + header_bytes, payload.size());
  seal(record);
  return record;
}

bool within(std::string_view part, std::string_view whole) {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

// False: refused.
bool decode(const Record& record) {
  const std::string_view payload = record.payload;
  switch (record.kind) {
    case Kind::update:
    case Kind::revert: {
      Update update;
      if (!read_update(payload, update)) return false;
      return within(update.key, payload) && within(update.before, payload) && within(update.after, payload);
    }
    case Kind::pages: {
      Reader from(payload);
      PageAction action;
      while (read_action(from, action))
        if (!within(action.data, payload)) return false;
      return from.ok();
    }
    case Kind::commit: {
      Commit commit;
      return read_commit(payload, commit);
    }
    case Kind::abort:
    case Kind::end:
    case Kind::prepare: {
      Ending ending;
      return read_ending(payload, ending) && within(ending.global_id, payload);
    }
    case Kind::checkpoint: {
      Reader from(payload);
      Checkpoint checkpoint;
      if (!read_checkpoint(from, checkpoint)) return false;
      CheckpointTransaction transaction;
      for (std::uint32_t i = 0; i < checkpoint.transactions; ++i)
        if (!read_checkpoint_transaction(from, transaction)) return false;
      return from.ok();
    }
  }
  return false;
}

TEST(LogBytes, DamagedRecordsAreRefusedAndSealedOnesDecodeWithinTheirBounds) {
  Random random(1);
  const Area area;
  std::uint64_t refused = 0, decoded = 0;
  for (std::uint64_t round = 0; round < scaled(400'000, 4000); ++round) {
    SCOPED_TRACE(round);
    const auto kind = static_cast<Kind>(1 + random.below(8));
    const std::span<char> record = make_record(area, kind, random);
    const std::string intact(record.begin(), record.end());
    Record seen;
    ASSERT_EQ(validate({record.data(), record.size()}, position, salt, seen), Validity::valid);
    ASSERT_TRUE(decode(seen));
    const std::size_t short_by = 1 + random.below(record.size());
    ASSERT_NE(validate({record.data(), record.size() - short_by}, position, salt, seen), Validity::valid);
    ASSERT_NE(validate({record.data(), record.size()}, position, salt + 1, seen), Validity::valid);

    damage(record, header_bytes + 40, random);
    if (intact != std::string_view(record.data(), record.size())) {
      ASSERT_NE(validate({record.data(), record.size()}, position, salt, seen), Validity::valid);
    }
    if (random.below(2) == 0) intact.copy(record.data(), header_bytes);  // mostly, the header is in the way
    seal(record);
    if (validate({record.data(), record.size()}, position, salt, seen) != Validity::valid) continue;
    ASSERT_FALSE(describe(seen).empty());
    decode(seen) ? ++decoded : ++refused;
  }
  std::printf("refused %llu, decoded %llu\n", static_cast<unsigned long long>(refused), static_cast<unsigned long long>(decoded));
  EXPECT_GT(refused, 0u);
  EXPECT_GT(decoded, 0u);
}

}  // namespace
}  // namespace plimsoll::log
