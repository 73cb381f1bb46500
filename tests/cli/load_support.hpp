// What the fuzz tests of the loader share: texts into a store, and what a store holds.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <optional>
#include <string>

#include "interchange/loader.hpp"
#include "values.hpp"

namespace plimsoll::cli {

using Records = std::map<std::string, std::string>;
using Tables = std::map<std::string, Records>;
inline constexpr std::string_view nameless = "default";

inline Tables contents(Database& db) {
  Tables tables;
  auto transaction = db.begin();
  const auto names = db.tables();
  if (!transaction || !names) {
    ADD_FAILURE() << (transaction ? names.error() : transaction.error()).message();
    return tables;
  }
  for (const TableInfo& info : *names) {
    Records& records = tables[info.name];
    EXPECT_TRUE(scan_records(*transaction, *db.open_table(info.name), {}, [&](Bytes key, Bytes value) {
      records.emplace(key, value);
      return true;
    }));
  }
  return tables;
}

// Loads the text as a file of this name; the answer is why not.
inline std::optional<Failure> load_text(Database& db, const std::string& path, const std::string& text, LoadOptions options) {
  std::ofstream(path, std::ios::binary) << text;
  const auto input = Input::open(path);
  EXPECT_TRUE(input);
  options.settings.default_table = nameless;
  options.settings.transaction.durability = Durability::relaxed;
  const auto loaded = load_input(db, *input, options);
  if (loaded) return std::nullopt;
  return loaded.error();
}

}  // namespace plimsoll::cli
