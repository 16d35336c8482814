// engine_latency MODEL: what the scheduler and the cache cost and save, as figures. No figure decides anything here:
// they go into a report.
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "emelex/engine.h"

namespace emelex {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

std::vector<TokenId> random_tokens(int n, uint32_t seed, int vocab_size) {
  std::mt19937 random(seed);
  std::vector<TokenId> tokens;
  while (static_cast<int>(tokens.size()) < n) {
    tokens.push_back(static_cast<TokenId>(random() % static_cast<uint32_t>(vocab_size)));
  }
  return tokens;
}

GenerateOptions greedy(int max_tokens, const std::string& scope = "") {
  GenerateOptions options;
  options.sampling.temperature = 0;
  options.max_tokens = max_tokens;
  options.cache_scope = scope;
  return options;
}

GenerateResult result_of(Ticket& ticket) {
  while (auto event = ticket.next()) {
    if (event->error) throw *event->error;
    if (event->kind == Event::Kind::finished) return std::move(event->result);
  }
  return {};
}

double first_token(const GenerateResult& result) { return result.stats.queue_seconds + result.stats.prefill_seconds; }

std::unique_ptr<Engine> load(const char* path, int context, double step_budget) {
  LoadOptions options;
  options.context = context;
  options.step_budget = step_budget;
  return Engine::load(path, options);
}

// Others' gaps while a long prompt is computed, with steps of at most twice their time.
void long_prompt(const char* path) {
  constexpr int kPrompt = 4000;
  constexpr int kOthers = 4;
  double step = 0;
  double alone = 0;
  {
    const auto engine = load(path, 8192, 0);
    const int vocab_size = engine->tokenizer().vocab_size();
    alone = first_token(result_of(*engine->submit(random_tokens(kPrompt, 1, vocab_size), greedy(1, "a"))));
    std::vector<std::unique_ptr<Ticket>> others;
    for (uint32_t i = 0; i < kOthers; ++i)
      others.push_back(engine->submit(random_tokens(64, i + 2, vocab_size), greedy(100)));
    for (auto& ticket : others) {
      const GenerateResult result = result_of(*ticket);
      if (result.stats.generated_tokens > 10) step = std::max(step, 1 / result.stats.decode_tokens_per_second());
    }
  }
  auto engine = load(path, 8192, 2 * step);
  const int vocab_size = engine->tokenizer().vocab_size();
  std::mutex mutex;
  std::vector<double> gaps;
  bool measures = false;
  std::vector<std::unique_ptr<Ticket>> others;
  for (uint32_t i = 0; i < kOthers; ++i) {
    auto last = std::make_shared<Clock::time_point>(Clock::now());
    others.push_back(engine->submit_to(
        [&, last](const Event& event) {
          if (event.kind != Event::Kind::text) return;
          const std::lock_guard lock(mutex);
          if (measures) gaps.push_back(seconds_since(*last));
          *last = Clock::now();
        },
        random_tokens(64, i + 2, vocab_size), greedy(8000)));
  }
  result_of(*engine->submit(random_tokens(64, 9, vocab_size), greedy(30)));  // until all of them run
  {
    const std::lock_guard lock(mutex);
    measures = true;
  }
  const double beside = first_token(result_of(*engine->submit(random_tokens(kPrompt, 1, vocab_size), greedy(1))));
  engine.reset();  // so that no sink is called any more
  std::sort(gaps.begin(), gaps.end());
  if (gaps.empty()) return;
  std::printf(
      "a prompt of %d tokens beside %d texts, budget of two steps: the prompt takes %.2f s, %.2f times %.2f s alone;\n",
      kPrompt, kOthers, beside, beside / alone, alone);
  std::printf("  of %zu gaps between texts the p50 is %.1f ms, the p99 %.1f ms, %.2f times a step of %.1f ms\n",
              gaps.size(), gaps[gaps.size() / 2] * 1e3, gaps[gaps.size() * 99 / 100] * 1e3,
              gaps[gaps.size() * 99 / 100] / step, step * 1e3);
}

// The next turn of a conversation.
void next_turn(const char* path) {
  constexpr int kBefore = 3000;
  const auto engine = load(path, 4096, 0);
  const int vocab_size = engine->tokenizer().vocab_size();
  auto prompt = random_tokens(kBefore, 3, vocab_size);
  const double cold = first_token(result_of(*engine->submit(prompt, greedy(1))));
  for (const TokenId id : random_tokens(16, 4, vocab_size)) prompt.push_back(id);
  const GenerateResult result = result_of(*engine->submit(prompt, greedy(1)));
  std::printf(
      "a new turn of 16 tokens after %d: first token after %.1f ms, %.2f%% of %.2f s; %d tokens from the cache\n",
      kBefore, first_token(result) * 1e3, 100 * first_token(result) / cold, cold, result.stats.cached_tokens);
}

// Texts of one length, all at once. To compare with `emelex bench -b 32`.
void many_texts(const char* path) {
  constexpr int kTexts = 32;
  constexpr int kTokens = 64;
  const auto engine = load(path, 1024, 0);
  std::vector<std::unique_ptr<Ticket>> tickets;
  for (int i = 0; i < kTexts; ++i) tickets.push_back(engine->submit({static_cast<TokenId>(i + 100)}, greedy(kTokens)));
  int generated = 0;
  const auto begin = Clock::now();
  for (auto& ticket : tickets) generated += result_of(*ticket).stats.generated_tokens;
  const double seconds = seconds_since(begin);
  std::printf("%d texts at once: %d tokens, %.1f tok/s, %.2f ms a step\n", kTexts, generated, generated / seconds,
              seconds * 1e3 / static_cast<double>(engine->stats().steps));
}

}  // namespace
}  // namespace emelex

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    emelex::next_turn(argv[1]);
    emelex::many_texts(argv[1]);
    emelex::long_prompt(argv[1]);
  } catch (const emelex::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
