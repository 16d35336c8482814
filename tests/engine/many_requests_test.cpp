// Many requests at once: whatever company a request has, its text is what it is alone.
#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <thread>

#include "base/expect_error.h"
#include "base/temporary_folder.h"
#include "engine/tiny_model.h"

namespace emelex {
namespace {

struct Wanted {
  std::vector<TokenId> prompt;
  GenerateOptions options;
  int cancel_after = -1;  // events; -1: never
};

struct Got {
  std::string text;
  std::optional<Event> last;
};

std::string text_of(const std::vector<std::string>& pieces) {
  std::string text;
  for (const auto& piece : pieces) text += piece;
  return text;
}

Got take_all(Ticket& ticket, int cancel_after = -1) {
  Got got;
  std::vector<std::string> pieces;
  while (auto event = ticket.next()) {
    if (event->kind == Event::Kind::text) {
      CHECK_FALSE(event->text.empty());
      pieces.push_back(event->text);
      if (static_cast<int>(pieces.size()) == cancel_after) ticket.cancel();
    } else {
      got.last = std::move(event);
    }
  }
  got.text = text_of(pieces);
  return got;
}

class Fixture {
 public:
  explicit Fixture(const test::TinyModel& model = {}) { write_random_model(path, model); }

  std::unique_ptr<Engine> load(LoadOptions options = {}) const {
    options.device = Device::cpu;
    options.threads = 2;
    return Engine::load(path, options);
  }
  // The least memory that one session of the whole context fits into.
  int64_t least_memory(LoadOptions options) const {
    int64_t too_little = 1;
    int64_t enough = int64_t{1} << 30;
    while (enough - too_little > 1) {
      options.memory_limit = too_little + (enough - too_little) / 2;
      try {
        load(options);
        enough = options.memory_limit;
      } catch (const Error&) {
        too_little = options.memory_limit;
      }
    }
    return enough;
  }

  TemporaryFolder folder;
  std::filesystem::path path = folder.path() / "tiny.gguf";
};

// Requests with prompts that have beginnings in common, some of them equal, as different in all else as can be.
std::vector<Wanted> some_requests(std::mt19937& random, int n, int longest) {
  const auto below = [&](int most) { return static_cast<int>(random() % static_cast<uint32_t>(most)); };
  std::vector<std::vector<TokenId>> beginnings(4);
  for (auto& beginning : beginnings) {
    for (int i = below(longest * 3 / 4); i >= 0; --i) beginning.push_back(below(250));
  }
  std::vector<Wanted> all;
  for (int i = 0; i < n; ++i) {
    Wanted wanted;
    if (!all.empty() && below(5) == 0) {
      wanted.prompt = all.back().prompt;  // another answer to it
    } else {
      wanted.prompt = beginnings[static_cast<size_t>(below(4))];
      for (int j = below(longest / 4); j > 0; --j) wanted.prompt.push_back(below(250));
    }
    SamplingOptions& sampling = wanted.options.sampling;
    sampling.seed = static_cast<uint64_t>(below(1000));
    sampling.temperature = below(3) == 0 ? 0.0F : 1.3F;
    sampling.top_k = below(2) == 0 ? 0 : 40;
    sampling.min_p = 0;
    sampling.repeat_penalty = below(3) == 0 ? 1.2F : 1.0F;
    wanted.options.max_tokens = below(10) == 0 ? 0 : 1 + below(50);
    if (below(4) == 0) wanted.options.stop = {std::string(1, static_cast<char>('a' + below(26)))};
    wanted.options.priority = below(8) == 0 ? 1 : 0;
    if (below(6) == 0) wanted.cancel_after = 1 + below(5);
    all.push_back(std::move(wanted));
  }
  return all;
}

std::vector<Got> alone(Engine& engine, const std::vector<Wanted>& requests) {
  std::vector<Got> all;
  for (size_t i = 0; i < requests.size(); ++i) {
    GenerateOptions options = requests[i].options;
    options.cache_scope = std::to_string(i);
    all.push_back(take_all(*engine.submit(requests[i].prompt, options)));
    REQUIRE(all.back().last);
    REQUIRE(all.back().last->kind == Event::Kind::finished);
  }
  return all;
}

std::vector<Got> together(Engine& engine, const std::vector<Wanted>& requests, uint32_t seed) {
  std::vector<Got> all(requests.size());
  std::vector<std::thread> clients;
  for (size_t i = 0; i < requests.size(); ++i) {
    clients.emplace_back([&, i] {
      std::this_thread::sleep_for(std::chrono::microseconds((seed * 7919 + i * 104729) % 20000));
      const auto ticket = engine.submit(requests[i].prompt, requests[i].options);
      all[i] = take_all(*ticket, requests[i].cancel_after);
    });
  }
  for (auto& client : clients) client.join();
  return all;
}

// With the thread sanitizer a round takes twenty times as long.
#ifdef __SANITIZE_THREAD__
constexpr int kRoundsShare = 2;
#else
constexpr int kRoundsShare = 1;
#endif

void check_company(const test::TinyModel& model, LoadOptions options, int rounds, uint32_t first_seed) {
  rounds /= kRoundsShare;
  const Fixture f(model);
  const auto quiet = f.load(options);
  // Room for one session of the whole context, and six blocks more.
  options.memory_limit = f.least_memory(options) + quiet->info().kv_bytes_per_token * 6 * 64;
  options.step_budget = 1e-4;  // so that prompts come in small pieces
  const auto engine = f.load(options);
  int64_t cached = 0;
  for (int round = 0; round < rounds; ++round) {
    const uint32_t seed = first_seed + static_cast<uint32_t>(round);
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto requests = some_requests(random, 64, model.context * 3 / 4);
    const auto expected = alone(*quiet, requests);
    const auto found = together(*engine, requests, seed);
    for (size_t i = 0; i < requests.size(); ++i) {
      CAPTURE(i);
      REQUIRE(found[i].last);
      REQUIRE(found[i].last->kind == Event::Kind::finished);
      const GenerateResult& result = found[i].last->result;
      CHECK(result.text == found[i].text);
      cached += result.stats.cached_tokens;
      if (result.finish == FinishReason::cancelled) {
        CHECK(requests[i].cancel_after > 0);
        std::string_view text = found[i].text;
        const std::string_view cut_off = "\xEF\xBF\xBD";  // a character that it ended in
        if (text.ends_with(cut_off) && !expected[i].text.starts_with(text)) text.remove_suffix(cut_off.size());
        CHECK(expected[i].text.starts_with(text));
      } else {
        CHECK(found[i].text == expected[i].text);
        CHECK(result.finish == expected[i].last->result.finish);
        CHECK(result.stats.generated_tokens == expected[i].last->result.stats.generated_tokens);
      }
    }
  }
  const EngineStats stats = engine->stats();
  CHECK(stats.running == 0);
  CHECK(stats.waiting == 0);
  CHECK(stats.finished == 64 * rounds);
  CHECK(stats.preemptions > 0);
  CHECK(cached > 0);
  MESSAGE("seeds from " << first_seed << ": " << stats.steps << " steps, " << stats.preemptions << " preemptions, "
                        << stats.cached_tokens << " of " << stats.prompt_tokens << " tokens from the cache");
}

// Other seeds each time, which a failure tells.
uint32_t new_seed() { return std::random_device()() % 1000000; }

TEST_CASE("64 requests at once say what each says alone") {
  test::TinyModel model;
  model.context = 256;
  LoadOptions options;
  options.kernels = KernelBackend::fast;
  check_company(model, options, 8, new_seed());
  options.kernels = KernelBackend::float32;
  check_company(model, options, 4, new_seed());
  options.kernels = KernelBackend::fast;
  options.kv_type = KvType::q8_0;
  check_company(model, options, 2, new_seed());
}

TEST_CASE("so they do with windows, where LongRoPE has all computed again, and with experts") {
  test::TinyModel sliding;
  sliding.context = 256;
  sliding.window = 40;
  check_company(sliding, {}, 2, new_seed());
  test::TinyModel longer;
  longer.context = 256;
  longer.longrope_after = 90;
  check_company(longer, {}, 2, new_seed());
  test::TinyModel mixture;
  mixture.context = 256;
  mixture.experts = 4;
  check_company(mixture, {}, 2, new_seed());
}

}  // namespace
}  // namespace emelex
