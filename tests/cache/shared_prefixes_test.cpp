// What sequences share, against a plain model that keeps every token of every sequence.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "base/expect_error.h"
#include "cache/fake_pool.h"
#include "cache/kv_cache.h"

namespace emelex {
namespace {

using Tokens = std::vector<int32_t>;

Tokens some_tokens(int n, int from = 0) {
  Tokens tokens;
  for (int i = 0; i < n; ++i) tokens.push_back((from + i * 37) % 251);
  return tokens;
}

// A cache, and what each of its sequences ought to hold. Each pool's memory has at a token's place a number that all
// tokens up to it and the scope go into, as keys and values do.
class Fixture {
 public:
  struct Text {
    std::string scope;
    Tokens tokens;
  };

  explicit Fixture(int window_ = 0, bool all_slide = false, int64_t max_bytes = 1 << 20)
      : window(window_),
        cache(
            layers(window_, all_slide), [this](const KvSpec& spec, int) { return make_pool(spec); }, max_bytes) {}

  static std::vector<LayerMemory> layers(int window, bool all_slide) {
    const KvSpec all{1, 16, 0};
    const KvSpec sliding{1, 16, window};
    if (window == 0) return {all, all};
    if (all_slide) return {sliding, sliding};
    return {sliding, all, sliding};
  }
  std::unique_ptr<KvPool> make_pool(const KvSpec& spec) {
    auto pool = std::make_unique<FakePool>();
    pools.push_back(pool.get());
    windows.push_back(spec.window);
    return pool;
  }

  static int number(const std::string& scope, const Tokens& tokens, size_t end) {
    uint32_t sum = 17;
    for (const char c : scope) sum = sum * 31 + static_cast<unsigned char>(c);
    for (size_t i = 0; i < end; ++i) sum = sum * 1000003 + static_cast<uint32_t>(tokens[i]) + 1;
    return static_cast<int>(sum >> 1);
  }

  SequenceId create(const std::string& scope = "") {
    const SequenceId id = cache.create();
    cache.enter(id, scope);
    texts[id] = {scope, {}};
    return id;
  }
  // → how many tokens it begins with now
  int reuse(SequenceId id, const Tokens& tokens) {
    Text& text = texts.at(id);
    const auto before = static_cast<int>(text.tokens.size());
    const int n = cache.reuse(id, tokens);
    CHECK(n >= before);
    CHECK(n <= static_cast<int>(tokens.size()));
    text.tokens.assign(tokens.begin(), tokens.begin() + n);
    return n;
  }
  // Computes tokens as a step does, looking at all that each of them sees. False where there is no room.
  bool compute(SequenceId id, const Tokens& more) {
    Text& text = texts.at(id);
    const auto before = static_cast<int>(text.tokens.size());
    const auto count = static_cast<int>(more.size());
    StepSequence entry;
    try {
      entry = cache.extend(id, 0, count);
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::out_of_memory);
      CHECK(cache.length(id) == before);
      return false;
    }
    CHECK(entry.start == before);
    text.tokens.insert(text.tokens.end(), more.begin(), more.end());
    for (size_t g = 0; g < pools.size(); ++g) {
      const auto blocks = blocks_of(entry, cache.memory(), g);
      const std::vector<int32_t> held(blocks.begin(), blocks.end());
      const int first = windows[g] > 0 ? std::max(0, before - windows[g] + 1) : 0;
      for (int i = first; i < before; ++i) {
        REQUIRE(held[static_cast<size_t>(i / kBlockTokens)] >= 0);
        REQUIRE(pools[g]->at(held, i) == number(text.scope, text.tokens, static_cast<size_t>(i) + 1));
      }
      for (int i = before; i < before + count; ++i)
        pools[g]->at(held, i) = number(text.scope, text.tokens, static_cast<size_t>(i) + 1);
    }
    cache.computed(id, more);
    return true;
  }
  // A step that fails after it has written.
  void fail(SequenceId id, int count) {
    const int before = cache.length(id);
    try {
      const StepSequence entry = cache.extend(id, 0, count);
      for (size_t g = 0; g < pools.size(); ++g) {
        const auto blocks = blocks_of(entry, cache.memory(), g);
        const std::vector<int32_t> held(blocks.begin(), blocks.end());
        for (int i = before; i < before + count; ++i) pools[g]->at(held, i) = -1;
      }
      cut(id, cache.trim(id, before));
    } catch (const Error&) {
      CHECK(cache.length(id) == before);
    }
  }
  void trim(SequenceId id, int length) { cut(id, cache.trim(id, length)); }
  void cut(SequenceId id, int left) { texts.at(id).tokens.resize(static_cast<size_t>(left)); }
  SequenceId fork(SequenceId id) {
    const SequenceId copy = cache.fork(id);
    texts[copy] = Text(texts.at(id));
    return copy;
  }
  void release(SequenceId id) {
    cache.release(id);
    texts.erase(id);
  }

  int window;
  std::vector<FakePool*> pools;
  std::vector<int> windows;
  KvCache cache;
  std::map<SequenceId, Text> texts;
};

TEST_CASE("a sequence begins with what others have computed, while they are in use and after") {
  Fixture f;
  const auto text = some_tokens(300);
  const auto a = f.create();
  CHECK(f.reuse(a, text) == 0);
  f.compute(a, text);
  const auto b = f.create();
  CHECK(f.reuse(b, text) == 300);  // its last block, too
  auto other = some_tokens(150);
  other.push_back(9999);
  CHECK(f.reuse(f.create(), other) == 150);
  f.compute(b, {1, 2, 3});
  f.compute(a, {4, 5});
  f.release(a);
  f.release(b);
  auto longer = text;
  for (const int token : {4, 5, 6}) longer.push_back(token);
  const auto c = f.create();
  CHECK(f.reuse(c, longer) == 302);
  f.compute(c, {6});
  CHECK(f.reuse(f.create("another scope"), longer) == 0);
}

TEST_CASE("a sequence that is under way catches up with what another has computed in the meantime") {
  Fixture f;
  const auto text = some_tokens(500);
  const auto a = f.create();
  const auto b = f.create();
  f.compute(a, Tokens(text.begin(), text.begin() + 100));
  CHECK(f.reuse(b, text) == 100);
  f.compute(b, Tokens(text.begin() + 100, text.begin() + 130));
  CHECK(f.cache.place(a) != f.cache.place(b));
  f.compute(a, Tokens(text.begin() + 100, text.end()));
  CHECK(f.reuse(b, text) == 500);
  CHECK(f.cache.place(a) == f.cache.place(b));
  f.compute(b, {7});
  f.compute(a, {8});
}

TEST_CASE("equal blocks that were computed at once are kept once") {
  Fixture f;
  const auto a = f.create();
  const auto b = f.create();
  f.compute(a, some_tokens(64 * 4));
  f.compute(b, some_tokens(64 * 4));
  const size_t before = f.pools[0]->blocks.size();
  f.compute(f.create(), some_tokens(64 * 4, 1));  // in the blocks that became free
  CHECK(f.pools[0]->blocks.size() == before);
  f.compute(b, {1});
  f.compute(a, {1});
}

TEST_CASE("what is remembered gives way to what is wanted, the least recently used first") {
  Fixture f(0, false, 10);
  for (const int from : {1, 2, 3}) {
    const auto id = f.create();
    f.compute(id, some_tokens(64 * 3, from));
    f.release(id);
  }
  CHECK(f.cache.kept_bytes() == 9);
  const auto first = f.create();
  CHECK(f.reuse(first, some_tokens(64 * 3, 1)) == 64 * 3);  // used again, so that the second is the oldest
  const auto id = f.create();
  CHECK(f.compute(id, some_tokens(64 * 3, 4)));
  const auto found = [&](int from) { return f.cache.reuse(f.create(), some_tokens(64 * 3, from)); };
  CHECK(found(3) == 64 * 3);
  CHECK(found(2) == 64);
  CHECK_FALSE(f.compute(id, {1}));  // all ten are in use now
}

TEST_CASE("what is kept beyond use is bounded, and given up on demand") {
  Fixture f;
  f.cache.set_most_kept(5);
  for (int i = 0; i < 20; ++i) {
    const auto id = f.create();
    f.compute(id, some_tokens(100, i));
    f.release(id);
    CHECK(f.cache.kept_bytes() <= 5);
  }
  const auto id = f.create();
  CHECK(f.reuse(id, some_tokens(100, 19)) == 100);
  f.cache.forget();
  CHECK(f.cache.kept_bytes() == 0);
  CHECK(f.reuse(f.create(), some_tokens(100, 18)) == 0);
  CHECK(f.reuse(f.create(), some_tokens(100, 19)) == 100);  // in use
}

TEST_CASE("with a window a sequence begins where all is there that its next token sees") {
  for (const bool all_slide : {false, true}) {
    CAPTURE(all_slide);
    Fixture f(100, all_slide);
    const auto write = [&](const Tokens& text) {
      const auto id = f.create();
      const int found = f.reuse(id, text);
      for (size_t at = static_cast<size_t>(found); at < text.size();) {
        const size_t n = std::min<size_t>(50, text.size() - at);
        f.compute(id, Tokens(text.begin() + static_cast<std::ptrdiff_t>(at),
                             text.begin() + static_cast<std::ptrdiff_t>(at + n)));
        at += n;
      }
      f.release(id);
      return found;
    };
    const auto a = some_tokens(1000);
    CHECK(write(a) == 0);
    CHECK(write(a) == 1000);
    CHECK(write(Tokens(a.begin(), a.begin() + 999)) == 999);
    // What it passed long ago is gone, and computed again where another parts from it. From there on others begin.
    auto b = some_tokens(1000, 3);
    std::copy(a.begin(), a.begin() + 500, b.begin());
    CHECK(write(b) == 0);
    CHECK(write(Tokens(a.begin(), a.begin() + 448)) == 448);
    CHECK(write(a) == 1000);
    CHECK(write(b) == 1000);
  }
}

TEST_CASE("memory that has lost what it held forgets all") {
  Fixture f;
  const auto a = f.create();
  f.compute(a, some_tokens(200));
  f.release(f.create());
  const auto b = f.create();
  f.reuse(b, some_tokens(200));
  for (FakePool* pool : f.pools) pool->loses = true;
  CHECK_FALSE(f.cache.recover());
  for (FakePool* pool : f.pools) pool->loses = false;
  f.texts.at(a).tokens.clear();
  f.texts.at(b).tokens.clear();
  CHECK(f.cache.kept_bytes() == 0);
  CHECK(f.reuse(b, some_tokens(200)) == 0);
  f.compute(a, some_tokens(200));
  CHECK(f.reuse(b, some_tokens(200)) == 200);
  f.compute(b, {1});
}

TEST_CASE("a chain of a million tokens ends without a stack as deep") {
  Fixture f;
  const auto id = f.create();
  const auto text = some_tokens(1 << 20);
  const StepSequence entry = f.cache.extend(id, 0, 1 << 20);
  CHECK(entry.count == 1 << 20);
  f.cache.computed(id, text);
  f.cache.release(id);
  f.texts.erase(id);
}

// Random operations, with texts of few different tokens that have beginnings in common.
void check_random(int window, bool all_slide, uint32_t seed, int operations) {
  CAPTURE(window);
  CAPTURE(seed);
  std::mt19937 random(seed);
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<uint32_t>(n)); };
  constexpr int64_t kBytes = 60;
  Fixture f(window, all_slide, kBytes);
  std::vector<Tokens> known = {{}};  // texts to begin with
  const auto some_text = [&] {
    Tokens text = known[static_cast<size_t>(below(static_cast<int>(known.size())))];
    text.resize(static_cast<size_t>(below(static_cast<int>(text.size()) + 1)));
    for (int n = below(150); n > 0; --n) text.push_back(below(2));
    if (known.size() < 40) {
      known.push_back(text);
    } else {
      known[static_cast<size_t>(below(40))] = text;
    }
    return text;
  };
  const auto some_sequence = [&] { return std::next(f.texts.begin(), below(static_cast<int>(f.texts.size())))->first; };
  int reused = 0;
  for (int i = 0; i < operations; ++i) {
    CAPTURE(i);
    const int what = below(100);
    if (f.texts.empty() || (what < 15 && f.texts.size() < 8)) {
      const auto id = f.create(below(4) == 0 ? "b" : "a");
      reused += f.reuse(id, some_text()) > 0 ? 1 : 0;
    } else if (what < 50) {
      const auto id = some_sequence();
      Tokens more;
      for (int n = 1 + below(what < 20 ? 200 : 5); n > 0; --n) more.push_back(below(2));
      const bool fits = f.cache.fits(id, static_cast<int>(more.size()));
      const bool computed = f.compute(id, more);
      CHECK((computed == fits || (computed && window > 0)));  // where a window's blocks became free
    } else if (what < 55) {
      f.fail(some_sequence(), 1 + below(100));
    } else if (what < 60) {
      const auto id = some_sequence();
      Tokens text = f.texts.at(id).tokens;
      for (int n = below(100); n > 0; --n) text.push_back(below(2));
      f.reuse(id, text);
    } else if (what < 65 && f.texts.size() < 8) {
      f.fork(some_sequence());
    } else if (what < 72) {
      const auto id = some_sequence();
      f.trim(id, below(f.cache.length(id) + 1));
    } else if (what < 90) {
      f.release(some_sequence());
    } else if (what < 91) {
      f.cache.forget();
    } else if (what < 93) {
      f.cache.set_most_kept(below(2) == 0 ? below(20) : KvCache::kNoLimit);
    }
    for (const auto& [id, text] : f.texts) REQUIRE(f.cache.length(id) == static_cast<int>(text.tokens.size()));
  }
  CHECK(reused > operations / 50);
  // Nothing was lost.
  while (!f.texts.empty()) f.release(f.texts.begin()->first);
  f.cache.forget();
  CHECK(f.cache.kept_bytes() == 0);
  const int groups = static_cast<int>(f.pools.size());
  const auto id = f.create();
  if (groups == 1 && !all_slide) {
    CHECK(f.cache.fits(id, static_cast<int>(kBytes) * kBlockTokens));
    CHECK_FALSE(f.cache.fits(id, static_cast<int>(kBytes) * kBlockTokens + 1));
  }
  int64_t exist = 0;
  for (const FakePool* pool : f.pools) exist += static_cast<int64_t>(pool->blocks.size());
  CHECK(exist <= kBytes);
}

TEST_CASE("random operations never mix contents up, and lose no block") {
  for (uint32_t seed = 1; seed <= 4; ++seed) check_random(0, false, seed, 10000);
  for (uint32_t seed = 5; seed <= 8; ++seed) check_random(100, false, seed, 10000);
  for (uint32_t seed = 9; seed <= 10; ++seed) check_random(70, true, seed, 10000);
}

}  // namespace
}  // namespace emelex
