// Trees of memory contexts against a model: what is alive, who is below whom, which bytes belong to whom, what the caps allow, and
// in which order callbacks come. The model is itself shown to notice: planted errors make it object.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "memory/budget.hpp"
#include "memory/context_set.hpp"
#include "memory/page_provider.hpp"

namespace plimsoll::memory {
namespace {

constexpr std::size_t KiB = 1024, MiB = 1024 * KiB;
constexpr std::size_t none = ~std::size_t{0};

struct Piece {
  char* at;
  std::size_t bytes;
  char fill;
};

struct Node {
  std::size_t parent = none, cap = 0;
  bool ended = false;  // or destroyed
  std::vector<Piece> pieces;
  struct Callback {
    ResetCallback callback;
    std::vector<std::size_t>* called = nullptr;
    std::size_t number = 0;
  };
  std::vector<std::unique_ptr<Callback>> callbacks;  // registered, not called yet, oldest first
  std::unique_ptr<Context> context;                  // null: destroyed
};

// A tree and what is expected of it. objection() says what does not hold.
class Model {
 public:
  explicit Model(ContextSet& set) : set_(set) {}

  std::size_t count() const { return nodes_.size(); }
  Node& node(std::size_t i) { return nodes_[i]; }
  std::vector<std::size_t>& called() { return called_; }

  void make(std::size_t parent, std::size_t cap) {
    Node node;
    node.parent = parent;
    node.cap = cap;
    const ContextOptions options{.cap_bytes = cap, .keeper_bytes = (cap & 1) != 0 ? 16 * KiB : 4 * KiB};
    node.context = parent == none ? std::make_unique<Context>(set_, "root", options)
                                  : std::make_unique<Context>(*nodes_[parent].context, "child", options);
    nodes_.push_back(std::move(node));
  }
  // Answers why a refusal was wrong.
  std::optional<std::string> allocate(std::size_t i, std::size_t bytes, std::size_t alignment, char fill) {
    Node& node = nodes_[i];
    char* at = node.context->allocate(bytes, alignment);
    if (at == nullptr)
      return node.ended || some_cap_refuses(i, bytes + alignment) ? std::nullopt : std::optional("refused for no reason");
    if (node.ended) return "an ended context has allocated";
    if (reinterpret_cast<std::uintptr_t>(at) % alignment != 0) return "misaligned";
    node.pieces.push_back({at, bytes, fill});
    std::memset(at, fill, bytes);
    return std::nullopt;
  }
  void free(std::size_t i, std::size_t piece) {
    Node& node = nodes_[i];
    std::swap(node.pieces[piece], node.pieces.back());
    node.context->free(node.pieces.back().at, node.pieces.back().bytes);
    node.pieces.pop_back();
  }
  void on_reset(std::size_t i) {
    auto callback = std::make_unique<Node::Callback>();
    callback->called = &called_;
    callback->number = next_callback_++;
    callback->callback.argument = callback.get();
    callback->callback.call = [](void* self) noexcept {
      const auto* one = static_cast<Node::Callback*>(self);
      one->called->push_back(one->number);
    };
    nodes_[i].context->on_reset(callback->callback);
    nodes_[i].callbacks.push_back(std::move(callback));
  }
  enum class How { reset, release, rest, destroy };
  std::optional<std::string> clear(std::size_t i, How how) {
    const std::vector<std::size_t> below = descendants(i);
    called_.clear();
    Node& node = nodes_[i];
    switch (how) {
      case How::reset: node.context->reset(); break;
      case How::release: node.context->release(); break;
      case How::rest:
        node.context->rest();
        if (called_.size() % 2 == 0) set_.trim();
        node.context->begin_use(1, 0);
        break;
      case How::destroy: node.context.reset(); break;
    }
    auto objection = check_order(i, below);
    for (const std::size_t b : below) {
      nodes_[b].ended = true;
      forget(nodes_[b]);
    }
    forget(node);
    if (how == How::destroy) node.ended = true;
    return objection;
  }

  std::optional<std::string> objection() const {
    for (const Node& node : nodes_)
      if (node.context && node.ended != node.context->ended()) return "who has ended";
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      const Node& node = nodes_[i];
      if (!node.context) continue;
      std::size_t live = 0;
      for (const Piece& piece : node.pieces) {
        live += (std::max<std::size_t>(piece.bytes, 1) + 7) / 8 * 8;
        for (std::size_t b = 0; b < piece.bytes; ++b)
          if (piece.at[b] != piece.fill) return "an allocation has changed";
      }
      if (node.context->live_bytes() != live) return "live bytes";
      if (node.context->bytes() < live) return "more lives than there are blocks for";
      if (node.ended && node.context->bytes() != 0) return "an ended context holds blocks";
      if (node.ended) continue;
      std::size_t subtree = node.context->bytes();
      const std::vector<std::size_t> below = descendants(i);
      for (const std::size_t b : below) subtree += nodes_[b].context->bytes();
      const bool summed = node.parent == none || node.cap != 0;
      if (summed && node.context->subtree_bytes() != subtree) return "the sum of a subtree";
      if (node.cap != 0 && subtree > node.cap) return "a cap is passed";
      if (node.parent == none && node.context->descendants() != below.size()) return "the number of descendants";
    }
    return std::nullopt;
  }
  std::size_t held() const {
    std::size_t bytes = 0;
    for (const Node& node : nodes_) bytes += node.context ? node.context->bytes() : 0;
    return bytes;
  }
  // Parents last, so that no context outlives what it hangs on.
  void end() {
    while (!nodes_.empty()) nodes_.pop_back();
  }

 private:
  static void forget(Node& node) {
    node.pieces.clear();
    node.callbacks.clear();
  }
  std::vector<std::size_t> descendants(std::size_t i) const {
    std::vector<std::size_t> all;
    for (std::size_t n = i + 1; n < nodes_.size(); ++n) {
      if (nodes_[n].ended || nodes_[n].parent == none) continue;
      if (nodes_[n].parent == i || std::ranges::find(all, nodes_[n].parent) != all.end()) all.push_back(n);
    }
    return all;
  }
  bool some_cap_refuses(std::size_t i, std::size_t bytes) const {
    for (; i != none; i = nodes_[i].parent)
      if (nodes_[i].cap != 0 && nodes_[i].context->subtree_bytes() + BlockPool::block_bytes(bytes + 64) > nodes_[i].cap)
        return true;
    return false;
  }
  // All that were registered, each once; within a context the newest first; before its parent's first one.
  std::optional<std::string> check_order(std::size_t top, std::vector<std::size_t> below) const {
    below.push_back(top);
    std::size_t registered = 0;
    const auto place = [&](std::size_t number) { return std::ranges::find(called_, number) - called_.begin(); };
    for (const std::size_t i : below) {
      const auto& mine = nodes_[i].callbacks;
      registered += mine.size();
      for (std::size_t c = 1; c < mine.size(); ++c)
        if (place(mine[c]->number) > place(mine[c - 1]->number)) return "an older callback came first";
      if (i == top || mine.empty()) continue;
      const auto& parents = nodes_[nodes_[i].parent].callbacks;
      if (!parents.empty() && place(mine.front()->number) > place(parents.back()->number)) return "a parent's callback came first";
    }
    if (called_.size() != registered) return "callbacks were left out, or called twice";
    return std::nullopt;
  }

  ContextSet& set_;
  std::vector<Node> nodes_;  // parents before children
  std::vector<std::size_t> called_;
  std::size_t next_callback_ = 0;
};

class ContextModel : public testing::Test {
 protected:
  MemoryBudget budget{64 * MiB};
  PageProvider provider{budget};
  BlockPool pool = BlockPool::make(provider).value();
  ContextSet set{pool, budget.pressure(), system_time()};

  static std::size_t any_cap(Random& random) {
    constexpr std::size_t caps[] = {0, 0, 0, 4 * KiB, 20 * KiB + 1, 100 * KiB, 1 * MiB};
    return caps[random.below(std::size(caps))];
  }
  // One step of a random life; what is wrong, if anything.
  static std::optional<std::string> step(Model& model, Random& random, ContextSet& set) {
    const std::size_t i = random.below(model.count());
    Node& node = model.node(i);
    const std::uint64_t dice = random.below(100);
    if (dice < 20 && !node.ended) {
      model.make(i, any_cap(random));
    } else if (dice < 22) {
      model.make(none, any_cap(random));
    } else if (dice < 65 && node.context) {
      const std::size_t bytes = random.below(std::size_t{1} << (1 + random.below(15)));
      return model.allocate(i, bytes, std::size_t{1} << random.below(7), static_cast<char>(random.next()));
    } else if (dice < 82 && !node.pieces.empty()) {
      model.free(i, random.one_in(2) ? node.pieces.size() - 1 : random.below(node.pieces.size()));
    } else if (dice < 90 && !node.ended) {
      model.on_reset(i);
    } else if (dice < 96 && node.context) {
      const bool root = node.parent == none;
      const auto how = random.below(root ? 4 : 3);
      return model.clear(i, how == 0   ? Model::How::reset
                            : how == 1 ? Model::How::release
                            : how == 2 ? Model::How::destroy
                                       : Model::How::rest);
    } else {
      set.trim();
    }
    return std::nullopt;
  }
};

TEST_F(ContextModel, RandomTreesAgreeWithTheModel) {
  EXPECT_TRUE(rc::check("a tree of contexts is what the model says", [this](std::uint64_t seed) {
    Random random(seed);
    Model model(set);
    model.make(none, 0);
    for (unsigned n = 0; n < 250; ++n) {
      const auto objection = step(model, random, set);
      if (objection) RC_FAIL(*objection);
      if (const auto other = model.objection()) RC_FAIL(*other);
      RC_ASSERT(pool.live_bytes() >= model.held());
    }
    set.trim();
    RC_ASSERT(pool.live_bytes() == model.held());
    model.end();
    RC_ASSERT(pool.live_bytes() == 0u);
    RC_ASSERT(set.list().empty());
  }));
}

// Each of these is what a defect would look like to the model.
TEST_F(ContextModel, PlantedErrorsAreNoticed) {
  const auto planted = [&](const char* expected, auto plant) {
    Model model(set);
    model.make(none, 0);
    model.make(0, 64 * KiB);
    ASSERT_EQ(model.allocate(0, 100, 8, 'a'), std::nullopt);
    ASSERT_EQ(model.allocate(1, 100, 8, 'b'), std::nullopt);
    ASSERT_EQ(model.objection(), std::nullopt);
    EXPECT_EQ(plant(model), expected);
    model.end();
  };
  using Text = std::optional<std::string>;
  planted("an allocation has changed", [](Model& model) -> Text {
    model.node(0).pieces[0].at[99] = 'z';
    return model.objection();
  });
  planted("live bytes", [](Model& model) -> Text {  // nobody knows of it
    EXPECT_NE(model.node(1).context->allocate(8), nullptr);
    return model.objection();
  });
  planted("a cap is passed", [](Model& model) -> Text {
    model.node(1).cap = 2 * KiB;
    return model.objection();
  });
  planted("who has ended", [](Model& model) -> Text {
    model.node(1).pieces.clear();
    model.node(0).context->reset();
    model.node(0).pieces.clear();
    return model.objection();
  });
  planted("the number of descendants", [](Model& model) -> Text {
    const Context stranger(*model.node(0).context, "stranger");
    return model.objection();
  });
  planted("the sum of a subtree", [](Model& model) -> Text {
    Context stranger(*model.node(0).context, "stranger");
    EXPECT_NE(stranger.allocate(8), nullptr);
    return model.objection();
  });
  planted("an older callback came first", [](Model& model) -> Text {
    model.on_reset(0);
    model.on_reset(0);
    std::swap(model.node(0).callbacks[0], model.node(0).callbacks[1]);
    return model.clear(0, Model::How::reset);
  });
  planted("a parent's callback came first", [](Model& model) -> Text {
    model.on_reset(0);
    model.on_reset(1);
    std::swap(model.node(0).callbacks[0], model.node(1).callbacks[0]);
    return model.clear(0, Model::How::reset);
  });
  planted("callbacks were left out, or called twice", [](Model& model) -> Text {
    model.on_reset(1);
    auto& callbacks = model.node(1).callbacks;
    callbacks.insert(callbacks.begin(), std::make_unique<Node::Callback>())->get()->number = 999;  // nobody will call it
    return model.clear(1, Model::How::reset);
  });
}

}  // namespace
}  // namespace plimsoll::memory
