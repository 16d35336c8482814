#include "cache/kv_cache.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <new>
#include <random>
#include <set>

#include "base/expect_error.h"
#include "cache/fake_pool.h"

namespace emelex {
namespace {

// A cache, and what each of its sequences ought to hold. With a window, a second group of layers has it.
class Fixture {
 public:
  struct Expected {
    std::vector<int> tokens;
    std::vector<std::vector<int32_t>> blocks;  // as the last step was told
  };

  explicit Fixture(int64_t max_bytes = 1000, int window_ = 0)
      : window(window_),
        cache(
            layers(window_), [this](const KvSpec&, int n_layers) { return make_pool(n_layers); }, max_bytes) {}

  static std::vector<LayerMemory> layers(int window) {
    const KvSpec all{1, 16, 0};
    const KvSpec sliding{1, 16, window};
    if (window == 0) return {all, all};
    return {sliding, all, sliding, sliding};
  }
  std::unique_ptr<KvPool> make_pool(int n_layers) {
    CHECK(n_layers == (window > 0 && pools.empty() ? 3 : window > 0 ? 1 : 2));
    auto pool = std::make_unique<FakePool>();
    pools.push_back(pool.get());
    return pool;
  }

  FakePool& all() { return *pools.back(); }       // of the layers without a window
  FakePool& sliding() { return *pools.front(); }  // of those with one

  SequenceId create(int n_tokens = 0) {
    const SequenceId id = cache.create();
    expected[id].blocks.resize(pools.size());
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
    for (auto& blocks : e.blocks) blocks.resize((e.tokens.size() + kBlockTokens - 1) / kBlockTokens);
  }
  // Adds tokens that no other sequence has, writing them where the step says.
  StepSequence extend(SequenceId id, int count, int first = 0) {
    Expected& e = expected.at(id);
    const StepSequence entry = cache.extend(id, first, count);
    CHECK(entry.first == first);
    CHECK(entry.count == count);
    CHECK(entry.start == static_cast<int>(e.tokens.size()));
    for (size_t g = 0; g < pools.size(); ++g) {
      const auto blocks = blocks_of(entry, cache.memory(), g);
      e.blocks[g].assign(blocks.begin(), blocks.end());
    }
    for (int i = 0; i < count; ++i) {
      const int at = entry.start + i;
      ++last_token;
      for (size_t g = 0; g < pools.size(); ++g) pools[g]->at(e.blocks[g], at) = last_token;
      e.tokens.push_back(last_token);
    }
    return entry;
  }

  void check() {
    for (const auto& [id, e] : expected) {
      const auto n = static_cast<int>(e.tokens.size());
      REQUIRE(cache.length(id) == n);
      for (size_t g = 0; g < pools.size(); ++g) {
        // What the next token sees.
        const bool sliding = window > 0 && g == 0;
        for (int i = sliding && n >= window ? n - window + 1 : 0; i < n; ++i) {
          REQUIRE(pools[g]->at(e.blocks[g], i) == e.tokens[static_cast<size_t>(i)]);
        }
      }
    }
  }
  // Of the layers without a window.
  int blocks_in_use() const {
    std::set<int32_t> used;
    for (const auto& [id, e] : expected) used.insert(e.blocks.back().begin(), e.blocks.back().end());
    return static_cast<int>(used.size());
  }

  int window;
  std::vector<FakePool*> pools;  // the cache's
  KvCache cache;
  std::map<SequenceId, Expected> expected;
  int last_token = 0;
};

TEST_CASE("a sequence takes a block for every 64 tokens, and only when it needs one") {
  Fixture f;
  const SequenceId id = f.create();
  CHECK(f.cache.length(id) == 0);
  CHECK(f.all().blocks.empty());
  CHECK(f.extend(id, 1).blocks.size() == 1);
  CHECK(f.extend(id, 63, 5).blocks.size() == 1);
  CHECK(f.extend(id, 1).blocks.size() == 2);
  CHECK(f.extend(id, 200).blocks.size() == 5);
  CHECK(f.cache.length(id) == 265);
  CHECK(f.all().blocks.size() == 5);
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
  CHECK(f.all().copies == 0);
  f.extend(b, 1);
  CHECK(f.all().copies == 1);
  CHECK(f.blocks_in_use() == 3);
  f.extend(b, 1);  // its own by now
  f.extend(a, 1);  // nobody else's any more
  CHECK(f.all().copies == 1);
  CHECK(f.blocks_in_use() == 3);
  f.check();
}

TEST_CASE("a fork at the border of a block has nothing to copy") {
  Fixture f;
  const SequenceId a = f.create(kBlockTokens);
  const SequenceId b = f.fork(a);
  f.extend(a, 3);
  f.extend(b, 3);
  CHECK(f.all().copies == 0);
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
  CHECK(f.all().copies == 0);
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
  CHECK(f.all().copies == 1);
  f.check();
  f.trim(b, 64);
  f.extend(b, 2);
  CHECK(f.all().copies == 1);
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
  CHECK(f.all().blocks.size() == 10);
  f.release(a);
  f.create(64);
  CHECK(f.all().blocks.size() == 10);
  f.check();
}

TEST_CASE("of layers with a window a sequence keeps what its next tokens see, and room to take some back") {
  constexpr int kWindow = 100;
  constexpr int kStep = 50;
  constexpr int kKept = (kWindow + kTrimRoom + kStep) / kBlockTokens + 2;
  Fixture f(1000, kWindow);
  const SequenceId a = f.create();
  for (int i = 0; i < 100; ++i) {
    f.extend(a, kStep);
    f.check();
    REQUIRE(static_cast<int>(f.sliding().blocks.size()) <= kKept);
  }
  CHECK(f.blocks_in_use() == 79);
  CHECK(f.cache.bytes_for(5000, kStep) <= 79 + kKept);
  f.trim(a, 5000 - kTrimRoom);
  CHECK(f.cache.length(a) == 5000 - kTrimRoom);
  f.check();
  CHECK(f.cache.trim(a, 3000) == 0);
}

TEST_CASE("what a sequence takes is known before: so much is enough, and a byte less is not") {
  for (const int window : {0, 40, 100, 1000}) {
    for (const int n : {1, 64, 500, 2000}) {
      CAPTURE(window);
      CAPTURE(n);
      constexpr int kStep = 50;
      const int64_t bytes = Fixture(1, window).cache.bytes_for(n, kStep);
      const auto fill = [&](int64_t max_bytes) {
        Fixture f(max_bytes, window);
        const SequenceId id = f.create();
        for (int left = n; left > 0; left -= kStep) f.extend(id, std::min(left, kStep));
        f.check();
      };
      fill(bytes);
      // Where a window begins within a block decides whether one more block is needed.
      const int64_t slack = window > 0 && n > window ? 2 : 1;
      expect_error(ErrorCode::out_of_memory, {"[cache]"}, [&] { fill(bytes - slack); });
    }
  }
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
  f.check();
  const size_t blocks = f.sliding().blocks.size();
  const SequenceId c = f.create(300);  // takes b's
  CHECK(f.sliding().blocks.size() == blocks);
  f.extend(c, 1);
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
  CHECK(f.all().copies == 0);
  f.check();
}

TEST_CASE("memory that runs out in the middle is an error that leaves the sequence as it was") {
  Fixture f;
  const SequenceId a = f.create(100);
  const SequenceId b = f.fork(a);
  f.all().most_blocks = 3;
  expect_error(ErrorCode::out_of_memory, {"[cache]"}, [&] { f.cache.extend(b, 0, 100); });
  CHECK(f.all().copies == 0);
  f.check();
  f.all().most_blocks = 100;
  f.extend(b, 100);
  f.extend(a, 100);
  f.check();
}

TEST_CASE("a block that can't be copied stays shared, and the sequence as it was") {
  for (const int window : {0, 100}) {
    CAPTURE(window);
    Fixture f(window > 0 ? 8 : 4, window);
    const SequenceId one = f.create(10);
    const SequenceId two = f.fork(one);
    f.all().copies_blocks = false;  // of two groups the second
    for (int i = 0; i < 5; ++i) CHECK_THROWS_AS(f.cache.extend(two, 0, 1), std::bad_alloc);
    f.check();
    f.all().copies_blocks = true;
    f.extend(two, 3 * kBlockTokens - 10);  // all blocks but one: none was lost
    f.check();
  }
}

TEST_CASE("what a failed step had added is taken back exactly, and gives all of its blocks back") {
  for (const int window : {0, 100}) {
    CAPTURE(window);
    Fixture f(window > 0 ? 40 : 20, window);
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

TEST_CASE("a pool that has lost its contents leaves all sequences empty, and they can be filled again") {
  for (const int window : {0, 100}) {
    CAPTURE(window);
    Fixture f(window > 0 ? 16 : 8, window);
    const SequenceId one = f.create(200);
    const SequenceId two = f.fork(one);
    f.extend(two, 30);
    CHECK(f.cache.recover());
    f.check();
    for (FakePool* pool : f.pools) pool->loses = true;
    CHECK_FALSE(f.cache.recover());
    for (auto& [id, e] : f.expected) {
      CHECK(f.cache.length(id) == 0);
      e.tokens.clear();
    }
    f.extend(one, 4 * kBlockTokens);
    f.extend(two, 4 * kBlockTokens);
    f.check();
    f.release(two);
    f.extend(one, 4 * kBlockTokens);
    f.check();
  }
}

TEST_CASE("when one pool of two has lost its contents, the other's are dropped, too") {
  Fixture f(1000, 100);
  const SequenceId a = f.create(300);
  f.all().loses = true;
  CHECK_FALSE(f.cache.recover());
  CHECK(f.cache.length(a) == 0);
  f.expected[a].tokens.clear();
  f.extend(a, 70);
  f.check();
}

TEST_CASE("any order of steps keeps every sequence's tokens, and loses no block") {
  for (uint32_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    constexpr int kMaxBlocks = 40;
    const bool sliding = seed % 2 != 0;
    Fixture f(sliding ? 2 * kMaxBlocks : kMaxBlocks, sliding ? 30 : 0);
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
      size_t bytes = 0;
      for (const FakePool* pool : f.pools) bytes += pool->blocks.size();
      REQUIRE(bytes <= (sliding ? 2 : 1) * size_t{kMaxBlocks});
    }
    while (!f.expected.empty()) f.release(f.expected.begin()->first);
    if (sliding) continue;  // memory that one group has is not another's any more
    f.create(kMaxBlocks * kBlockTokens);
    CHECK(f.all().blocks.size() <= static_cast<size_t>(kMaxBlocks));
    f.check();
  }
}

}  // namespace
}  // namespace emelex
