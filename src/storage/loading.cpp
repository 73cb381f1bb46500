// How pages come from their files. A page being read is latched and in the translation, so that others wait for it rather than read
// it too; its image arrives in a read buffer and enters the frame only when it has been checked.
#include <algorithm>

#include "base/check.hpp"
#include "base/fail.hpp"
#include "base/optimistic.hpp"
#include "storage/pool.hpp"

namespace plimsoll::storage {
namespace {

constexpr std::size_t prefetch_batch = 32;

std::string_view what_is_wrong(PageState state) {
  switch (state) {
    case PageState::never_written: return "it was never written";
    case PageState::damaged: return "its checksum does not fit";
    case PageState::misplaced: return "another page is in its place";
    case PageState::good: break;
  }
  return "nothing";
}

std::unexpected<Error> fail_page(ErrorCode code, PageKey key, std::string_view what) {
  if (file_of(key) == data_file) return fail(code, "data file, page {}: {}", page_of(key), what);
  return fail(code, "version file {}, page {}: {}", file_of(key), page_of(key), what);
}

}  // namespace

Result<OptimisticPage> Pool::read(PageKey key, Access access) {
  perturb(Window::sampled);
  for (Backoff backoff;;) {
    OptimisticPage page;
    if (const FrameIndex frame = translation_.find(key); frame != no_frame) {
      if (try_frame(key, frame, page, access)) {
        metrics_.add(Counter::pool_hits_by_table);
        perturb(Window::sampled);
        return page;
      }
      backoff.pause();
      continue;
    }
    PLIMSOLL_ASSIGN(ExclusivePage loaded, load(key, IfBad::fail));
    if (!loaded) continue;
    metrics_.add(Counter::pool_misses);
    page = {loaded.bytes_, loaded.word_, loaded.frame_};
    publish(std::move(loaded), access);
    perturb(Window::sampled);
    return page;
  }
}

Result<ExclusivePage> Pool::latch(PageKey key) { return latch_loading(key, IfBad::fail); }

Result<ExclusivePage> Pool::latch_or_zero(PageKey key) { return latch_loading(key, IfBad::zero_if_never_written); }

Result<ExclusivePage> Pool::latch_for_redo(PageKey key, IfBad if_bad) { return latch_loading(key, if_bad); }

Result<ExclusivePage> Pool::latch_loading(PageKey key, IfBad if_bad) {
  for (;;) {
    if (ExclusivePage page = latch_resident(key)) return page;
    PLIMSOLL_ASSIGN(ExclusivePage page, load(key, if_bad));
    if (!page) continue;
    metrics_.add(Counter::pool_misses);
    return page;
  }
}

// The page, latched; empty if somebody else has just brought it in.
Result<ExclusivePage> Pool::load(PageKey key, IfBad if_bad) {
  io::File* file = files_.find(file_of(key));
  if (file == nullptr) return fail_page(ErrorCode::corruption, key, "there is no such file");
  PLIMSOLL_ASSIGN(FreeFrame frame, take_frame());
  const ReadBuffers::Buffer buffer = read_buffers_.take();
  ExclusivePage page = place(frame, key);
  if (!page) return page;
  Result<void> done = file->read(std::uint64_t{page_of(key)} << page_shift_, {buffer.data(), page_bytes()});
  if (done) done = accept(page, buffer.data(), if_bad);
  if (!done) {
    drop(std::move(page));  // who waits for the page finds it missing, tries for himself and gets an error of his own
    return std::unexpected(done.error());
  }
  return page;
}

// Checks an image and copies it into the frame, all but the frame's word and the key, which is there.
Result<void> Pool::accept(ExclusivePage& page, const char* image, IfBad if_bad) {
  metrics_.add(Counter::pages_read);
  const PageKey key = page.key();
  const PageState state = check_image(image, page_bytes(), salt_, key);
  if (state == PageState::good) {
    page_write(page.bytes_ + at::lsn, image + at::lsn, page_bytes() - at::lsn);
    note_whether_inner(page);
    return {};
  }
  if (if_bad == IfBad::zero || (if_bad == IfBad::zero_if_never_written && state == PageState::never_written)) {
    page_zero(page.bytes_ + at::lsn, page_bytes() - at::lsn);
    note_whether_inner(page);
    return {};
  }
  metrics_.add(Counter::checksum_failures);
  return fail_page(ErrorCode::corruption, key, what_is_wrong(state));
}

// Unlatches a page that was just loaded. One that a scan has loaded is the first to go again.
void Pool::publish(ExclusivePage page, Access access) {
  PLIMSOLL_DCHECK(!page.changed_);
  if (access == Access::scan) page.word_ |= word_cooling;
  page.unlatch();
}

void Pool::prefetch(std::span<const PageKey> keys, Access access) {
  while (!keys.empty()) {
    const std::size_t done = prefetch_some(keys.first(std::min(keys.size(), prefetch_batch)), access);
    if (done == 0) return;
    keys = keys.subspan(done);
  }
}

// Frames and buffers come first, then the latches, then one batch of reads a file. Answers how many keys have been dealt with.
std::size_t Pool::prefetch_some(std::span<const PageKey> keys, Access access) {
  struct Loading {
    ExclusivePage page;
    ReadBuffers::Buffer buffer;
    io::File* file = nullptr;
  };
  std::array<Loading, prefetch_batch> loading;
  std::array<io::Transfer, prefetch_batch> transfers;
  std::array<FreeFrame, prefetch_batch> frames;
  PLIMSOLL_CHECK(keys.size() <= prefetch_batch);
  std::size_t prepared = 0, count = 0, seen = 0;
  for (; seen < keys.size(); ++seen) {
    if (const FrameIndex there = translation_.find(keys[seen]); there != no_frame) {
      plimsoll::prefetch(frame_bytes(there));  // into the processor's cache
      continue;
    }
    if (files_.find(file_of(keys[seen])) == nullptr) continue;
    frames[prepared] =
        prepared == 0 ? take_frame().value_or(FreeFrame()) : try_take_frame();  // with a frame in hand, none is waited for
    if (!frames[prepared]) break;
    loading[prepared].buffer = read_buffers_.try_take();  // nor a buffer: loaders have a frame and wait for buffers
    if (!loading[prepared].buffer) break;
    ++prepared;
  }
  for (std::size_t i = 0; i < seen && count < prepared; ++i) {
    io::File* file = files_.find(file_of(keys[i]));
    if (file == nullptr || resident(keys[i])) continue;
    if (ExclusivePage page = place(frames[count], keys[i])) {
      loading[count].page = std::move(page);
      loading[count++].file = file;
    }
  }
  for (std::size_t first = 0; first < count;) {
    std::size_t end = first;
    for (; end < count && loading[end].file == loading[first].file; ++end) {
      transfers[end] = {std::uint64_t{page_of(loading[end].page.key())} << page_shift_, loading[end].buffer.data(), page_bytes()};
    }
    loading[first].file->read_batch(std::span(transfers).subspan(first, end - first));
    first = end;
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (transfers[i].error != 0 || !accept(loading[i].page, loading[i].buffer.data(), IfBad::fail)) {
      drop(std::move(loading[i].page));
    } else {
      metrics_.add(Counter::pages_read_ahead);
      publish(std::move(loading[i].page), access);
    }
  }
  return seen;
}

}  // namespace plimsoll::storage
