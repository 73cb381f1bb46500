// Errors about a record: which table and key, and which other transaction was in the way. Made where a write has failed already; as
// much as fits into an Error, which is of fixed size.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/fail.hpp"
#include "txn/transaction.hpp"

namespace plimsoll::txn {
namespace {

// Escaped, and cut so that it takes at most `bytes_max`.
std::string printable(Bytes text, std::size_t bytes_max) {
  constexpr std::string_view cut = "...";
  std::string shown;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const std::string one = c >= ' ' && c <= '~' ? std::string(1, c) : fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    if (shown.size() + one.size() + (i + 1 == text.size() ? 0 : cut.size()) > bytes_max) return shown.append(cut);
    shown += one;
  }
  return shown;
}

}  // namespace

// An error about a record: table and key take what room the reason leaves.
std::unexpected<Error> TransactionImpl::fail_at(ErrorCode code, TreeId tree, Bytes key, std::string_view why) const {
  constexpr std::size_t table_max = 32, key_max = 48, key_least = 16;
  const std::string table = engine_.table_name(tree).substr(0, table_max);
  constexpr std::string_view around = "table , key : ";
  const std::size_t taken = around.size() + table.size() + why.size();
  const std::size_t left = taken < Error::details_max ? Error::details_max - taken : 0;
  const std::string shown = printable(key, std::clamp(left, key_least, key_max));
  return fail(code, "table {}, key {}{}{}", table, shown, why.empty() ? "" : ": ", why);
}

// A record's stamp says when the change was committed, and a mark by whom; who it was may be known still by the time alone.
std::unexpected<Error> TransactionImpl::conflict(TreeId tree, Bytes key, const Verdict& verdict) const {
  const registry::Registry& registry = engine_.registry;
  const TxnId other = verdict.holder ? verdict.holder : registry.committer(Timestamp{verdict.stamp});
  std::array<char, Error::details_max> why;
  const auto end = other ? fmt::format_to_n(why.data(), why.size(), "transaction {} committed a change at {}, after this one began",
                                            registry.name(other).text(), verdict.stamp)
                         : fmt::format_to_n(why.data(), why.size(),
                                            "another transaction committed a change at {}, after this one began", verdict.stamp);
  return fail_at(ErrorCode::conflict, tree, key, {why.data(), std::min(end.size, why.size())});
}

}  // namespace plimsoll::txn
