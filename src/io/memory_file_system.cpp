#include "io/memory_file_system.hpp"

#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/check.hpp"
#include "base/fail.hpp"
#include "base/latch.hpp"

namespace plimsoll::io {

namespace {

constexpr std::size_t chunk_bytes = 64u << 10;
constexpr std::uint32_t no_chunk = ~std::uint32_t{0};
enum class For : std::uint8_t { growth, writing };

// The chunks of all files.
class Chunks {
 public:
  static Result<std::shared_ptr<Chunks>> make(memory::PageProvider& provider) {
    const std::size_t chunks = provider.budget().limit() / chunk_bytes;
    PLIMSOLL_ASSIGN(auto arena, provider.reserve(memory::Account::memory_files, chunk_bytes, chunks));
    return std::make_shared<Chunks>(std::move(arena));
  }
  explicit Chunks(memory::ChunkArena arena) : arena_(std::move(arena)) {}

  // no_chunk: there is no room.
  std::uint32_t take(For purpose) PLIMSOLL_REQUIRES(mutex) {
    const std::size_t sixteenth = arena_.chunks() / 16;
    if (fresh_ - free_.size() >= (purpose == For::growth ? 8 : 10) * sixteenth) return no_chunk;
    std::uint32_t chunk = 0;
    if (!free_.empty()) {
      chunk = free_.back();
    } else if (fresh_ < arena_.chunks()) {
      chunk = fresh_;
    } else {
      return no_chunk;
    }
    if (!arena_.try_commit(chunk)) return no_chunk;
    if (chunk == fresh_) {
      ++fresh_;
    } else {
      free_.pop_back();
    }
    return chunk;
  }
  void give_back(std::uint32_t chunk) PLIMSOLL_REQUIRES(mutex) {
    arena_.decommit(chunk);
    free_.push_back(chunk);
  }
  char* bytes(std::uint32_t chunk) const { return arena_.chunk(chunk); }

  Mutex mutex{LatchRank::file};

 private:
  memory::ChunkArena arena_;
  std::vector<std::uint32_t> free_ PLIMSOLL_GUARDED_BY(mutex);
  std::uint32_t fresh_ PLIMSOLL_GUARDED_BY(mutex) = 0;  // chunks from here on were never used
};

// The part of a transfer that lies in one chunk.
struct Piece {
  Piece(std::uint64_t offset, std::size_t of) { place(offset, of); }
  void next(std::uint64_t offset, std::size_t of) {
    at += bytes;
    place(offset, of);
  }
  void place(std::uint64_t offset, std::size_t of) {
    chunk = (offset + at) / chunk_bytes;
    within = (offset + at) % chunk_bytes;
    bytes = std::min(of - at, chunk_bytes - within);
  }

  std::uint64_t chunk = 0;
  std::size_t within = 0, at = 0, bytes = 0;  // in the chunk; in the transfer; 0 bytes: the transfer is done
};

// The contents of one file; lives on while it is open, as a removed file does.
class Contents {
 public:
  explicit Contents(std::shared_ptr<Chunks> all) : all_(std::move(all)) {}
  ~Contents() { clear(); }

  void clear() {
    const MutexLock lock(all_->mutex);
    cut(0);
  }

  void read(std::uint64_t offset, std::span<char> into) {
    const MutexLock lock(all_->mutex);
    for (Piece piece(offset, into.size()); piece.bytes != 0; piece.next(offset, into.size())) {
      if (piece.chunk < chunks_.size() && chunks_[piece.chunk] != no_chunk) {
        std::copy_n(all_->bytes(chunks_[piece.chunk]) + piece.within, piece.bytes, into.data() + piece.at);
      } else {
        std::fill_n(into.data() + piece.at, piece.bytes, '\0');
      }
    }
  }
  // False: no room; nothing has been written.
  bool write(std::uint64_t offset, std::span<const char> from) {
    const MutexLock lock(all_->mutex);
    if (!provide(offset, from.size(), For::writing)) return false;
    for (Piece piece(offset, from.size()); piece.bytes != 0; piece.next(offset, from.size()))
      std::copy_n(from.data() + piece.at, piece.bytes, all_->bytes(chunks_[piece.chunk]) + piece.within);
    bytes_ = std::max(bytes_, offset + from.size());
    return true;
  }
  bool allocate(std::uint64_t offset, std::uint64_t bytes) {
    const MutexLock lock(all_->mutex);
    if (!provide(offset, bytes, For::growth)) return false;
    bytes_ = std::max(bytes_, offset + bytes);
    return true;
  }
  // Chunks that lie in the range as a whole; the rest of it becomes zeroes.
  void deallocate(std::uint64_t offset, std::size_t bytes) {
    const MutexLock lock(all_->mutex);
    for (Piece piece(offset, bytes); piece.bytes != 0; piece.next(offset, bytes)) {
      if (piece.chunk >= chunks_.size() || chunks_[piece.chunk] == no_chunk) continue;
      if (piece.bytes == chunk_bytes) {
        all_->give_back(std::exchange(chunks_[piece.chunk], no_chunk));
      } else {
        std::fill_n(all_->bytes(chunks_[piece.chunk]) + piece.within, piece.bytes, '\0');
      }
    }
  }
  std::uint64_t allocated() const {
    const MutexLock lock(all_->mutex);
    return chunk_bytes *
           static_cast<std::uint64_t>(chunks_.size() - static_cast<std::size_t>(std::ranges::count(chunks_, no_chunk)));
  }
  void resize(std::uint64_t bytes) {
    const MutexLock lock(all_->mutex);
    if (bytes < bytes_) cut(bytes);
    bytes_ = bytes;
  }
  std::uint64_t size() const {
    const MutexLock lock(all_->mutex);
    return bytes_;
  }

 private:
  bool provide(std::uint64_t offset, std::uint64_t bytes, For purpose) PLIMSOLL_REQUIRES(all_->mutex) {
    const std::uint64_t first = offset / chunk_bytes, end = (offset + bytes + chunk_bytes - 1) / chunk_bytes;
    if (chunks_.size() < end) chunks_.resize(end, no_chunk);
    for (std::uint64_t chunk = first; chunk < end; ++chunk) {
      if (chunks_[chunk] == no_chunk) chunks_[chunk] = all_->take(purpose);
      if (chunks_[chunk] == no_chunk) return false;  // chunks without bytes stay, and read as zeroes
    }
    return true;
  }
  void cut(std::uint64_t bytes) PLIMSOLL_REQUIRES(all_->mutex) {
    const std::uint64_t kept = (bytes + chunk_bytes - 1) / chunk_bytes;
    for (; chunks_.size() > kept; chunks_.pop_back())
      if (chunks_.back() != no_chunk) all_->give_back(chunks_.back());
    if (bytes % chunk_bytes != 0 && !chunks_.empty() && chunks_.size() == kept && chunks_.back() != no_chunk)
      std::fill_n(all_->bytes(chunks_.back()) + bytes % chunk_bytes, chunk_bytes - bytes % chunk_bytes, '\0');
  }

  const std::shared_ptr<Chunks> all_;
  std::vector<std::uint32_t> chunks_ PLIMSOLL_GUARDED_BY(all_->mutex);
  std::uint64_t bytes_ PLIMSOLL_GUARDED_BY(all_->mutex) = 0;
};

std::unexpected<Error> no_room(std::string_view path) {
  return fail(ErrorCode::no_space, "{}: the memory budget has no room for more of this file", path);
}

class MemoryFile final : public File {
 public:
  MemoryFile(std::string path, std::shared_ptr<Contents> contents) : path_(std::move(path)), contents_(std::move(contents)) {}

  Result<void> read(std::uint64_t offset, std::span<char> into) override {
    contents_->read(offset, into);
    return {};
  }
  Result<void> write(std::uint64_t offset, std::span<const char> from) override {
    if (!contents_->write(offset, from)) return no_room(path_);
    return {};
  }
  bool read_batch(std::span<Transfer> transfers) override {
    for (const Transfer& transfer : transfers) contents_->read(transfer.offset, {transfer.data, transfer.bytes});
    return true;
  }
  bool write_batch(std::span<Transfer> transfers) override {
    bool all = true;
    for (Transfer& transfer : transfers) {
      const bool written = contents_->write(transfer.offset, {transfer.data, transfer.bytes});
      transfer.error = written ? 0 : ENOSPC;
      all = all && written;
    }
    return all;
  }
  Result<void> sync() override { return {}; }
  Result<void> write_durable(std::uint64_t offset, std::span<const char> from) override { return write(offset, from); }
  Result<std::uint64_t> size() override { return contents_->size(); }
  Result<void> resize(std::uint64_t bytes) override {
    contents_->resize(bytes);
    return {};
  }
  Result<void> allocate(std::uint64_t offset, std::uint64_t bytes) override {
    if (!contents_->allocate(offset, bytes)) return no_room(path_);
    return {};
  }
  Result<void> deallocate(std::uint64_t offset, std::uint64_t bytes) override {
    contents_->deallocate(offset, bytes);
    return {};
  }
  Result<std::uint64_t> allocated() override { return contents_->allocated(); }

 private:
  const std::string path_;
  const std::shared_ptr<Contents> contents_;
};

class MemoryFileSystem final : public FileSystem {
 public:
  explicit MemoryFileSystem(std::shared_ptr<Chunks> all) : all_(std::move(all)) {}

  Result<std::unique_ptr<File>> open(std::string_view path, OpenMode mode, bool) override {
    const MutexLock lock(names_mutex_);
    auto found = files_.find(path);
    if (mode == OpenMode::create) {
      if (found != files_.end()) return fail(ErrorCode::already_exists, "{} exists", path);
      found = files_.emplace(std::string(path), std::make_shared<Contents>(all_)).first;
    }
    if (found == files_.end()) return fail(ErrorCode::not_found, "no file {}", path);
    return std::make_unique<MemoryFile>(std::string(path), found->second);
  }
  Result<void> rename(std::string_view from, std::string_view to) override {
    const MutexLock lock(names_mutex_);
    const auto found = files_.find(from);
    if (found == files_.end()) return fail(ErrorCode::not_found, "no file {}", from);
    if (files_.contains(to) || directories_.contains(to)) return fail(ErrorCode::already_exists, "{} exists", to);
    auto moved = files_.extract(found);
    moved.key() = to;
    files_.insert(std::move(moved));
    return {};
  }
  Result<void> remove(std::string_view path) override {
    const MutexLock lock(names_mutex_);
    const auto found = files_.find(path);
    if (found == files_.end()) return fail(ErrorCode::not_found, "no file {}", path);
    files_.erase(found);
    return {};
  }
  Result<void> make_directory(std::string_view path) override {
    const MutexLock lock(names_mutex_);
    directories_.emplace(path);
    return {};
  }
  Result<bool> exists(std::string_view path) override {
    const MutexLock lock(names_mutex_);
    return files_.contains(path) || directories_.contains(path);
  }
  Result<std::vector<std::string>> list(std::string_view directory) override {
    const MutexLock lock(names_mutex_);
    const std::string prefix = std::string(directory) + "/";
    std::vector<std::string> names;
    const auto add = [&](std::string_view path) {
      if (path.starts_with(prefix) && path.find('/', prefix.size()) == std::string_view::npos)
        names.emplace_back(path.substr(prefix.size()));
    };
    for (const auto& [path, contents] : files_) add(path);
    for (const std::string& path : directories_) add(path);
    std::sort(names.begin(), names.end());
    return names;
  }
  Result<void> sync_directory(std::string_view) override { return {}; }
  // Nobody else can reach these files.
  Result<std::unique_ptr<Lock>> lock(std::string_view path) override {
    PLIMSOLL_ASSIGN(const bool there, exists(path));
    if (!there) PLIMSOLL_TRY(open(path, OpenMode::create, false));
    return std::make_unique<Lock>();
  }
  Result<std::uint64_t> lock_holder(std::string_view) override { return static_cast<std::uint64_t>(::getpid()); }

 private:
  const std::shared_ptr<Chunks> all_;
  Mutex names_mutex_{LatchRank::file_names};  // above a file's: the last reference to its contents may go under it
  std::map<std::string, std::shared_ptr<Contents>, std::less<>> files_ PLIMSOLL_GUARDED_BY(names_mutex_);
  std::set<std::string, std::less<>> directories_ PLIMSOLL_GUARDED_BY(names_mutex_);
};

}  // namespace

Result<std::unique_ptr<FileSystem>> make_memory_file_system(memory::PageProvider& provider) {
  PLIMSOLL_ASSIGN(auto all, Chunks::make(provider));
  return std::make_unique<MemoryFileSystem>(std::move(all));
}

}  // namespace plimsoll::io
