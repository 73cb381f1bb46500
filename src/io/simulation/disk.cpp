#include "io/simulation/disk.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace plimsoll::io::simulation {

std::uint64_t Disk::used_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [path, entry] : names.all()) {
    if (!entry.is_directory()) bytes += entry.file->current().reserved_bytes();
  }
  return bytes;
}

std::uint64_t Disk::bytes_that_fit(const Inode& file, std::uint64_t offset, std::uint64_t bytes) const {
  const std::uint64_t wanted = file.current().unreserved_bytes(offset, bytes);
  if (wanted == 0 || limit_bytes == std::numeric_limits<std::uint64_t>::max()) return bytes;
  const std::uint64_t used = used_bytes();
  std::uint64_t room = limit_bytes > used ? limit_bytes - used : 0;
  if (wanted <= room) return bytes;
  // Block by block, because some may have their room already.
  std::uint64_t fit = 0;
  while (fit < bytes) {
    const std::uint64_t step = std::min(bytes - fit, block_bytes - (offset + fit) % block_bytes);
    const std::uint64_t need = file.current().unreserved_bytes(offset + fit, step);
    if (need > room) break;
    room -= need;
    fit += step;
  }
  PLIMSOLL_DCHECK(fit < bytes);
  return fit;
}

NameTable Disk::survive(Random& random, CrashCounts& counts) const {
  Names survivors = names.survive(random, counts);
  std::map<const Inode*, std::shared_ptr<Inode>> images;  // a file that two names reach stays one file
  for (auto& [path, entry] : survivors) {
    if (entry.is_directory()) continue;
    auto& image = images[entry.file.get()];
    if (!image) image = std::make_shared<Inode>(entry.file->survive(random, counts));
    entry.file = image;
  }
  return NameTable(survivors);
}

}  // namespace plimsoll::io::simulation
