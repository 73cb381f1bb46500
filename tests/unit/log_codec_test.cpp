// Log records on their own: every payload comes out as it went in, damage of every kind is seen, and descriptions are one line.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "log/record.hpp"

namespace plimsoll::log {
namespace {

std::string written(auto&& write, std::size_t room = 1u << 20) {
  std::string buffer(room, '\0');
  Writer to({buffer.data(), buffer.size()});
  write(to);
  buffer.resize(to.size());
  return buffer;
}

std::string text(std::size_t bytes_max) {
  return *rc::gen::scale(0.5,
                         rc::gen::container<std::string>(static_cast<std::size_t>(*rc::gen::inRange<std::size_t>(0, bytes_max + 1)),
                                                         rc::gen::arbitrary<char>()));
}
template <class T>
T any() {
  return *rc::gen::arbitrary<T>();
}

RC_GTEST_PROP(CodecTest, AnUpdateComesBack, ()) {
  const std::string key = text(200), before = text(200), after = text(200);
  const Update in{TxnId{any<std::uint64_t>()},
                  any<std::uint32_t>(),
                  any<std::uint32_t>(),
                  any<std::uint64_t>(),
                  any<std::uint64_t>(),
                  any<std::uint64_t>(),
                  any<std::uint64_t>(),
                  any<std::uint64_t>(),
                  any<std::uint64_t>(),
                  any<std::uint64_t>(),
                  any<std::uint64_t>(),
                  any<std::uint8_t>(),
                  any<std::uint8_t>(),
                  key,
                  before,
                  after};
  const std::string payload = written([&](Writer& to) { write_update(to, in); });
  RC_ASSERT(payload.size() == update_fixed_bytes + key.size() + before.size() + after.size());
  Update out;
  RC_ASSERT(read_update(payload, out));
  RC_ASSERT(out.transaction == in.transaction && out.tree == in.tree && out.leaf == in.leaf);
  RC_ASSERT(out.leaf_before_lsn == in.leaf_before_lsn && out.version == in.version);
  RC_ASSERT(out.version_before_lsn == in.version_before_lsn && out.previous_entry == in.previous_entry);
  RC_ASSERT(out.before_stamp == in.before_stamp && out.before_previous == in.before_previous);
  RC_ASSERT(out.after_stamp == in.after_stamp && out.after_previous == in.after_previous);
  RC_ASSERT(out.before_flags == in.before_flags && out.after_flags == in.after_flags);
  RC_ASSERT(out.key == in.key && out.before == in.before && out.after == in.after);
  RC_ASSERT(!read_update(payload + "x", out));
  for (std::size_t cut = 0; cut < payload.size(); ++cut) RC_ASSERT(!read_update(std::string_view(payload).substr(0, cut), out));
}

RC_GTEST_PROP(CodecTest, TheHeadOfAnUpdateAndItsPiecesAreTheWholePayload, ()) {
  const std::string key = text(100), before = text(100), after = text(100);
  Update update;
  update.transaction = TxnId{any<std::uint64_t>()};
  update.key = key;
  update.before = before;
  update.after = after;
  const std::string head = written([&](Writer& to) { write_update_head(to, update); });
  RC_ASSERT(head.size() == update_fixed_bytes);
  RC_ASSERT(head + key + before + after == written([&](Writer& to) { write_update(to, update); }));
}

RC_GTEST_PROP(CodecTest, PageActionsComeBackInOrder, ()) {
  const auto count = *rc::gen::inRange<std::size_t>(0, 6);
  std::vector<std::string> data;
  std::vector<PageAction> in;
  for (std::size_t i = 0; i < count; ++i) data.push_back(text(300));
  for (std::size_t i = 0; i < count; ++i) {
    in.push_back(
        {any<std::uint64_t>(), any<std::uint64_t>(), Action{static_cast<std::uint8_t>(*rc::gen::inRange(1, 10))}, data[i]});
  }
  const std::string payload = written([&](Writer& to) {
    for (const PageAction& action : in) write_action(to, action);
  });
  Reader from(payload);
  PageAction out;
  for (const PageAction& action : in) {
    RC_ASSERT(read_action(from, out));
    RC_ASSERT(out.page_key == action.page_key && out.before_lsn == action.before_lsn);
    RC_ASSERT(out.action == action.action && out.data == action.data);
  }
  RC_ASSERT(!read_action(from, out));
  RC_ASSERT(from.ok());
  if (!payload.empty()) {
    Reader shortened(std::string_view(payload).substr(0, payload.size() - 1));
    while (read_action(shortened, out)) {}
    RC_ASSERT(!shortened.ok());
  }
}

TEST(CodecTest, AnUnknownPageActionIsRefused) {
  std::string payload = written([](Writer& to) { write_action(to, {1, 2, Action::image, "abc"}); });
  for (const int wrong : {0, 10, 255}) {
    payload[16] = static_cast<char>(wrong);
    Reader from(payload);
    PageAction action;
    EXPECT_FALSE(read_action(from, action));
    EXPECT_FALSE(from.ok());
  }
}

RC_GTEST_PROP(CodecTest, CommitsAndEndingsComeBack, ()) {
  const Commit commit{TxnId{any<std::uint64_t>()}, Timestamp{any<std::uint64_t>()}};
  const std::string committed = written([&](Writer& to) { write_commit(to, commit); });
  Commit out;
  RC_ASSERT(committed.size() == 16u && read_commit(committed, out));
  RC_ASSERT(out.transaction == commit.transaction && out.timestamp == commit.timestamp);
  RC_ASSERT(!read_commit(committed + "x", out) && !read_commit(std::string_view(committed).substr(0, 15), out));

  const std::string id = text(64);
  const Ending ending{TxnId{any<std::uint64_t>()}, any<std::uint64_t>(), id};
  const std::string ended = written([&](Writer& to) { write_ending(to, ending); });
  Ending back;
  RC_ASSERT(read_ending(ended, back));
  RC_ASSERT(back.transaction == ending.transaction && back.last_entry == ending.last_entry && back.global_id == ending.global_id);
  RC_ASSERT(!read_ending(std::string_view(ended).substr(0, 15), back));
}

RC_GTEST_PROP(CodecTest, ACheckpointComesBackWithItsTransactions, ()) {
  const auto count = *rc::gen::inRange<std::uint32_t>(0, 8);
  std::vector<std::string> ids;
  std::vector<CheckpointTransaction> in;
  for (std::uint32_t i = 0; i < count; ++i) ids.push_back(text(64));
  for (std::uint32_t i = 0; i < count; ++i) {
    in.push_back({TxnId{any<std::uint64_t>()}, any<std::uint8_t>(), any<std::uint64_t>(), ids[i]});
  }
  const Checkpoint checkpoint{Lsn{any<std::uint64_t>()}, Lsn{any<std::uint64_t>()}, any<std::uint64_t>(),
                              any<std::uint64_t>(),      any<std::uint16_t>(),      count};
  const std::string payload = written([&](Writer& to) {
    write_checkpoint(to, checkpoint);
    for (const auto& transaction : in) write_checkpoint_transaction(to, transaction);
  });
  Reader from(payload);
  Checkpoint out;
  RC_ASSERT(read_checkpoint(from, out));
  RC_ASSERT(out.redo_start == checkpoint.redo_start && out.captured == checkpoint.captured &&
            out.clock_ceiling == checkpoint.clock_ceiling);
  RC_ASSERT(out.next_sequence == checkpoint.next_sequence && out.incarnation == checkpoint.incarnation &&
            out.transactions == count);
  for (const auto& transaction : in) {
    CheckpointTransaction back;
    RC_ASSERT(read_checkpoint_transaction(from, back));
    RC_ASSERT(back.transaction == transaction.transaction && back.state == transaction.state);
    RC_ASSERT(back.last_entry == transaction.last_entry && back.global_id == transaction.global_id);
  }
  RC_ASSERT(from.ok() && from.empty());
}

// A record as the log lays it out.
std::string record(std::uint64_t salt, Lsn position, Kind kind, std::string_view payload) {
  std::string bytes((header_bytes + payload.size() + 7) / 8 * 8, '\0');
  const auto size = static_cast<std::uint32_t>(bytes.size()), used = static_cast<std::uint32_t>(payload.size());
  std::memcpy(bytes.data(), &size, 4);
  bytes[8] = static_cast<char>(kind);
  std::memcpy(bytes.data() + 12, &used, 4);
  payload.copy(bytes.data() + header_bytes, payload.size());
  const std::uint32_t crc = record_crc(salt, position, std::string_view(bytes).substr(8));
  std::memcpy(bytes.data() + 4, &crc, 4);
  return bytes;
}

void seal(std::string& bytes, std::uint64_t salt, Lsn position) {
  const std::uint32_t crc = record_crc(salt, position, std::string_view(bytes).substr(8));
  std::memcpy(bytes.data() + 4, &crc, 4);
}

RC_GTEST_PROP(ValidityTest, AnyChangedBitIsSeen, ()) {
  const std::string payload = text(100);
  const Lsn position{*rc::gen::inRange<std::uint64_t>(1, 1'000'000) * 8};
  const std::string good = record(7, position, Kind::update, payload);
  Record out;
  RC_ASSERT(validate(good, position, 7, out) == Validity::valid);
  RC_ASSERT(out.begin == position && out.end.value == position.value + good.size() && out.kind == Kind::update &&
            out.payload == payload);
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    RC_ASSERT(validate(bad, position, 7, out) != Validity::valid);
  }
  for (std::size_t cut = 0; cut < good.size(); ++cut) {
    RC_ASSERT(validate(std::string_view(good).substr(0, cut), position, 7, out) == Validity::incomplete);
  }
}

TEST(ValidityTest, EachKindOfDamageHasItsName) {
  const Lsn position{4096};
  const std::string good = record(7, position, Kind::commit, "payload");
  Record out;
  EXPECT_EQ(validate(good, position, 7, out), Validity::valid);
  EXPECT_EQ(validate(good, Lsn{4104}, 7, out), Validity::bad_checksum) << "another position";
  EXPECT_EQ(validate(good, position, 8, out), Validity::bad_checksum) << "another store";
  EXPECT_EQ(validate(good, Lsn{4100}, 7, out), Validity::bad_header) << "not a multiple of 8";
  EXPECT_EQ(validate(std::string(64, '\0'), position, 7, out), Validity::zero);
  EXPECT_EQ(validate(std::string(8, '\0'), position, 7, out), Validity::zero) << "the last 8 bytes of a segment";
  EXPECT_EQ(validate({}, position, 7, out), Validity::incomplete);
  for (const std::uint32_t wrong : {8u, 20u, static_cast<std::uint32_t>(record_bytes_max) + 8, 0xFFFFFFF8u}) {
    std::string bad = good;
    std::memcpy(bad.data(), &wrong, 4);
    EXPECT_EQ(validate(bad, position, 7, out), Validity::bad_header) << wrong;
  }
  for (const int kind : {0, 9, 255}) {
    std::string bad = good;
    bad[8] = static_cast<char>(kind);
    EXPECT_EQ(validate(bad, position, 7, out), Validity::bad_checksum);
    seal(bad, 7, position);
    EXPECT_EQ(validate(bad, position, 7, out), Validity::unknown_kind);
  }
  for (const std::uint32_t wrong : {0u, 9u, 0xFFFFFFFFu}) {
    std::string bad = good;
    std::memcpy(bad.data() + 12, &wrong, 4);
    seal(bad, 7, position);
    EXPECT_EQ(validate(bad, position, 7, out), Validity::bad_header) << "payload of " << wrong;
  }
}

TEST(DescribeTest, EveryKindIsOneLineThatNamesIt) {
  const auto line = [](Kind kind, const std::string& payload) {
    const std::string bytes = record(1, Lsn{64}, kind, payload);
    Record out;
    EXPECT_EQ(validate(bytes, Lsn{64}, 1, out), Validity::valid);
    const std::string shown = describe(out);
    EXPECT_EQ(shown.find('\n'), std::string::npos);
    EXPECT_NE(shown.find(name(kind)), std::string::npos) << shown;
    return shown;
  };
  Update update;
  update.key = "a\nkey";
  update.after = "value";
  const std::string updated = written([&](Writer& to) { write_update(to, update); });
  EXPECT_NE(line(Kind::update, updated).find("\"a\\x0akey\""), std::string::npos);
  line(Kind::revert, updated);
  EXPECT_NE(line(Kind::pages, written([](Writer& to) { write_action(to, {1, 2, Action::keep_first, "x"}); })).find("keep_first"),
            std::string::npos);
  EXPECT_EQ(line(Kind::commit, written([](Writer& to) { write_commit(to, {TxnId{5}, Timestamp{6}}); })),
            "64 commit bytes=32 transaction=5 timestamp=6");
  const std::string ended = written([](Writer& to) { write_ending(to, {TxnId{5}, 6, "gid"}); });
  line(Kind::abort, ended);
  line(Kind::end, ended);
  EXPECT_NE(line(Kind::prepare, ended).find("\"gid\""), std::string::npos);
  const std::string checkpoint = written([](Writer& to) {
    write_checkpoint(to, {Lsn{8}, Lsn{16}, 2, 3, 4, 1});
    write_checkpoint_transaction(to, {TxnId{9}, 1, 2, "g"});
  });
  EXPECT_NE(line(Kind::checkpoint, checkpoint).find("redo_start=8 captured=16"), std::string::npos);
  EXPECT_NE(line(Kind::commit, "short").find("damaged"), std::string::npos);
}

// The worked example of docs/log-format.md, byte by byte.
TEST(FormatTest, TheDocumentedBytesAreWhatIsWritten) {
  constexpr unsigned char documented[] = {0x20, 0, 0, 0, 0x0d, 0x08, 0xb6, 0x89, 4, 0, 0,    0,    0x10, 0,    0,    0,
                                          3,    0, 2, 0, 0,    0,    0,    0,    0, 0, 0xa1, 0xd8, 0xc4, 0xf0, 0x92, 1};
  const std::string payload = written([](Writer& to) { write_commit(to, {TxnId{0x20003}, Timestamp{0x0192F0C4D8A10000}}); });
  const std::string bytes = record(0x0123456789ABCDEF, Lsn{16u << 20}, Kind::commit, payload);
  ASSERT_EQ(bytes.size(), sizeof documented);
  EXPECT_EQ(std::memcmp(bytes.data(), documented, sizeof documented), 0);
}

TEST(KindTest, NamesAndValuesAreClosed) {
  EXPECT_EQ(name(Kind::update), "update");
  EXPECT_EQ(name(Kind::checkpoint), "checkpoint");
  EXPECT_FALSE(known(0));
  for (std::uint8_t kind = 1; kind <= 8; ++kind) EXPECT_TRUE(known(kind));
  EXPECT_FALSE(known(9));
}

}  // namespace
}  // namespace plimsoll::log
