// Random histories of several interleaved transactions on one thread, each answer compared with the reference. Who uses it calls
// step() until it has enough, or until the store stops working (a power failure: stopped()), and looks at wrong() after each step.
//
// Invariants: events() are in the order of their log records; the first durable_events() of them were acknowledged as durable, or
// lie before something that was; if stopped(), the last one may have been in flight.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "model/rare_events.hpp"
#include "model/reference.hpp"
#include "model/versions.hpp"

namespace plimsoll::test {

struct HistorySettings {
  std::size_t keys = 60, tables = 2, transactions_max = 5;
  std::size_t value_bytes_max = 300;  // of most values
  std::uint64_t large_one_in = 40;    // a value of up to large_bytes_max bytes instead
  std::size_t large_bytes_max = 3 * 4096;
  std::size_t key_bytes_max = 40;
  bool prepare = true, tables_come_and_go = true;
  std::uint64_t relaxed_of_ten = 5, background_one_in = 12, checkpoint_one_in = 120;
  std::uint64_t writes_of_ten = 5;
};

class History {
 public:
  // `initial` is what the store holds; the tables of the settings are created in it.
  History(Database& db, const HistorySettings& settings, Random& random, const State& initial, std::function<bool()> powered,
          std::string names = "g")
      : db_(db),
        settings_(settings),
        random_(random),
        versions_(initial),
        powered_(std::move(powered)),
        names_(std::move(names)),
        values_made_(random.below(1'000'000'000)) {
    for (const auto& [name, table] : initial.tables) tables_.push_back(name);
    for (const auto& [gid, changes] : initial.prepared) prepared_[gid] = changes;
    while (tables_.size() < settings_.tables && going()) create_table();
  }
  History(const History&) = delete;
  // Commits that wait for the log are called back when the store closes, which may be after this: what they write to stays.
  ~History() {
    static auto& late = *new std::list<std::deque<Async>>;
    note_async();
    if (!async_.empty()) late.push_back(std::move(async_));
  }

  // One random call or a few.
  void step() {
    note_async();
    if (!going()) return;
    if (random_.one_in(settings_.background_one_in)) background();
    if (going() && random_.one_in(settings_.checkpoint_one_in)) checkpoint();
    if (going() && settings_.tables_come_and_go && random_.one_in(150)) come_or_go();
    if (going() && !prepared_.empty() && random_.one_in(10)) end_prepared(random_.one_in(2));
    if (!going()) return;
    if (open_.size() + prepared_.size() < settings_.transactions_max && (open_.empty() || random_.one_in(6))) return begin();
    if (open_.empty()) return end_prepared(random_.one_in(2));
    auto tx = std::next(open_.begin(), static_cast<std::ptrdiff_t>(random_.below(open_.size())));
    if (random_.one_in(tx->stays ? 400 : tx->long_writer ? 80 : 14)) return end(tx);
    if (!tx->read_only && random_.below(10) < settings_.writes_of_ten) return write(*tx);
    if (!tx->read_only && random_.one_in(8)) return savepoint(*tx);
    read(*tx);
  }

  // Ends all transactions, so that db's contents are those of the events.
  void quiesce() {
    while (!open_.empty() && going()) abort(open_.begin());
  }

  bool going() const { return wrong_.empty() && !stopped_; }
  bool stopped() const { return stopped_; }
  const std::string& wrong() const { return wrong_; }
  const std::vector<Event>& events() const { return events_; }
  std::size_t durable_events() {
    note_async();
    return durable_;
  }
  std::uint64_t refused() const { return refused_; }
  RareEvents& rare() { return rare_; }

 private:
  struct Open {
    Transaction tx;
    bool read_only = false, durable = true, committed_reads = false, stays = false, long_writer = false;
    std::uint64_t snapshot = 0;
    std::size_t events_seen = 0;
    Overlay own;
    std::vector<std::pair<Savepoint, Overlay>> savepoints;
    std::optional<Cursor> cursor;
    std::string cursor_table, cursor_key;
    Direction cursor_direction = Direction::forward;
    bool cursor_begun = false;
  };
  using Handle = std::list<Open>::iterator;
  struct Async {
    std::size_t events;
    std::uint64_t number;
    bool done = false, good = false;
  };

  void fail(std::string what) {
    if (wrong_.empty()) wrong_ = std::move(what);
  }
  // After an error that the reference did not predict: the power is gone, there was no room (the statement then has not happened),
  // or it is wrong.
  void unexpected(std::string_view call, const Error& error) {
    if (!powered_()) {
      stopped_ = true;
      return;
    }
    if (error.code() == ErrorCode::log_full || error.code() == ErrorCode::memory_budget_exceeded ||
        error.code() == ErrorCode::no_space) {
      ++refused_;
      rare_.add(fmt::format("refused with {}", name(error.code())));
      background();
      return;
    }
    fail(fmt::format("{}: {}", call, error.message()));
  }

  // --- the store as a whole ---

  void background() {
    for (int rounds = 0; rounds < 3 && db_.run_background();) ++rounds;
    if (!powered_()) stopped_ = true;
  }
  void checkpoint() {
    const std::size_t events = events_.size();
    if (random_.one_in(3)) {  // which takes one
      if (auto compacted = db_.compact(); !compacted) return unexpected("compact", compacted.error());
      rare_.add("compactions");
    } else if (auto taken = db_.checkpoint(); !taken) {
      return unexpected("checkpoint", taken.error());
    }
    durable_ = std::max(durable_, events);
  }
  Table table(const std::string& table_name) {
    auto found = db_.open_table(table_name);
    if (!found) unexpected("open_table", found.error());
    return found ? *found : Table();
  }
  void create_table() {
    const std::string table_name = fmt::format("t{}", ++tables_made_);
    if (std::find(tables_.begin(), tables_.end(), table_name) != tables_.end()) return;
    auto made = db_.open_table(table_name, {.create_if_missing = true});
    if (made || !powered_()) events_.push_back({Event::Kind::create_table, table_name, {}});
    if (!made) return unexpected("create table", made.error());
    tables_.push_back(table_name);
    durable_ = events_.size();
  }
  void come_or_go() {
    while (!open_.empty() && going()) end(open_.begin());
    while (!prepared_.empty() && going()) end_prepared(random_.one_in(2));
    if (!going()) return;
    if (tables_.size() < settings_.tables + 1 || random_.one_in(2)) {
      if (tables_.size() < settings_.tables + 2) create_table();
      return;
    }
    const std::size_t index = random_.below(tables_.size());
    auto dropped = db_.drop_table(tables_[index]);
    rare_.add("tables dropped");
    if (dropped || !powered_()) events_.push_back({Event::Kind::drop_table, tables_[index], {}});
    if (!dropped) return unexpected("drop_table", dropped.error());
    versions_.drop_table(tables_[index]);
    tables_.erase(tables_.begin() + static_cast<std::ptrdiff_t>(index));
    durable_ = events_.size();
  }

  // --- transactions ---

  void begin() {
    Open one;
    TransactionOptions options;
    one.read_only = options.read_only = random_.one_in(5);
    one.durable = random_.below(10) >= settings_.relaxed_of_ten;
    one.committed_reads = !one.read_only && random_.one_in(5);
    one.stays = random_.one_in(8);
    one.long_writer = random_.one_in(6);
    options.durability = one.durable ? Durability::durable : Durability::relaxed;
    if (one.committed_reads) options.isolation = Isolation::read_committed;
    auto begun = db_.begin(options);
    if (!begun) return unexpected("begin", begun.error());
    one.tx = std::move(*begun);
    one.snapshot = one.read_only ? certain_commits() : commits_;
    one.events_seen = events_.size();
    open_.push_back(std::move(one));
  }

  void end(Handle tx) {
    if (random_.one_in(5)) return abort(tx);
    if (!tx->read_only && settings_.prepare && prepared_.size() < 2 && random_.one_in(8)) return prepare(tx);
    commit(tx);
  }
  void abort(Handle tx) {
    tx->cursor.reset();
    auto aborted = tx->tx.abort();
    open_.erase(tx);
    if (!aborted) unexpected("abort", aborted.error());
  }
  static std::vector<Change> changes_of(const Overlay& own) {
    std::vector<Change> changes;
    for (const auto& [key, value] : own) changes.push_back({key.first, key.second, value});
    return changes;
  }
  void commit(Handle tx) {
    const bool writes = !tx->own.empty(), durable = tx->durable;
    const std::size_t seen = tx->committed_reads ? 0 : tx->events_seen;
    std::vector<Change> changes = changes_of(tx->own);
    tx->cursor.reset();
    const bool async = durable && writes && random_.one_in(4);
    Result<void> outcome;
    if (async) {
      async_.push_back({events_.size() + 1, commits_ + 1});
      outcome = tx->tx.commit_async(
          [](void* context, Result<void> done) {
            static_cast<Async*>(context)->good = done.has_value();
            static_cast<Async*>(context)->done = true;
          },
          &async_.back());
      rare_.add("asynchronous commits");
    } else {
      outcome = tx->tx.commit();
    }
    if (writes && (outcome || !powered_())) {
      events_.push_back({Event::Kind::commit, {}, changes});
      versions_.add(++commits_, changes);
    }
    if (!outcome) {
      if (powered_() && tx->tx.active()) return abort(tx);  // refused for want of room
      open_.erase(tx);
      return unexpected("commit", outcome.error());
    }
    if (durable && !async && !tx->read_only) durable_ = std::max(durable_, writes ? events_.size() : seen);
    open_.erase(tx);
  }
  // Read-only transactions do not see what may still be lost: commits that wait for the log, and all after them.
  std::uint64_t certain_commits() {
    note_async();
    return async_.empty() ? commits_ : async_.front().number - 1;
  }
  void note_async() {
    for (const Async& one : async_)
      if (one.done && one.good) durable_ = std::max(durable_, one.events);
    while (!async_.empty() && async_.front().done) async_.pop_front();
  }

  void prepare(Handle tx) {
    const std::string gid = fmt::format("{}{}", names_, ++gids_);
    std::vector<Change> changes = changes_of(tx->own);
    tx->cursor.reset();
    auto outcome = tx->tx.prepare(gid);
    if (outcome || !powered_()) events_.push_back({Event::Kind::prepare, gid, changes});
    if (!outcome) {
      if (powered_()) return abort(tx);
      open_.erase(tx);
      return unexpected("prepare", outcome.error());
    }
    rare_.add("transactions prepared");
    open_.erase(tx);
    prepared_[gid] = std::move(changes);
    durable_ = events_.size();
  }
  void end_prepared(bool commits) {
    if (prepared_.empty()) return;
    const auto one = std::next(prepared_.begin(), static_cast<std::ptrdiff_t>(random_.below(prepared_.size())));
    Result<void> outcome;
    if (commits) {
      if (auto done = db_.commit_prepared(one->first); !done) outcome = std::unexpected(done.error());
    } else {
      outcome = db_.abort_prepared(one->first);
    }
    if (outcome || !powered_())
      events_.push_back({commits ? Event::Kind::commit_prepared : Event::Kind::abort_prepared, one->first, {}});
    if (!outcome) return unexpected("end of a prepared transaction", outcome.error());
    if (commits) versions_.add(++commits_, one->second);
    prepared_.erase(one);
    durable_ = events_.size();
  }

  void savepoint(Open& tx) {
    if (tx.savepoints.empty() || (random_.one_in(2) && tx.savepoints.size() < 6)) {
      auto point = tx.tx.savepoint();
      if (!point) return unexpected("savepoint", point.error());
      tx.savepoints.emplace_back(*point, tx.own);
      return;
    }
    const std::size_t index = random_.below(tx.savepoints.size());
    const bool back = !random_.one_in(4);
    auto done = back ? tx.tx.rollback_to(tx.savepoints[index].first) : tx.tx.release(tx.savepoints[index].first);
    if (!done) return unexpected(back ? "rollback_to" : "release", done.error());
    if (back) tx.own = tx.savepoints[index].second;
    tx.savepoints.resize(index + (back ? 1 : 0), tx.savepoints.front());
    rare_.add("partial rollbacks", back ? 1 : 0);
  }

  // --- reads ---

  View view(Open& tx) const { return {versions_, tx.own, tx.committed_reads ? commits_ : tx.snapshot}; }
  void check(const char* call, const Key& key, bool found, Bytes value, const std::string* expected) {
    if (found != (expected != nullptr) || (found && value != *expected))
      fail(fmt::format("{} of {} in {}: {} instead of {}", call, shown(key.second), key.first, found ? shown(value) : "nothing",
                       expected ? shown(*expected) : "nothing"));
  }

  void read(Open& tx) {
    const Key key = random_key();
    const Table where = table(key.first);
    if (!going()) return;
    switch (random_.below(9)) {
      case 0: return scan(tx, key, where);
      case 1: return count(tx, key, where);
      case 2: return many(tx, key, where);
      case 3: return stream_out(tx, key, where);
      case 4:
      case 5: return step_cursor(tx, key, where);
      case 6: {
        auto found = tx.tx.exists(where, key.second);
        if (!found) return unexpected("exists", found.error());
        if (*found != (view(tx).find(key) != nullptr))
          fail(fmt::format("exists of {} in {}: {}", shown(key.second), key.first, *found));
        return;
      }
      default: {
        auto value = tx.tx.get(where, key.second);
        if (!value) return unexpected("get", value.error());
        check("get", key, value->has_value(), *value ? (*value)->bytes() : Bytes{}, view(tx).find(key));
      }
    }
  }
  void many(Open& tx, const Key& key, Table where) {
    std::vector<Key> keys{key};
    while (keys.size() < 6) keys.push_back({key.first, random_key().second});
    std::vector<Bytes> asked(keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i) asked[i] = keys[i].second;
    std::vector<std::optional<Value>> answers(keys.size());
    if (auto done = tx.tx.multi_get(where, asked, answers); !done) return unexpected("multi_get", done.error());
    for (std::size_t i = 0; i < keys.size(); ++i)
      check("multi_get", keys[i], answers[i].has_value(), answers[i] ? answers[i]->bytes() : Bytes{}, view(tx).find(keys[i]));
  }
  void stream_out(Open& tx, const Key& key, Table where) {
    auto reader = tx.tx.open_reader(where, key.second);
    if (!reader) return unexpected("open_reader", reader.error());
    std::string bytes;
    while (*reader) {
      std::array<char, 1000> piece;
      auto got = (*reader)->read(piece);
      if (!got) return unexpected("read of a stream", got.error());
      if (*got == 0) break;
      bytes.append(piece.data(), *got);
    }
    check("open_reader", key, reader->has_value(), bytes, view(tx).find(key));
  }
  void count(Open& tx, const Key& key, Table where) {
    Range range{.from = Bytes(key.second), .to = std::nullopt};
    const std::string to = random_key().second;
    if (to > key.second) range.to = Bytes(to);
    auto answer = tx.tx.count(where, range);
    if (!answer) return unexpected("count", answer.error());
    std::uint64_t expected = 0;
    auto next = view(tx).next(key.first, key.second, Direction::forward, true);
    for (; next && (!range.to || *next < to); next = view(tx).next(key.first, *next, Direction::forward, false)) ++expected;
    if (*answer != expected)
      fail(fmt::format("count from {} in {}: {} instead of {}", shown(key.second), key.first, *answer, expected));
  }
  void scan(Open& tx, const Key& key, Table where) {
    const Direction direction = random_.one_in(2) ? Direction::forward : Direction::backward;
    auto cursor = tx.tx.cursor(where, {}, direction);
    if (!cursor) return unexpected("cursor", cursor.error());
    const bool seeks = random_.one_in(2);
    if (seeks)
      if (auto done = cursor->seek(key.second); !done) return unexpected("seek", done.error());
    std::string at = seeks ? key.second : "";
    bool including = true;
    for (std::uint64_t left = random_.one_in(4) ? 100'000 : 12; left > 0 && going(); --left) {
      if (!advance(tx, *cursor, key.first, at, direction, including)) return;
      including = false;
    }
  }
  // A cursor that stays open between the calls, and sees what its transaction writes meanwhile.
  void step_cursor(Open& tx, const Key& key, Table where) {
    if (tx.committed_reads) return;
    if (!tx.cursor) {
      tx.cursor_direction = random_.one_in(2) ? Direction::forward : Direction::backward;
      auto cursor = tx.tx.cursor(where, {}, tx.cursor_direction);
      if (!cursor) return unexpected("cursor", cursor.error());
      tx.cursor.emplace(std::move(*cursor));
      tx.cursor_table = key.first;
      tx.cursor_key.clear();
      tx.cursor_begun = false;
    }
    for (int steps = 0; steps < 3 && going(); ++steps) {
      if (!advance(tx, *tx.cursor, tx.cursor_table, tx.cursor_key, tx.cursor_direction, !tx.cursor_begun)) return tx.cursor.reset();
      tx.cursor_begun = true;
    }
  }
  bool advance(Open& tx, Cursor& cursor, const std::string& table_name, std::string& at, Direction direction, bool including) {
    const auto expected = view(tx).next(table_name, at, direction, including);
    auto more = cursor.next();
    if (!more) {
      unexpected("next", more.error());
      return false;
    }
    if (*more != expected.has_value() || (*more && cursor.key() != *expected)) {
      fail(fmt::format("cursor over {} {} from {}: {} instead of {}", table_name,
                       direction == Direction::forward ? "forward" : "backward", shown(at), *more ? shown(cursor.key()) : "the end",
                       expected ? shown(*expected) : "the end"));
      return false;
    }
    if (!*more) return false;
    at = *expected;
    if (!cursor.large()) check("cursor", {table_name, at}, true, cursor.value(), view(tx).find({table_name, at}));
    return true;
  }

  // --- writes ---

  Key random_key() {
    const std::string& table_name = tables_[random_.below(tables_.size())];
    // Few keys are hot; some share long prefixes, some are long.
    const std::uint64_t n =
        random_.one_in(3) ? random_.below(std::min<std::size_t>(settings_.keys, 5)) : random_.below(settings_.keys);
    std::string key = n % 7 == 0 ? fmt::format("prefix/shared/by/many/{:06}", n) : fmt::format("{:04x}", n * 2654435761u % 65536);
    if (n % 5 == 0) key.append(n * 37 % settings_.key_bytes_max, static_cast<char>('a' + n % 26));
    return {table_name, key + fmt::format(".{}", n)};
  }
  std::string random_value() {
    const std::size_t bytes = random_.one_in(settings_.large_one_in) ? random_.below(settings_.large_bytes_max + 1)
                                                                     : random_.below(settings_.value_bytes_max + 1);
    std::string value = fmt::format("{}:", ++values_made_);
    value.resize(bytes, static_cast<char>('A' + values_made_ % 26));
    return value;
  }

  bool marked_by_other(const Open& tx, const Key& key) const {
    for (const Open& other : open_)
      if (&other != &tx && other.own.contains(key)) return true;
    for (const auto& [gid, changes] : prepared_)
      for (const Change& change : changes)
        if (change.table == key.first && change.key == key.second) return true;
    return false;
  }
  // True if the store must refuse the write, and did; false if it must not. What else it answers is checked by the caller.
  bool refused_for_conflict(const Open& tx, const Key& key, const char* call, const std::optional<Error>& error) {
    const bool marked = marked_by_other(tx, key);
    const bool newer = !tx.committed_reads && !tx.own.contains(key) && versions_.newest(key) > tx.snapshot;
    if (!marked && !newer) return false;
    if (!powered_()) {
      stopped_ = true;
      return true;
    }
    const bool right = error && (marked ? error->code() == ErrorCode::lock_timeout || error->code() == ErrorCode::deadlock ||
                                              (newer && error->code() == ErrorCode::conflict)
                                        : error->code() == ErrorCode::conflict);
    if (error && !right) {
      unexpected(call, *error);
    } else if (!right) {
      fail(fmt::format("{} of {} in {} went through, although {}", call, shown(key.second), key.first,
                       marked ? "another transaction has written it" : "it has a newer version"));
    }
    return true;
  }

  void write(Open& tx) {
    const Key key = random_key();
    const Table where = table(key.first);
    if (!going()) return;
    if (random_.one_in(40)) return erase_range(tx, key, where);
    const std::string* before = view(tx).find(key);
    const bool present = before != nullptr;
    const std::uint64_t what = random_.below(10);
    if (what < 2) return erase(tx, key, where, present);
    if (what == 2) return lock(tx, key, where);
    std::string value = random_value();
    Result<void> done;
    const char* call = "put";
    std::optional<ErrorCode> refusal;
    if (what == 3) {
      call = "insert";
      done = tx.tx.insert(where, key.second, value);
      if (present) refusal = ErrorCode::already_exists;
    } else if (what == 4) {
      call = "update";
      done = tx.tx.update(where, key.second, value);
      if (!present) refusal = ErrorCode::not_found;
    } else if (what == 5) {
      call = "stream in";
      done = stream_in(tx, key, where, value);
    } else {
      done = tx.tx.put(where, key.second, value);
    }
    if (refused_for_conflict(tx, key, call, done ? std::nullopt : std::optional(done.error()))) return;
    if (refusal && (done || done.error().code() != *refusal)) {
      if (!done) return unexpected(call, done.error());
      return fail(fmt::format("{} of {} in {} went through", call, shown(key.second), key.first));
    }
    if (refusal) return;
    if (!done) return unexpected(call, done.error());
    tx.own[key] = std::move(value);
  }
  static Result<void> stream_in(Open& tx, const Key& key, Table where, Bytes value) {
    auto writer = tx.tx.open_writer(where, key.second);
    if (!writer) return std::unexpected(writer.error());
    for (; !value.empty(); value.remove_prefix(std::min<std::size_t>(value.size(), 700)))
      if (auto wrote = writer->write(value.substr(0, 700)); !wrote) return wrote;
    return writer->finish();
  }
  void erase(Open& tx, const Key& key, Table where, bool present) {
    auto gone = tx.tx.erase(where, key.second);
    if (refused_for_conflict(tx, key, "erase", gone ? std::nullopt : std::optional(gone.error()))) return;
    if (!gone) return unexpected("erase", gone.error());
    if (*gone != present) return fail(fmt::format("erase of {} in {}: {}", shown(key.second), key.first, *gone));
    if (present) tx.own[key] = std::nullopt;
  }
  void lock(Open& tx, const Key& key, Table where) {
    auto value = tx.tx.get_for_update(where, key.second);
    if (refused_for_conflict(tx, key, "get_for_update", value ? std::nullopt : std::optional(value.error()))) return;
    if (!value) return unexpected("get_for_update", value.error());
    const std::string* expected = view(tx).find(key);
    check("get_for_update", key, value->has_value(), *value ? (*value)->bytes() : Bytes{}, expected);
    if (expected != nullptr) tx.own[key] = std::string(*expected);
  }
  void erase_range(Open& tx, const Key& key, Table where) {
    const std::string to = key.second + "~";
    auto erased = tx.tx.erase_range(where, {.from = Bytes(key.second), .to = Bytes(to)});
    std::vector<Key> expected;
    auto next = view(tx).next(key.first, key.second, Direction::forward, true);
    for (; next && *next < to; next = view(tx).next(key.first, *next, Direction::forward, false))
      expected.push_back({key.first, *next});
    for (const Key& one : expected)
      if (refused_for_conflict(tx, one, "erase_range", erased ? std::nullopt : std::optional(erased.error()))) return;
    if (!erased) return unexpected("erase_range", erased.error());
    if (*erased != expected.size()) return fail(fmt::format("erase_range: {} instead of {}", *erased, expected.size()));
    for (const Key& one : expected) tx.own[one] = std::nullopt;
  }

  Database& db_;
  const HistorySettings settings_;
  Random& random_;
  Versions versions_;
  const std::function<bool()> powered_;
  const std::string names_;
  std::vector<std::string> tables_;
  std::list<Open> open_;
  std::map<std::string, std::vector<Change>> prepared_;
  std::deque<Async> async_;
  std::vector<Event> events_;
  std::size_t durable_ = 0;
  std::uint64_t commits_ = 0, gids_ = 0, values_made_, refused_ = 0, tables_made_ = 0;
  bool stopped_ = false;
  std::string wrong_;
  RareEvents rare_;
};

}  // namespace plimsoll::test
