// A table that is larger than its store's pool, on a simulated disk: what was read a while ago must be read again, and may fail.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "io/simulation/simulated_file_system.hpp"
#include "model/simulated_store.hpp"

namespace plimsoll::test {

using io::simulation::Operation;
using io::simulation::SimulatedFileSystem;

class CrowdedStore : public ::testing::Test {
 protected:
  static std::string key(int number) { return fmt::format("k{:07}", number); }

  // Records 0 .. records, of so many letters o.
  void open_filled(int records, std::size_t bytes) {
    Options options = tiny_store(environment_);
    options.log_segment_bytes = 1_MiB;
    options.log_bytes_max = 64_MiB;
    auto opened = Database::open(store_path, options);
    ASSERT_TRUE(opened) << opened.error().message();
    db_.emplace(std::move(*opened));
    auto made = db_->open_table("t", {.create_if_missing = true});
    ASSERT_TRUE(made);
    table_ = *made;
    for (int at = 0; at < records; at += 500) write(at, std::min(at + 500, records), std::string(bytes, 'o'));
  }
  void write(int from, int to, const std::string& value) {
    auto tx = db_->begin();
    ASSERT_TRUE(tx);
    for (int i = from; i < to; ++i) ASSERT_TRUE(tx->put(table_, key(i), value));
    ASSERT_TRUE(tx->commit());
    ASSERT_TRUE(db_->checkpoint());  // nothing else cuts the log
  }

  SimulatedFileSystem disk_;
  SteppingTime time_;
  Environment environment_{&disk_, &time_, 9};
  std::optional<Database> db_;
  Table table_;
};

}  // namespace plimsoll::test
