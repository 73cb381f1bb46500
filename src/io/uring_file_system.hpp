// The back end for io_uring: the plain one, except that the transfers of a batch overlap in time. What is on disk is the same.
// Files share the pool of rings and may outlive the file system.
#pragma once

#include "io/plain_file_system.hpp"
#include "io/ring_pool.hpp"

namespace plimsoll::io {

class UringFileSystem final : public PlainFileSystem {
 public:
  explicit UringFileSystem(std::shared_ptr<RingPool> pool) : pool_(std::move(pool)) {}

 protected:
  std::unique_ptr<File> make_file(PlainFile::Opened opened) override;

 private:
  const std::shared_ptr<RingPool> pool_;
};

}  // namespace plimsoll::io
