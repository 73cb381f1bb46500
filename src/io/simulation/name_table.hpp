// The names of a simulated disk: those that a caller sees, those that are on stable storage for certain, and the changes between
// the two in order. A change becomes certain when its directory is synced. A power failure keeps any subset of the others, except
// that changes of one name survive in order (a rename does not survive the loss of the creation that it renames). Used under the
// mutex of its file system.
//
// A rename is one change of two names, atomic. Names are paths without a trailing or doubled slash; the directories "" and "/" are
// always there.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "io/simulation/crash_counts.hpp"
#include "io/simulation/inode.hpp"

namespace plimsoll::io::simulation {

// What a name stands for: a file, or a directory.
struct Entry {
  std::shared_ptr<Inode> file;  // null: a directory
  bool is_directory() const { return file == nullptr; }
};
using Names = std::map<std::string, Entry, std::less<>>;

std::string normal_path(std::string_view path);
std::string_view parent_directory(std::string_view path);

class NameTable {
 public:
  NameTable();
  explicit NameTable(const Names& names) : current_(names), durable_(names) {}

  // All paths are normal ones.
  const Entry* find(std::string_view path) const;
  bool is_directory(std::string_view path) const;
  bool is_empty_directory(std::string_view path) const;
  std::vector<std::string> list(std::string_view directory) const;
  const Names& all() const { return current_; }

  void link(const std::string& path, Entry entry);
  void unlink(const std::string& path);
  void rename(const std::string& from, const std::string& to);  // a directory with what is in it; `to` is not there
  void sync(std::string_view directory);

  // The names that a power failure at this moment leaves. The files are the same objects.
  Names survive(Random& random, CrashCounts& counts) const;

 private:
  // The new meaning of a name; nothing: the name is gone.
  struct Effect {
    std::string path;
    std::optional<Entry> entry;
  };
  using Change = std::vector<Effect>;

  static void apply(const Change& change, Names& names);
  void add(Change change);

  Names current_;
  Names durable_;
  std::vector<Change> pending_;
};

}  // namespace plimsoll::io::simulation
