#include "cache/kv_cache.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <new>
#include <random>
#include <set>

#include "base/expect_error.h"

namespace emelex {
namespace {

// Blocks that hold one number a token, so that a test sees what a sequence would attend to.
class FakeStore : public KvStore {
 public:
  void grow(int n_blocks, int n_windowed) override {
    if (n_blocks > most_blocks) throw std::bad_alloc();
    if (static_cast<int>(blocks.size()) < n_blocks) blocks.resize(static_cast<size_t>(n_blocks));
    room = std::max(room, n_windowed);
  }
  void take_windowed(int block) override {
    CHECK(windowed.insert(block).second);
    REQUIRE(static_cast<int>(windowed.size()) <= room);
  }
  void drop_windowed(int block) override { CHECK(windowed.erase(block) == 1); }
  int64_t bytes() const override { return room; }
  bool recover() noexcept override {
    if (keeps) return true;
    blocks.clear();
    windowed.clear();
    room = 0;
    return false;
  }
  void copy_block(int from, int to, int n_tokens) override {
    if (!copies_blocks) throw std::bad_alloc();
    const auto& source = blocks[static_cast<size_t>(from)];
    std::copy_n(source.begin(), n_tokens, blocks[static_cast<size_t>(to)].begin());
    CHECK(windowed.count(from) == 1);
    ++copies;
  }
  mx::array attend(const std::shared_ptr<const AttentionConfig>&, int, const mx::array& q, const mx::array&,
                   const mx::array&, const std::vector<float>&, const StepPtr&) override {
    return q;
  }

  std::vector<std::array<int, kBlockTokens>> blocks;
  std::set<int> windowed;  // blocks with memory for layers with a window
  int room = 0;            // how many may have it
  int copies = 0;
  int most_blocks = 1 << 20;  // that there is memory for
  bool keeps = true;          // whether recover() can
  bool copies_blocks = true;
};

// A cache, and what each of its sequences ought to hold.
class Fixture {
 public:
  struct Expected {
    std::vector<int> tokens;
    std::vector<int32_t> blocks;  // as the last step was told
  };

  explicit Fixture(int max_blocks = 1000, int window_ = 0)
      : cache(std::unique_ptr<KvStore>(store), max_blocks, window_), window(window_) {}

  SequenceId create(int n_tokens = 0) {
    const SequenceId id = cache.create();
    expected[id] = {};
    if (n_tokens > 0) extend(id, n_tokens);
    return id;
  }
  SequenceId fork(SequenceId id) {
    const SequenceId copy = cache.fork(id);
    expected[copy] = Expected(expected.at(id));
    return copy;
  }
  void release(SequenceId id) {
    cache.release(id);
    expected.erase(id);
  }
  void trim(SequenceId id, int length) {
    Expected& e = expected.at(id);
    const int most = std::min(length, static_cast<int>(e.tokens.size()));
    const int left = cache.trim(id, length);
    CHECK((left == most || (left == 0 && window > 0)));
    e.tokens.resize(static_cast<size_t>(left));
    e.blocks.resize((e.tokens.size() + kBlockTokens - 1) / kBlockTokens);
  }
  // Adds tokens that no other sequence has, writing them where the step says.
  StepSequence extend(SequenceId id, int count, int first = 0) {
    Expected& e = expected.at(id);
    const StepSequence entry = cache.extend(id, first, count);
    CHECK(entry.first == first);
    CHECK(entry.count == count);
    CHECK(entry.start == static_cast<int>(e.tokens.size()));
    CHECK(static_cast<int>(entry.blocks.size()) * kBlockTokens >= entry.start + count);
    e.blocks = entry.blocks;
    for (int i = 0; i < count; ++i) {
      const int at = entry.start + i;
      store->blocks[static_cast<size_t>(entry.blocks[static_cast<size_t>(at / kBlockTokens)])]
                   [static_cast<size_t>(at % kBlockTokens)] = ++last_token;
      e.tokens.push_back(last_token);
    }
    return entry;
  }

  void check() const {
    for (const auto& [id, e] : expected) {
      REQUIRE(cache.length(id) == static_cast<int>(e.tokens.size()));
      std::vector<int> held;
      for (size_t i = 0; i < e.tokens.size(); ++i)
        held.push_back(store->blocks[static_cast<size_t>(e.blocks[i / kBlockTokens])][i % kBlockTokens]);
      REQUIRE(held == e.tokens);
      REQUIRE(sees_window(e));
    }
  }
  // Whether what the next token sees in the layers with a window is there.
  bool sees_window(const Expected& e) const {
    const auto n = static_cast<int>(e.tokens.size());
    for (int i = window > 0 && n >= window ? n - window + 1 : 0; i < n; ++i) {
      if (store->windowed.count(e.blocks[static_cast<size_t>(i / kBlockTokens)]) == 0) return false;
    }
    return true;
  }
  int blocks_in_use() const {
    std::set<int32_t> used;
    for (const auto& [id, e] : expected) used.insert(e.blocks.begin(), e.blocks.end());
    return static_cast<int>(used.size());
  }

  FakeStore* store = new FakeStore;  // the cache's
  KvCache cache;
  int window;
  std::map<SequenceId, Expected> expected;
  int last_token = 0;
};

TEST_CASE("a sequence takes a block for every 64 tokens, and only when it needs one") {
  Fixture f;
  const SequenceId id = f.create();
  CHECK(f.cache.length(id) == 0);
  CHECK(f.store->blocks.empty());
  CHECK(f.extend(id, 1).blocks.size() == 1);
  CHECK(f.extend(id, 63, 5).blocks.size() == 1);
  CHECK(f.extend(id, 1).blocks.size() == 2);
  CHECK(f.extend(id, 200).blocks.size() == 5);
  CHECK(f.cache.length(id) == 265);
  CHECK(f.store->blocks.size() == 5);
  f.check();
}

TEST_CASE("no two sequences are given the same block") {
  Fixture f;
  const SequenceId a = f.create(100);
  const SequenceId b = f.create(100);
  f.extend(a, 100);
  CHECK(f.blocks_in_use() == 6);
  f.check();
  CHECK(a != b);
}

TEST_CASE("a fork shares all blocks until one of the two writes into the last") {
  Fixture f;
  const SequenceId a = f.create(100);
  const SequenceId b = f.fork(a);
  CHECK(f.blocks_in_use() == 2);
  CHECK(f.store->copies == 0);
  f.extend(b, 1);
  CHECK(f.store->copies == 1);
  CHECK(f.blocks_in_use() == 3);
  f.extend(b, 1);  // its own by now
  f.extend(a, 1);  // nobody else's any more
  CHECK(f.store->copies == 1);
  CHECK(f.blocks_in_use() == 3);
  f.check();
}

TEST_CASE("a fork at the border of a block has nothing to copy") {
  Fixture f;
  const SequenceId a = f.create(kBlockTokens);
  const SequenceId b = f.fork(a);
  f.extend(a, 3);
  f.extend(b, 3);
  CHECK(f.store->copies == 0);
  CHECK(f.blocks_in_use() == 3);
  f.check();
}

TEST_CASE("a fork survives what it came from") {
  Fixture f;
  const SequenceId a = f.create(130);
  const SequenceId b = f.fork(a);
  f.release(a);
  f.create(130);  // would take a's blocks, were they free
  f.check();
  f.extend(b, 1);
  CHECK(f.store->copies == 0);
  f.check();
}

TEST_CASE("trimming frees whole blocks, and never writes into a shared one afterwards") {
  Fixture f;
  const SequenceId a = f.create(200);
  f.trim(a, 200);
  f.trim(a, 999);
  CHECK(f.cache.length(a) == 200);
  const SequenceId b = f.fork(a);
  f.trim(b, 70);
  f.extend(b, 2);
  CHECK(f.store->copies == 1);
  f.check();
  f.trim(b, 64);
  f.extend(b, 2);
  CHECK(f.store->copies == 1);
  f.check();
  f.trim(b, 0);
  CHECK(f.cache.length(b) == 0);
  f.extend(b, 2);
  f.check();
}

TEST_CASE("freed blocks are used again before the store grows") {
  Fixture f;
  const SequenceId a = f.create(640);
  f.trim(a, 10);
  f.create(64 * 9);
  CHECK(f.store->blocks.size() == 10);
  f.release(a);
  f.create(64);
  CHECK(f.store->blocks.size() == 10);
  f.check();
}

TEST_CASE("of layers with a window a sequence keeps what its next tokens see, and room to take some back") {
  constexpr int kWindow = 100;
  constexpr int kStep = 50;
  Fixture f(1000, kWindow);
  const SequenceId a = f.create();
  for (int i = 0; i < 100; ++i) {
    f.extend(a, kStep);
    f.check();
    REQUIRE(f.store->windowed.size() <= (kWindow + kTrimRoom + kStep) / kBlockTokens + 2);
  }
  CHECK(f.blocks_in_use() == 79);
  CHECK(f.store->room <= (kWindow + kTrimRoom + kStep) / kBlockTokens + 3);
  f.trim(a, 5000 - kTrimRoom);
  CHECK(f.cache.length(a) == 5000 - kTrimRoom);
  f.check();
  CHECK(f.cache.trim(a, 3000) == 0);
  CHECK(f.store->windowed.empty());
}

TEST_CASE("a fork keeps for itself what the other has passed") {
  Fixture f(1000, 50);
  const SequenceId a = f.create(300);
  const SequenceId b = f.fork(a);
  for (int i = 0; i < 10; ++i) f.extend(a, 100);
  f.check();
  f.trim(b, 10);
  CHECK(f.cache.length(b) == 10);
  f.extend(b, 70);
  f.check();
  f.release(b);
  CHECK(f.store->windowed.size() <= (50 + kTrimRoom + 100) / kBlockTokens + 2);
  f.check();
}

TEST_CASE("when the blocks are used up, the sequence is left as it was and the error says how much fits") {
  Fixture f(3);
  const SequenceId a = f.create(100);
  const auto too_much = [&](SequenceId id, int count, std::string_view room) {
    expect_error(ErrorCode::out_of_memory, {"[cache]", room}, [&] { f.cache.extend(id, 0, count); });
    f.check();
  };
  too_much(a, 93, "room for 92 more tokens, and 93 are needed");
  f.extend(a, 92);
  too_much(a, 1, "room for 0 more");
  const SequenceId b = f.fork(a);
  too_much(b, 1, "room for 0 more");
  f.trim(a, 190);
  too_much(a, 1, "room for 0 more");  // the last block is b's as well, and there is none for a copy
  f.release(b);
  f.extend(a, 2);
  CHECK(f.store->copies == 0);
  f.check();
}

TEST_CASE("memory that runs out in the middle is an error that leaves the sequence as it was") {
  Fixture f;
  const SequenceId a = f.create(100);
  const SequenceId b = f.fork(a);
  f.store->most_blocks = 3;
  expect_error(ErrorCode::out_of_memory, {"[cache]"}, [&] { f.cache.extend(b, 0, 100); });
  CHECK(f.store->copies == 0);
  f.check();
  f.store->most_blocks = 100;
  f.extend(b, 100);
  f.extend(a, 100);
  f.check();
}

TEST_CASE("any order of steps keeps every sequence's tokens, and loses no block") {
  for (uint32_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    constexpr int kMaxBlocks = 40;
    Fixture f(kMaxBlocks, seed % 2 == 0 ? 0 : 30);
    std::mt19937 random(seed);
    const auto below = [&](size_t n) { return static_cast<int>(random() % n); };
    for (int step = 0; step < 500; ++step) {
      if (f.expected.empty() || below(10) == 0) f.create();
      auto chosen = f.expected.begin();
      std::advance(chosen, below(f.expected.size()));
      const SequenceId id = chosen->first;
      switch (below(6)) {
        case 0:
          f.fork(id);
          break;
        case 1:
          f.trim(id, below(chosen->second.tokens.size() + 1));
          break;
        case 2:
          f.release(id);
          break;
        default:
          try {
            f.extend(id, below(150));
          } catch (const Error& error) {
            CHECK(error.code() == ErrorCode::out_of_memory);
          }
      }
      f.check();
      REQUIRE(f.blocks_in_use() <= kMaxBlocks);
    }
    while (!f.expected.empty()) f.release(f.expected.begin()->first);
    CHECK(f.store->windowed.empty());
    f.create(kMaxBlocks * kBlockTokens);
    CHECK(f.store->blocks.size() <= static_cast<size_t>(kMaxBlocks));
    f.check();
  }
}

TEST_CASE("a block that can't be copied stays shared, and the sequence as it was") {
  Fixture f(4);
  const SequenceId one = f.create(10);
  const SequenceId two = f.fork(one);
  f.store->copies_blocks = false;
  for (int i = 0; i < 5; ++i) CHECK_THROWS_AS(f.cache.extend(two, 0, 1), std::bad_alloc);
  f.check();
  f.store->copies_blocks = true;
  f.extend(two, 3 * kBlockTokens - 10);  // all blocks but one: none was lost
  f.check();
}

TEST_CASE("a store that has lost its contents leaves all sequences empty, and they can be filled again") {
  for (const int window : {0, 100}) {
    CAPTURE(window);
    Fixture f(8, window);
    const SequenceId one = f.create(200);
    const SequenceId two = f.fork(one);
    f.extend(two, 30);
    CHECK(f.cache.recover());
    f.check();
    f.store->keeps = false;
    CHECK_FALSE(f.cache.recover());
    CHECK(f.cache.length(one) == 0);
    CHECK(f.cache.length(two) == 0);
    f.expected[one] = {};
    f.expected[two] = {};
    f.extend(one, 4 * kBlockTokens);
    f.extend(two, 4 * kBlockTokens);
    f.check();
    f.release(two);
    f.extend(one, 4 * kBlockTokens);
    f.check();
  }
}

TEST_CASE("what a failed step had added is taken back exactly, and gives all of its blocks back") {
  for (const int window : {0, 100}) {
    CAPTURE(window);
    Fixture f(20, window);
    const SequenceId id = f.create();
    for (const int n : {1, 62, 1, 1, 64, 300, 7, 128}) {
      const int length = f.cache.length(id);
      f.cache.extend(id, 0, 200);  // of a step that fails
      CHECK(f.cache.trim(id, length) == length);
      f.extend(id, n);
      f.check();
    }
    f.release(id);
    const SequenceId all = f.create();
    f.extend(all, 20 * kBlockTokens);
    f.check();
  }
}

}  // namespace
}  // namespace emelex
