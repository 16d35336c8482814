// What sessions remember and how they share an engine, with a model of random weights.
#include <doctest/doctest.h>

#include <thread>

#include "base/temporary_folder.h"
#include "engine/runner.h"
#include "engine/tiny_model.h"
#include "sampling/sampler.h"
#include "text/unicode/utf8.h"

namespace emelex {
namespace {

struct Fixture {
  explicit Fixture(const test::TinyModel& model = {}) {
    write_random_model(path, model);
    engine = load({});
  }
  std::unique_ptr<Engine> load(LoadOptions options) const {
    options.threads = 2;
    options.kept_cache_limit = int64_t{1} << 30;
    return Engine::load(path, options);
  }
  // In a session of its own, that shares nothing.
  GenerateResult from_scratch(const std::vector<TokenId>& prompt, GenerateOptions options) const {
    static std::atomic<int> scopes{0};
    options.cache_scope = std::to_string(++scopes);
    const auto session = engine->new_session();
    return engine->generate(*session, prompt, options, {});
  }

  TemporaryFolder folder;
  std::filesystem::path path = folder.path() / "tiny.gguf";
  std::unique_ptr<Engine> engine;
};

GenerateOptions sampled(uint64_t seed, int max_tokens = 40) {
  GenerateOptions options;
  options.sampling.temperature = 1.0F;
  options.sampling.top_k = 0;
  options.sampling.top_p = 1.0F;
  options.sampling.min_p = 0.0F;
  options.sampling.seed = seed;
  options.max_tokens = max_tokens;
  return options;
}

std::vector<TokenId> some_prompt(int n, int from = 0) {
  std::vector<TokenId> ids;
  for (int i = 0; i < n; ++i) ids.push_back((from + i * 37) % 256);
  return ids;
}

// The ids that a generation makes, step by step and without Engine; all computed `anew` for each token, if so.
std::vector<TokenId> expected_ids(const std::filesystem::path& path, const std::vector<TokenId>& prompt,
                                  const GenerateOptions& options, const Tokenizer& tokenizer, bool anew = false) {
  LoadOptions load;
  load.threads = 1;
  Runner runner(open_weights(path), load);
  Sampler sampler(options.sampling);
  std::vector<TokenId> all = prompt;
  SequenceId sequence = runner.cache().create();
  auto logits = runner.append(sequence, prompt);
  while (static_cast<int>(all.size() - prompt.size()) < options.max_tokens) {
    const TokenId id = sampler.sample(logits, all);
    if (tokenizer.is_end(id)) break;
    all.push_back(id);
    if (anew) {
      runner.cache().release(sequence);
      sequence = runner.cache().create();
    }
    logits = anew ? runner.append(sequence, all) : runner.append(sequence, {&id, 1});
  }
  all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(prompt.size()));
  return all;
}

TEST_CASE("streamed text is whole characters, and all of it is what the ids stand for") {
  const Fixture f;
  int tokens = 0;
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    CAPTURE(seed);
    const auto prompt = some_prompt(5, static_cast<int>(seed));
    const auto options = sampled(seed, 60);
    std::string streamed;
    const auto session = f.engine->new_session();
    const auto result = f.engine->generate(*session, prompt, options, [&](std::string_view piece) {
      CHECK_FALSE(piece.empty());
      CHECK(valid_utf8_prefix(piece) == piece.size());
      streamed += piece;
      return true;
    });
    const auto ids = expected_ids(f.path, prompt, options, f.engine->tokenizer());
    CHECK(result.stats.generated_tokens == static_cast<int>(ids.size()));
    CHECK(streamed == f.engine->tokenizer().decode(ids));
    CHECK(result.text == streamed);
    tokens += static_cast<int>(ids.size());
  }
  CHECK(tokens > 300);
}

TEST_CASE("the second turn computes only what is new, and says the same as from scratch") {
  const Fixture f;
  const auto session = f.engine->new_session();
  const auto& tokenizer = f.engine->tokenizer();
  auto prompt = some_prompt(20);
  for (uint64_t turn = 1; turn <= 3; ++turn) {
    CAPTURE(turn);
    const auto options = sampled(turn, 12);
    const int held = session->length();
    const auto result = f.engine->generate(*session, prompt, options, {});
    const auto fresh = f.from_scratch(prompt, options);
    CHECK(result.text == fresh.text);
    CHECK(result.finish == fresh.finish);
    CHECK(result.stats.generated_tokens == fresh.stats.generated_tokens);
    CHECK(result.stats.prompt_tokens == static_cast<int>(prompt.size()));
    CHECK(result.stats.cached_tokens == held);
    CHECK(fresh.stats.cached_tokens == 0);
    const auto ids = expected_ids(f.path, prompt, options, tokenizer);
    prompt.insert(prompt.end(), ids.begin(), ids.end());
    for (const TokenId id : some_prompt(3, static_cast<int>(turn))) prompt.push_back(id);
  }
}

TEST_CASE("across LongRoPE's border a session says what it would if all was computed anew, and turns back as well") {
  test::TinyModel model;
  model.longrope_after = 40;
  const Fixture f(model);
  const auto session = f.engine->new_session();
  for (const int n : {30, 20, 50, 39, 40, 41}) {  // tokens generated after 30 cross the border
    CAPTURE(n);
    const auto prompt = some_prompt(n);
    const auto options = sampled(static_cast<uint64_t>(n), 25);
    const auto result = f.engine->generate(*session, prompt, options, {});
    const auto ids = expected_ids(f.path, prompt, options, f.engine->tokenizer(), true);
    CHECK(result.stats.generated_tokens == static_cast<int>(ids.size()));
    CHECK(result.text == f.engine->tokenizer().decode(ids));
  }
}

TEST_CASE("with a window a session reuses what is left of it, and computes the rest again") {
  test::TinyModel model;
  model.window = 16;
  model.context = 2048;
  const Fixture f(model);
  const auto session = f.engine->new_session();
  struct Turn {
    int prompt;
    int cached;
  };
  for (const auto [n, cached] : {Turn{1000, 0}, {990, 989}, {300, 0}, {310, 300}, {1010, 1000}}) {
    CAPTURE(n);
    const auto result = f.engine->generate(*session, some_prompt(n), sampled(1, 4), {});
    CHECK(result.text == f.from_scratch(some_prompt(n), sampled(1, 4)).text);
    CHECK(result.stats.cached_tokens == cached);
  }
}

TEST_CASE("a prompt that differs reuses what is the same before the difference") {
  const Fixture f;
  const auto session = f.engine->new_session();
  auto prompt = some_prompt(80);
  f.engine->generate(*session, prompt, sampled(1, 5), {});
  for (const int at : {79, 64, 63, 10, 0}) {
    CAPTURE(at);
    prompt[static_cast<size_t>(at)] += prompt[static_cast<size_t>(at)] > 0 ? -1 : 1;
    const auto result = f.engine->generate(*session, prompt, sampled(2), {});
    CHECK(result.stats.cached_tokens == at);
    CHECK(result.text == f.from_scratch(prompt, sampled(2)).text);
  }
}

TEST_CASE("the very same prompt still computes its last token") {
  const Fixture f;
  const auto session = f.engine->new_session();
  const auto prompt = some_prompt(30);
  const auto first = f.engine->generate(*session, prompt, sampled(3), {});
  const auto second = f.engine->generate(*session, prompt, sampled(3), {});
  CHECK(second.stats.cached_tokens == 29);
  CHECK(second.text == first.text);
  const auto shorter = f.engine->generate(*session, some_prompt(10), sampled(3, 0), {});
  CHECK(shorter.stats.cached_tokens == 9);
  CHECK(session->length() == 10);
}

TEST_CASE("a cleared session begins anew, and says the same") {
  const Fixture f;
  const auto session = f.engine->new_session();
  const auto first = f.engine->generate(*session, some_prompt(30), sampled(3), {});
  session->clear();
  CHECK(session->length() == 0);
  const auto second = f.engine->generate(*session, some_prompt(30), sampled(3), {});
  CHECK(second.text == first.text);
  CHECK(session->length() > 0);
}

TEST_CASE("the size of prefill chunks and the number of threads change nothing") {
  const Fixture f;
  const auto prompt = some_prompt(100);
  for (const KvType kv_type : {KvType::f16, KvType::f32, KvType::q8_0}) {
    std::string expected;
    for (const int chunk : {0, 1, 7, 64, 99, 100, 100000}) {
      CAPTURE(chunk);
      LoadOptions options;
      options.kv_type = kv_type;
      options.prefill_chunk = chunk;
      options.threads = 1 + chunk % 4;
      const auto engine = f.load(options);
      const auto session = engine->new_session();
      const std::string text = engine->generate(*session, prompt, sampled(5), {}).text;
      if (chunk == 0) expected = text;
      CHECK(text == expected);
    }
  }
}

TEST_CASE("sessions of one engine do not disturb each other") {
  const Fixture f;
  std::vector<std::unique_ptr<Session>> sessions;
  for (int i = 0; i < 4; ++i) sessions.push_back(f.engine->new_session());
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 4; ++i) {
      CAPTURE(i);
      auto& session = sessions[static_cast<size_t>((i + round) % 4)];
      const auto prompt = some_prompt(20 + 10 * round, i + round);
      CHECK(f.engine->generate(*session, prompt, sampled(1), {}).text == f.from_scratch(prompt, sampled(1)).text);
    }
    sessions[static_cast<size_t>(round)] = f.engine->new_session();  // frees blocks for the others
  }
}

TEST_CASE("calls from several threads at once each get their own answer") {
  const Fixture f;
  constexpr int kThreads = 6;
  constexpr int kCalls = 5;
  std::vector<std::string> expected;
  for (int i = 0; i < kThreads; ++i) expected.push_back(f.from_scratch(some_prompt(30, i), sampled(9)).text);
  std::vector<int> right(kThreads);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      const auto n = static_cast<size_t>(i);
      for (int call = 0; call < kCalls; ++call) {
        const auto session = f.engine->new_session();
        std::string seen;
        const auto result = f.engine->generate(*session, some_prompt(30, i), sampled(9), [&](std::string_view text) {
          seen += text;
          return true;
        });
        right[n] += result.text == expected[n] && seen == expected[n] ? 1 : 0;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(right == std::vector<int>(kThreads, kCalls));
}

TEST_CASE("a callback may use the engine, which answers after the generation under way") {
  const Fixture f;
  const auto session = f.engine->new_session();
  const auto inner_session = f.engine->new_session();
  std::string inner;
  f.engine->generate(*session, some_prompt(9), sampled(2, 4), [&](std::string_view) {
    inner = f.engine->generate(*inner_session, some_prompt(8), sampled(3), {}).text;
    return true;
  });
  CHECK(inner == f.from_scratch(some_prompt(8), sampled(3)).text);
}

TEST_CASE("session and engine can be destroyed while a generation runs, which is waited for") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "endless.gguf";
  test::write_scripted_model(path, {{'>', 'a'}, {'a', 'b'}, {'b', 'a'}}, {4096});
  for (int round = 0; round < 5; ++round) {
    auto engine = Engine::load(path);
    auto session = engine->new_session();
    std::atomic<bool> cancel{false};
    std::atomic<bool> started{false};
    std::string seen;
    GenerateResult result;
    auto options = sampled(1, 4000);
    options.cancel = &cancel;
    std::thread caller([&, &used = *engine, &own = *session] {
      result = used.generate(own, std::vector<TokenId>{'>'}, options, [&](std::string_view text) {
        seen += text;
        started = true;
        return true;
      });
    });
    while (!started) std::this_thread::yield();
    cancel = true;
    session.reset();
    engine.reset();
    caller.join();
    CHECK(result.text == seen);
    CHECK_FALSE(seen.empty());
  }
}

TEST_CASE("an engine without any work is destroyed at once, with sessions or without") {
  const Fixture f;
  { const auto engine = f.load({}); }
  {
    const auto engine = f.load({});
    const auto session = engine->new_session();
  }
}

}  // namespace
}  // namespace emelex
