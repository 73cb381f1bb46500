#include "memory/context.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <new>
#include <utility>

#include "memory/context_set.hpp"

namespace plimsoll::memory {

namespace {

constexpr std::size_t alignment_max = 64;
constexpr std::size_t request_max = std::numeric_limits<std::size_t>::max() / 4;

// Written by the thread that uses the context only; others read.
template <class T>
void add(std::atomic<T>& to, std::ptrdiff_t much) {
  to.store(to.load(std::memory_order_relaxed) + static_cast<T>(much), std::memory_order_relaxed);
}

}  // namespace

#ifndef NDEBUG
Context::Use::Use(Context& context) : root_(*context.root_) {
  static thread_local const char me = 0;
  outer_ = root_.user_.exchange(&me);
  PLIMSOLL_CHECK(outer_ == nullptr || outer_ == &me);
}
Context::Use::~Use() { root_.user_.store(outer_); }
#endif

// --- life ---

Context::Context(BlockSource& pool, Context* parent, const char* label, const ContextOptions& options)
    : account_(parent == nullptr || options.cap_bytes != 0 ? this : parent->account_),
      parent_(parent),
      root_(parent == nullptr ? this : parent->root_),
      capped_(options.cap_bytes != 0),
      pool_(pool),
      label_(label),
      cap_(options.cap_bytes),
      keeper_bytes_(static_cast<std::uint32_t>(options.keeper_bytes)),
      block_bytes_max_(static_cast<std::uint32_t>(options.block_bytes_max)) {
  PLIMSOLL_CHECK(options.keeper_bytes <= options.block_bytes_max && options.block_bytes_max <= BlockPool::block_bytes_max);
}

Context::Context(BlockSource& pool, const char* label, const ContextOptions& options) : Context(pool, nullptr, label, options) {}

Context::Context(ContextSet& set, const char* label, const ContextOptions& options) : Context(set.pool(), nullptr, label, options) {
  set_ = &set;
  set.add(*this);
}

Context::Context(Context& parent, const char* label, const ContextOptions& options)
    : Context(parent.pool_, &parent, label, options) {
  PLIMSOLL_CHECK(!parent.ended_);
  [[maybe_unused]] const Use use(*this);
  attach();
}

Context::~Context() {
  if (set_ != nullptr) set_->remove(*this);
  release();
  if (parent_ == nullptr) return;
  [[maybe_unused]] const Use use(*this);
  detach();
}

void Context::attach() {
  next_ = parent_->first_child_;
  if (next_ != nullptr) next_->previous_ = this;
  parent_->first_child_ = this;
  add(root_->descendants_, 1);
}

void Context::detach() {
  (previous_ == nullptr ? parent_->first_child_ : previous_->next_) = next_;
  if (next_ != nullptr) next_->previous_ = previous_;
  next_ = previous_ = nullptr;
  add(root_->descendants_, -1);
}

void Context::on_reset(ResetCallback& callback) {
  PLIMSOLL_CHECK(!ended_);
  callback.next = callbacks_;
  callbacks_ = &callback;
}

// The callback's memory may go with what it does.
void Context::call_back() {
  while (ResetCallback* const callback = callbacks_) {
    callbacks_ = callback->next;
    callback->call(callback->argument);
  }
}

// Hands out the descendants of a context, each before its own, and takes the links between them away. The next ones are known
// some steps before and on their way into the cache meanwhile: in a large tree each would be a miss otherwise, one after the other.
class Context::Walk {
 public:
  explicit Walk(Context& from) { add(std::exchange(from.first_child_, nullptr)); }

  Context* next() {
    if (begin_ == end_) return nullptr;
    Context* const found = ahead_[begin_++ % ahead_.size()];
    add(std::exchange(found->next_, parents_));
    parents_ = found;
    while (parents_ != nullptr && end_ - begin_ < ahead_.size()) {
      Context* const parent = parents_;
      parents_ = std::exchange(parent->next_, nullptr);
      add(std::exchange(parent->first_child_, nullptr));
    }
    return found;
  }

 private:
  void add(Context* found) {
    if (found == nullptr) return;
    __builtin_prefetch(&found->parent_, 1);
    ahead_[end_++ % ahead_.size()] = found;
  }

  std::array<Context*, 16> ahead_;  // a ring: begin_ to end_
  std::size_t begin_ = 0, end_ = 0;
  Context* parents_ = nullptr;  // handed out, their children not yet in the ring; linked by next_, the newest first
};

void Context::prefetch(const Context& context) {
  __builtin_prefetch(&context, 1);          // its blocks
  __builtin_prefetch(&context.parent_, 1);  // its place in the tree
}

// Those that hold something end when all are known, children before parents: the object of a child may lie in what its parent
// holds, and the sums of those with a cap are needed until their descendants have given everything back.
void Context::end_descendants() {
  Context* holder = nullptr;  // the last one found; linked by previous_
  std::ptrdiff_t count = 0;
  for (Walk walk(*this); Context* const found = walk.next(); ++count) {
    found->previous_ = nullptr;
    if (found->bytes() != 0 || found->callbacks_ != nullptr || found->capped_)
      found->previous_ = std::exchange(holder, found);
    else
      found->end_alone();
  }
  while (holder != nullptr) {
    Context* const last = holder;
    holder = std::exchange(last->previous_, nullptr);
    if (holder != nullptr) prefetch(*holder);
    last->call_back();
    PLIMSOLL_CHECK(last->first_child_ == nullptr);
    last->free_all();
    last->end_alone();
  }
  add(root_->descendants_, -count);
}

void Context::end_alone() {
  parent_ = nullptr;
  root_ = this;
  ended_ = true;
}

void Context::reset() {
  [[maybe_unused]] const Use use(*this);
  end_uses();
  free_contents();
}

void Context::release() {
  [[maybe_unused]] const Use use(*this);
  end_uses();
  free_all();
}

// What refers to the contents ends before them.
void Context::end_uses() {
  wake();
  if (first_child_ != nullptr) end_descendants();
  if (callbacks_ != nullptr) call_back();
  PLIMSOLL_CHECK(first_child_ == nullptr);
}

void Context::begin_use(std::uint64_t owner, std::uint64_t now_ns) {
  PLIMSOLL_DCHECK(parent_ == nullptr);
  wake();
  owner_.store(owner, std::memory_order_relaxed);
  since_ns_.store(now_ns, std::memory_order_relaxed);
  peak_.store(subtree_bytes(), std::memory_order_relaxed);
}

// The keeper stays where it is, but is the parked one from here on: until wake() nothing in it may be touched, and no byte of it is
// free for an allocation.
void Context::rest() {
  PLIMSOLL_CHECK(set_ != nullptr);
  reset();
  owner_.store(0, std::memory_order_relaxed);
  since_ns_.store(0, std::memory_order_relaxed);
  resting_.store(true, std::memory_order_relaxed);
  if (newest_ == nullptr) return;
  end_ = cursor();
  parked_bytes_.store(static_cast<std::uint32_t>(newest_->bytes), std::memory_order_relaxed);
  parked_.store(newest_, std::memory_order_release);
}

// Whoever exchanges the pointer for null owns the block: this context again, or who trimmed it.
void Context::wake() {
  if (!resting_.load(std::memory_order_relaxed)) return;
  resting_.store(false, std::memory_order_relaxed);
  if (newest_ == nullptr) return;
  if (unpark() != nullptr) {
    end_ = cursor() - header_bytes + parked_bytes_.load(std::memory_order_relaxed);
    return;
  }
  newest_ = nullptr;
  start_over();
  count_blocks(-static_cast<std::ptrdiff_t>(bytes()));
}

// --- what is counted ---

void Context::move_cursor(char* to) {
  const auto distance = reinterpret_cast<std::uintptr_t>(to) - reinterpret_cast<std::uintptr_t>(cursor());
  base_.store(base_.load(std::memory_order_relaxed) + distance, std::memory_order_relaxed);
  set_cursor(to);
}

void Context::count_live(std::ptrdiff_t bytes) { add(base_, -bytes); }

void Context::count_blocks(std::ptrdiff_t bytes) {
  add(bytes_, bytes);
  for (Context* account = account_; account != nullptr;
       account = account->parent_ == nullptr ? nullptr : account->parent_->account_) {
    add(account->subtree_, bytes);
    const std::size_t now = account->subtree_bytes();
    if (now > account->peak_.load(std::memory_order_relaxed)) account->peak_.store(now, std::memory_order_relaxed);
  }
}

void Context::set_cap(std::size_t bytes) {
  PLIMSOLL_CHECK(account_ == this);  // else nobody has summed up what is below it
  cap_ = bytes;
  if (cap_ == 0 || cap_ >= subtree_bytes()) return;
  if (live_bytes() == 0 && !resting_.load(std::memory_order_relaxed)) free_all();  // a keeper that is too large for it
}

// What the caps leave.
std::size_t Context::room() const {
  std::size_t least = request_max;
  for (const Context* account = account_; account != nullptr;
       account = account->parent_ == nullptr ? nullptr : account->parent_->account_) {
    if (account->cap_ == 0) continue;
    const std::size_t held = account->subtree_bytes();
    least = std::min(least, account->cap_ > held ? account->cap_ - held : 0);
  }
  return least;
}

// --- allocation ---

// Blocks begin at multiples of 4 KiB, so an allocation with a block of its own lies at 64 above one. Shared blocks never hand out
// such an address for more than small_max bytes: by it free() tells the two apart.
bool Context::is_place_of_own(std::uintptr_t address) { return address % BlockPool::block_alignment == header_bytes; }

char* Context::bump(std::size_t size, std::size_t alignment) {
  const auto from = reinterpret_cast<std::uintptr_t>(cursor());
  std::uintptr_t address = (from + alignment - 1) & ~(alignment - 1);
  if (size > small_max && is_place_of_own(address)) address += alignment;
  const std::size_t skip = address - from;
  const auto left = static_cast<std::size_t>(end_ - cursor());
  if (skip > left || size > left - skip) return nullptr;
  if (skip != 0) newest_->freed += skip;
  count_live(-static_cast<std::ptrdiff_t>(skip));
  char* const at = cursor() + skip;
  set_cursor(at + size);
  return at;
}

char* Context::allocate_slowly(std::size_t bytes, std::size_t alignment) {
  PLIMSOLL_CHECK(std::has_single_bit(alignment) && alignment <= alignment_max);
  PLIMSOLL_CHECK(!resting_.load(std::memory_order_relaxed));
  if (bytes > request_max || ended_) return nullptr;
  const std::size_t size = size_of(std::max<std::size_t>(bytes, 1));
  alignment = std::max(alignment, granule);
  char* at = newest_ != nullptr ? bump(size, alignment) : nullptr;
  if (at == nullptr) at = allocate_from_pool(size, alignment);
  if (at == nullptr) return nullptr;
  PLIMSOLL_DCHECK(live_bytes() <= this->bytes());
  unpoison(at, bytes);
  return at;
}

// The keeper, then twice the newest one, but not above what the caps leave.
std::size_t Context::next_block_bytes() const {
  std::size_t next = newest_ == nullptr ? keeper_bytes_ : std::min<std::size_t>(newest_->bytes * 2, block_bytes_max_);
  for (const std::size_t left = room(); next > BlockPool::block_bytes_min && next > left;) next /= 2;
  return next;
}

char* Context::allocate_from_pool(std::size_t size, std::size_t alignment) {
  const std::size_t next = next_block_bytes();
  const bool shared = size + alignment <= (newest_ == nullptr ? next - header_bytes : next / 2);
  if (!shared) return allocate_own(size);
  Block* block = add_block(next);
  if (block == nullptr && size > small_max) return allocate_own(size);
  if (block == nullptr && next > BlockPool::block_bytes_min) block = add_block(BlockPool::block_bytes_min);
  if (block == nullptr) return nullptr;
  use_block(block);
  char* const at = bump(size, alignment);
  PLIMSOLL_CHECK(at != nullptr);
  return at;
}

char* Context::allocate_own(std::size_t size) {
  if (size <= small_max) return nullptr;  // a cap below the smallest block
  Block* const block = add_block(std::max(size + header_bytes, BlockPool::block_bytes_min));
  if (block == nullptr) return nullptr;
  block->live = size;
  block->older = own_;
  if (own_ != nullptr) own_->newer = block;
  own_ = block;
  count_live(static_cast<std::ptrdiff_t>(size));
  return block->first();
}

Context::Block* Context::unpark() {
  if (parked_.load(std::memory_order_relaxed) == nullptr) return nullptr;
  return parked_.exchange(nullptr, std::memory_order_acquire);
}

void Context::use_block(Block* block) {
  if (newest_ != nullptr) {
    newest_->used = static_cast<std::size_t>(cursor() - newest_->first());
    newest_->newer = block;
  }
  block->older = newest_;
  newest_ = block;
  move_cursor(block->first());
  end_ = block->end();
}

Context::Block* Context::add_block(std::size_t bytes) {
  static_assert(sizeof(Block) <= header_bytes && header_bytes % alignment_max == 0);
  if (BlockPool::block_bytes(bytes) > room()) return nullptr;
  const InterruptScope waiting(interrupt());
  if (!pool_.pressure().admit_large(root_->subtree_bytes(), bytes)) return nullptr;
  std::size_t got = 0;
  char* const start = pool_.take(bytes, got);
  if (start == nullptr) return nullptr;
  PLIMSOLL_CHECK(got >= bytes && reinterpret_cast<std::uintptr_t>(start) % BlockPool::block_alignment == 0);
  count_blocks(static_cast<std::ptrdiff_t>(got));
  poison(start + header_bytes, got - header_bytes);
  return new (start) Block{.bytes = got};
}

// --- giving back ---

void Context::give_block(Block* block) {
  PLIMSOLL_CHECK(block->bytes <= bytes());
  count_blocks(-static_cast<std::ptrdiff_t>(block->bytes));
  give_to(pool_, block);
}

void Context::give_to(BlockSource& pool, Block* block) {
  unpoison(block, block->bytes);
  pool.give(block->begin(), block->bytes);
}

void Context::free(char* at, std::size_t bytes) {
  if (at == nullptr) return;
  [[maybe_unused]] const Use use(*this);
  const std::size_t size = size_of(std::max<std::size_t>(bytes, 1));
  PLIMSOLL_CHECK(size <= live_bytes());
  if (size > small_max && is_place_of_own(reinterpret_cast<std::uintptr_t>(at))) {
    free_own(at, size);
  } else {
    poison(at, size);
    free_shared(at, size);
  }
  if (live_bytes() == 0) free_contents();
}

void Context::free_own(char* at, std::size_t size) {
  auto* const block = static_cast<Block*>(static_cast<void*>(at - header_bytes));
  PLIMSOLL_CHECK(block->live == size);
  if (block->older != nullptr) block->older->newer = block->newer;
  (block->newer != nullptr ? block->newer->older : own_) = block->older;
  count_live(-static_cast<std::ptrdiff_t>(size));
  give_block(block);
}

// What is freed in another order than the reverse must not pile up behind something that lives long: a block in which nothing is
// left is used again, or goes back. Frees come in runs, mostly: the block of the last one is looked at first.
void Context::free_shared(char* at, std::size_t size) {
  Block* block = newest_;
  if (at + size == cursor()) {
    set_cursor(at);
  } else {
    if (freed_in_ != nullptr && freed_in_->holds(at)) block = freed_in_;
    while (block != nullptr && !block->holds(at)) block = block->older;
    PLIMSOLL_CHECK(block != nullptr);
    freed_in_ = block;
    block->freed += size;
    count_live(-static_cast<std::ptrdiff_t>(size));
  }
  const std::size_t used = block == newest_ ? static_cast<std::size_t>(cursor() - block->first()) : block->used;
  PLIMSOLL_CHECK(block->freed <= used);
  if (block->freed != used) return;
  block->freed = block->used = 0;
  if (block == newest_) move_cursor(block->first());
  if (block == newest_ || block->older == nullptr) return;  // the keeper stays, as after a reset
  block->older->newer = block->newer;
  block->newer->older = block->older;
  freed_in_ = nullptr;
  give_block(block);
}

// A keeper in which nothing is left is as good as new already: free() sees to that.
void Context::free_contents() {
  if (live_bytes() == 0 && own_ == nullptr && (newest_ == nullptr || newest_->older == nullptr)) return;
  while (Block* const block = own_) {
    own_ = block->older;
    give_block(block);
  }
  while (newest_ != nullptr && newest_->older != nullptr) {
    Block* const block = newest_;
    newest_ = block->older;
    give_block(block);
  }
  start_over();
}

// With the keeper, if there is one, and nothing in it.
void Context::start_over() {
  freed_in_ = nullptr;
  char* first = nullptr;
  end_ = nullptr;
  if (newest_ != nullptr) {
    newest_->newer = nullptr;
    newest_->used = newest_->freed = 0;
    first = newest_->first();
    end_ = newest_->end();
    poison(first, newest_->bytes - header_bytes);
  }
  set_cursor(first);
  base_.store(reinterpret_cast<std::uintptr_t>(first), std::memory_order_relaxed);
}

void Context::free_all() {
  if (bytes() == 0) return;
  for (Block** list : {&own_, &newest_})
    while (Block* const block = *list) {
      *list = block->older;
      give_block(block);
    }
  start_over();
  PLIMSOLL_CHECK(bytes() == 0);
}

void* Context::do_allocate(std::size_t bytes, std::size_t alignment) {
  void* at = allocate(bytes, alignment);
  if (at == nullptr) throw std::bad_alloc();
  return at;
}

void Context::do_deallocate(void* at, std::size_t bytes, std::size_t) { free(static_cast<char*>(at), bytes); }

}  // namespace plimsoll::memory
