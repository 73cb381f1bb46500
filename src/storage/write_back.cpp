// How pages go to their files, 128 at a time. Only who has the writer's turn writes. A batch:
//  1. each page is latched, copied and sealed in the write buffer, and unlatched; nothing else happens under a latch;
//  2. the log is made durable up to the largest LSN and flush limit among them;
//  3. the copies go to the doublewrite area and are synced, then go to their places and are synced; scratch pages are only written;
//  4. each page is clean if no logged change came after its copy, else its oldest change is the LSN of the copy.
// A page stays dirty until 4, so that whoever looks for the oldest change still sees it while its bytes are on their way.
// A page that was discarded meanwhile is written all the same: that is as if it had been written before. Its frame's next page is
// not taken for it, because place() and drop() set changed_since_copy.
#include <algorithm>

#include "base/check.hpp"
#include "base/fail.hpp"
#include "storage/pool.hpp"

namespace plimsoll::storage {

Result<void> Pool::write_back(Lsn below) {
  FrameIndex frame = 0;
  while (frame < frames_) {
    WriteCandidates dirty;
    for (; frame < frames_ && !dirty.full(); ++frame) {
      const std::uint64_t change = infos_[frame].rec_lsn.load(std::memory_order_acquire);
      if (change == 0 || change >= below.value) continue;
      const PageKey key{infos_[frame].key.load(std::memory_order_acquire)};
      if (key.value != no_key && (client_ == nullptr || !client_->scratch(key))) dirty.add(frame);
    }
    if (dirty.count == 0) continue;
    const TurnHolder turn(writer_turn_);
    PLIMSOLL_TRY(write_frames(std::span(dirty.frames).first(dirty.count), Waiting::yes, After::keep));
  }
  return {};
}

// Answers how many pages were written.
Result<std::size_t> Pool::write_frames(std::span<const FrameIndex> frames, Waiting waiting, After after) {
  PLIMSOLL_TRY(settle_area());
  WriteBatch batch;
  doublewritten_.begin_batch();
  for (const FrameIndex frame : frames) copy_out(frame, waiting, batch);
  if (batch.count() == 0) return 0;
  const Result<void> stored = store(batch);
  for (std::size_t i = 0; i < batch.kept_count; ++i) finish(batch.kept[i], stored.has_value(), after);
  for (std::size_t i = 0; i < batch.scratch_count; ++i) finish(batch.scratch[i], stored.has_value(), after);
  if (free_waiters_.load(std::memory_order_relaxed) != 0) frame_freed_.notify_all();  // who wakes earlier is only in the way
  if (!stored) return std::unexpected(stored.error());
  return batch.count();
}

// Adds the page to the batch, unless it has become clean, or is latched and there is no waiting.
void Pool::copy_out(FrameIndex frame, Waiting waiting, WriteBatch& batch) {
  FrameInfo& info = infos_[frame];
  Latched latched;
  for (Backoff backoff; !(latched = try_latch_word(frame)); backoff.pause()) {
    if (waiting == Waiting::no || info.state.load(std::memory_order_acquire) != FrameState::used) return;
  }
  char* bytes = frame_bytes(frame);
  // A page that has moved to another frame since it was copied stays dirty: of two images in one batch the older may land last.
  const bool wanted = info.rec_lsn.load(std::memory_order_acquire) != 0 && !info.writing.load(std::memory_order_relaxed) &&
                      !batch.holds(key_of(bytes));
  if (wanted) {
    if (client_ != nullptr) {
      client_->before_write(bytes, frame);
      latched.word += word_step;  // it may have changed hints: readers must notice
    }
    const PageKey key = key_of(bytes);
    const bool scratch = client_ != nullptr && client_->scratch(key);
    const std::size_t slot = scratch ? doublewrite_batch - 1 - batch.scratch_count : batch.kept_count;
    char* image = write_buffer_.data() + slot * page_bytes();
    page_read(image + at::key, bytes + at::key, page_bytes() - at::key);  // others try to latch: the word is theirs too
    WriteBatch::Entry& entry = scratch ? batch.scratch[batch.scratch_count++] : batch.kept[batch.kept_count++];
    entry.frame = frame;
    entry.key = key;
    entry.lsn = lsn_of(image);
    entry.image = image;
    batch.flush_limit = std::max({batch.flush_limit, entry.lsn, Lsn{info.flush_limit.load(std::memory_order_relaxed)}});
    if (!scratch) doublewritten_.add(key);
    info.writing.store(true, std::memory_order_relaxed);
    info.changed_since_copy.store(false, std::memory_order_relaxed);
    seal_image(image, page_bytes(), salt_);
  }
  word_of(bytes).store(latched.word, std::memory_order_release);  // the cooling mark as it was
}

Result<void> Pool::store(WriteBatch& batch) {
  PLIMSOLL_CHECK(batch.count() <= doublewrite_batch);
  if (log_.durable() < batch.flush_limit) PLIMSOLL_TRY(log_.flush_to(batch.flush_limit));
  PLIMSOLL_CHECK(log_.durable() >= batch.flush_limit);
  const std::span kept(batch.kept.data(), batch.kept_count);
  if (!kept.empty() && doublewrite_ != nullptr) {
    std::array<PageKey, doublewrite_batch> keys;
    std::transform(kept.begin(), kept.end(), keys.begin(), [](const WriteBatch::Entry& entry) { return entry.key; });
    if (auto written = write_doublewrite(*doublewrite_, page_bytes(), std::span(keys).first(kept.size()), write_buffer_.data());
        !written) {
      doublewritten_.unsure();
      return written;
    }
    doublewritten_.replaced();
    metrics_.add(Counter::doublewrite_batches);
  }
  std::sort(kept.begin(), kept.end(), [](const WriteBatch::Entry& a, const WriteBatch::Entry& b) { return a.key < b.key; });
  if (auto placed = write_in_place(kept, true); !placed) {
    unsettled_ = !kept.empty() && doublewrite_ != nullptr;
    return placed;
  }
  return write_in_place({batch.scratch.data(), batch.scratch_count}, false);
}

// A batch of which some pages may be torn in their places, since writing them there has failed: their only whole images are in the
// area. Before that is used for anything else they go to their places.
Result<void> Pool::settle_area() {
  if (!unsettled_) return {};
  DoublewritePages::Keys keys_buffer;
  const auto keys = doublewritten_.in_area(keys_buffer);
  PLIMSOLL_TRY(read_doublewrite(*doublewrite_, page_bytes(), salt_, keys, write_buffer_.data()));
  WriteBatch batch;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (files_.find(file_of(keys[i])) == nullptr) continue;
    char* const image = write_buffer_.data() + i * page_bytes();
    batch.kept[batch.kept_count++] = {.frame = no_frame, .key = keys[i], .lsn = lsn_of(image), .image = image};
  }
  const std::span kept(batch.kept.data(), batch.kept_count);
  std::sort(kept.begin(), kept.end(), [](const WriteBatch::Entry& a, const WriteBatch::Entry& b) { return a.key < b.key; });
  PLIMSOLL_TRY(write_in_place(kept, true));
  unsettled_ = false;
  return {};
}

Result<void> Pool::settle_writes(std::uint32_t first, std::uint32_t count) {
  if (doublewrite_ != nullptr && !doublewritten_.may_hold(data_page(first), data_page(first + count))) return {};
  const TurnHolder turn(writer_turn_);  // a batch under way reaches its end
  if (doublewrite_ == nullptr || !doublewritten_.may_hold(data_page(first), data_page(first + count))) return {};
  PLIMSOLL_TRY(settle_area());
  PLIMSOLL_TRY(clear_doublewrite(*doublewrite_));
  doublewritten_.cleared();
  return {};
}

// One batch of writes for each run of pages of the same file.
Result<void> Pool::write_in_place(std::span<const WriteBatch::Entry> entries, bool sync) {
  std::array<io::Transfer, doublewrite_batch> transfers;
  while (!entries.empty()) {
    const std::uint16_t number = file_of(entries.front().key);
    std::size_t count = 0;
    for (; count < entries.size() && file_of(entries[count].key) == number; ++count) {
      transfers[count] = {std::uint64_t{page_of(entries[count].key)} << page_shift_, entries[count].image, page_bytes()};
    }
    io::File* file = files_.find(number);
    PLIMSOLL_CHECK(file != nullptr);  // its pages would have gone with it
    if (!file->write_batch(std::span(transfers).first(count))) {
      for (const io::Transfer& transfer : std::span(transfers).first(count)) {
        if (transfer.error != 0)
          return fail_os(transfer.error, "writing page {} of file {}", transfer.offset >> page_shift_, number);
      }
    }
    metrics_.add(Counter::pages_written, count);
    if (number != data_file) metrics_.add(Counter::version_pages_spilled, count);
    if (sync) PLIMSOLL_TRY(file->sync());
    entries = entries.subspan(count);
  }
  return {};
}

void Pool::finish(const WriteBatch::Entry& entry, bool stored, After after) {
  FrameInfo& info = infos_[entry.frame];
  char* bytes = frame_bytes(entry.frame);
  Latched latched;
  for (Backoff backoff; !(latched = try_latch_word(entry.frame)); backoff.pause()) {
    if (info.state.load(std::memory_order_acquire) == FrameState::used) continue;
    info.writing.store(false, std::memory_order_release);  // discarded meanwhile
    return;
  }
  const bool unchanged = !info.changed_since_copy.load(std::memory_order_relaxed);
  const std::uint64_t change = info.rec_lsn.load(std::memory_order_relaxed);
  if (stored && unchanged) {
    info.rec_lsn.store(0, std::memory_order_release);
  } else if (stored && key_of(bytes) == entry.key && change != 0 && change < entry.lsn.value) {
    info.rec_lsn.store(entry.lsn.value, std::memory_order_release);
  }
  info.writing.store(false, std::memory_order_release);
  const bool evict = after == After::evict || (after == After::evict_if_cooling && (latched.word & word_cooling) != 0);
  if (stored && unchanged && evict && info.pins.load(std::memory_order_acquire) == 0) {
    metrics_.add(Counter::evictions);
    drop(ExclusivePage(this, bytes, entry.frame, latched.word & ~word_cooling), Wake::later);
  } else {
    word_of(bytes).store(latched.word, std::memory_order_release);
  }
}

}  // namespace plimsoll::storage
