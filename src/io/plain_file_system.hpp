// The file system through plain system calls. Stateless, usable by any thread; files and locks may outlive it.
// Derived back ends say which kind of file is made, all else is the same.
#pragma once

#include "io/file.hpp"
#include "io/plain_file.hpp"

namespace plimsoll::io {

class PlainFileSystem : public FileSystem {
 public:
  Result<std::unique_ptr<File>> open(std::string_view path, OpenMode mode, bool direct) final;
  Result<void> rename(std::string_view from, std::string_view to) final;
  Result<void> remove(std::string_view path) final;  // a file, or an empty directory
  Result<void> make_directory(std::string_view path) final;
  Result<bool> exists(std::string_view path) final;
  Result<std::vector<std::string>> list(std::string_view directory) final;
  Result<void> sync_directory(std::string_view directory) final;
  Result<std::unique_ptr<Lock>> lock(std::string_view path) final;
  Result<std::uint64_t> lock_holder(std::string_view path) final;

 protected:
  virtual std::unique_ptr<File> make_file(PlainFile::Opened opened);
};

}  // namespace plimsoll::io
