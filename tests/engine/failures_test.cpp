// What becomes of an engine and its sessions when something fails in the middle.
#include "base/failures.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <new>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "base/expect_error.h"
#include "base/faults.h"
#include "base/temporary_folder.h"
#include "engine/mlx_failures.h"
#include "engine/runner.h"
#include "engine/tiny_model.h"
#include "engine/worker_thread.h"

namespace emelex {
namespace {

using faults::Call;

// Disarms at its end, whatever a test throws.
struct Armed {
  Armed(Call call, int64_t n) { faults::arm(call, n); }
  ~Armed() { faults::disarm(); }
  Armed(const Armed&) = delete;
  Armed& operator=(const Armed&) = delete;
};

struct Fixture {
  explicit Fixture(const test::TinyModel& model = {}) { write_random_model(path, model); }
  std::unique_ptr<Engine> load(KernelBackend kernels, int chunk = 8) const {
    LoadOptions options;
    options.threads = 2;
    options.device = Device::cpu;
    options.kernels = kernels;
    options.prefill_chunk = chunk;
    return Engine::load(path, options);
  }
  TemporaryFolder folder;
  std::filesystem::path path = folder.path() / "tiny.gguf";
};

GenerateOptions greedy(int max_tokens) {
  GenerateOptions options;
  options.sampling.temperature = 0;
  options.max_tokens = max_tokens;
  return options;
}

// Sharing nothing with those of other scopes.
GenerateOptions apart(GenerateOptions options, int64_t scope) {
  options.cache_scope = std::to_string(scope);
  return options;
}

std::vector<TokenId> some_prompt(int n, int from = 0) {
  std::vector<TokenId> ids;
  for (int i = 0; i < n; ++i) ids.push_back((from + i * 37) % 256);
  return ids;
}

// From where on some_prompt() makes prompts that the model does not end its answer to at once.
int talkative(Engine& engine, const GenerateOptions& options) {
  for (int from = 0; from < 200; ++from) {
    const auto tokens = [&](int n) {
      const auto scope = apart(options, -1);
      return engine.generate(*engine.new_session(), some_prompt(n, from), scope, {}).stats.generated_tokens;
    };
    if (tokens(20) == options.max_tokens && tokens(50) == options.max_tokens) return from;
  }
  return 0;
}

// Fails each step of a conversation of two turns in turn, and expects the answers of an undisturbed one when the turn
// is tried again.
void check_retries(const Fixture& f, KernelBackend kernels, bool keeps_cache) {
  const auto options = greedy(6);
  const auto engine = f.load(kernels);
  const int from = talkative(*engine, options);
  const auto first = some_prompt(20, from);
  const auto second = some_prompt(50, from);
  const auto undisturbed = engine->new_session();
  faults::arm(Call::compute, 0);
  const auto answer = engine->generate(*undisturbed, first, options, {}).text;
  const auto steps_before = faults::count(Call::compute);
  const int length = undisturbed->length();
  const auto next = engine->generate(*undisturbed, second, options, {});
  const auto steps = faults::count(Call::compute) - steps_before;
  faults::disarm();
  REQUIRE(steps >= 8);

  for (int64_t n = 1; n <= steps; ++n) {
    CAPTURE(n);
    const auto session = engine->new_session();
    const auto own = apart(options, 2 * n);
    const auto others = apart(options, 2 * n + 1);
    const auto other = engine->new_session();
    CHECK(engine->generate(*other, second, others, {}).text == next.text);
    CHECK(engine->generate(*session, first, own, {}).text == answer);
    REQUIRE(session->length() == length);
    {
      const Armed armed(Call::compute, n);
      expect_error(ErrorCode::out_of_memory, {"[cpu]", "allocate"},
                   [&] { engine->generate(*session, second, own, {}); });
    }
    if (keeps_cache) {
      CHECK(session->length() >= std::min(length, next.stats.cached_tokens));
    } else {
      CHECK(session->length() == 0);
    }
    const auto again = engine->generate(*session, second, own, {});
    CHECK(again.text == next.text);
    CHECK((again.stats.cached_tokens > 0) == keeps_cache);
    // Of the other session's tokens some may have gone as well, and then it computes them again.
    CHECK(engine->generate(*other, second, others, {}).text == next.text);
  }
}

TEST_CASE("after a step that failed a retry says what an undisturbed session does") {
  check_retries(Fixture(), KernelBackend::fast, true);
  check_retries(Fixture(), KernelBackend::float32, true);
}

TEST_CASE("so it does when MLX computes, whose cache starts anew then") {
  check_retries(Fixture(), KernelBackend::mlx, false);
  test::TinyModel model;
  model.window = 16;
  check_retries(Fixture(model), KernelBackend::mlx, false);
}

TEST_CASE("so it does with windows, and where LongRoPE has everything computed again") {
  test::TinyModel sliding;
  sliding.window = 16;
  check_retries(Fixture(sliding), KernelBackend::fast, true);
  test::TinyModel longer;
  longer.longrope_after = 53;  // reached by the second answer
  const Fixture f(longer);
  const auto engine = f.load(KernelBackend::fast);
  const auto prompt = some_prompt(50);
  const auto session = engine->new_session();
  faults::arm(Call::compute, 0);
  const auto expected = engine->generate(*session, prompt, greedy(8), {}).text;
  const auto steps = faults::count(Call::compute);
  faults::disarm();
  for (int64_t n = 1; n <= steps; ++n) {
    CAPTURE(n);
    const auto again = engine->new_session();
    const auto own = apart(greedy(8), n);
    {
      const Armed armed(Call::compute, n);
      CHECK_THROWS_AS(engine->generate(*again, prompt, own, {}), Error);
    }
    CHECK(engine->generate(*again, prompt, own, {}).text == expected);
  }
}

TEST_CASE("a step of several sequences that fails leaves each as long as it was") {
  const Fixture f;
  LoadOptions options;
  options.threads = 1;
  Runner runner(open_weights(f.path), options);
  const std::vector<SequenceId> ids = {runner.cache().create(), runner.cache().create()};
  runner.append(ids[0], some_prompt(64));
  runner.append(ids[1], some_prompt(10));
  const std::vector<TokenId> tokens = {5, 6};
  {
    const Armed armed(Call::compute, 1);
    CHECK_THROWS_AS(runner.decode(ids, tokens), Error);
  }
  CHECK(runner.cache().length(ids[0]) == 64);
  CHECK(runner.cache().length(ids[1]) == 10);
  const auto logits = runner.decode(ids, tokens);
  const std::vector<float> again(logits.begin(), logits.end());
  Runner undisturbed(open_weights(f.path), options);
  const std::vector<SequenceId> same = {undisturbed.cache().create(), undisturbed.cache().create()};
  undisturbed.append(same[0], some_prompt(64));
  undisturbed.append(same[1], some_prompt(10));
  const auto expected = undisturbed.decode(same, tokens);
  CHECK(again == std::vector<float>(expected.begin(), expected.end()));
}

TEST_CASE("a batch in which a sequence would have to be computed again is refused") {
  test::TinyModel model;
  model.longrope_after = 40;
  const Fixture f(model);
  LoadOptions options;
  options.threads = 1;
  Runner runner(open_weights(f.path), options);
  const std::vector<SequenceId> ids = {runner.cache().create(), runner.cache().create()};
  runner.append(ids[0], some_prompt(10));
  runner.append(ids[1], some_prompt(40));
  const std::vector<TokenId> tokens = {5, 6};
  expect_error(ErrorCode::unsupported, {"[engine]", "41 tokens", "LongRoPE"}, [&] { runner.decode(ids, tokens); });
  CHECK(runner.cache().length(ids[0]) == 10);
  CHECK(runner.cache().length(ids[1]) == 40);
}

TEST_CASE("a prompt takes one product of the vocabulary's matrix, however many chunks it has") {
  const Fixture f;
  LoadOptions options;
  options.threads = 1;
  options.prefill_chunk = 7;
  Runner runner(open_weights(f.path), options);
  const SequenceId id = runner.cache().create();
  runner.append(id, some_prompt(100));
  CHECK(runner.counters().steps == 15);
  CHECK(runner.counters().vocabulary_products == 1);
  runner.append_part(id, some_prompt(10), false, Want::nothing);
  CHECK(runner.counters().steps == 17);
  CHECK(runner.counters().vocabulary_products == 1);
}

TEST_CASE("all logits of a prompt in chunks are those that its tokens have one by one") {
  const Fixture f;
  LoadOptions options;
  options.threads = 1;
  options.prefill_chunk = 7;
  Runner runner(open_weights(f.path), options);
  const auto prompt = some_prompt(20);
  const auto span = runner.append(runner.cache().create(), prompt, Want::all);
  const std::vector<float> all(span.begin(), span.end());
  const SequenceId id = runner.cache().create();
  std::vector<float> expected;
  for (const TokenId token : prompt) {
    const auto row = runner.append(id, {&token, 1});
    expected.insert(expected.end(), row.begin(), row.end());
  }
  CHECK(all == expected);
}

TEST_CASE("threads that can't be started are an Error, wherever they are wanted") {
  const Fixture f;
  faults::arm(Call::start_thread, 0);
  f.load(KernelBackend::fast);
  const int64_t threads = faults::count(Call::start_thread);
  faults::disarm();
  REQUIRE(threads >= 2);
  for (int64_t n = 1; n <= threads; ++n) {
    CAPTURE(n);
    const Armed armed(Call::start_thread, n);
    expect_error(ErrorCode::out_of_memory, {"[threads]", "thread"}, [&] { f.load(KernelBackend::fast); });
  }
  CHECK(f.load(KernelBackend::fast)->info().context == 128);
}

TEST_CASE("an engine that can't be finished ends its model on the thread that made it") {
  std::thread::id made;
  std::thread::id ended;
  try {
    struct Owner {
      std::thread::id* made;
      std::thread::id* ended;
      WorkerThread thread{[this] { *ended = std::this_thread::get_id(); }};
      Owner(std::thread::id* m, std::thread::id* e) : made(m), ended(e) {
        thread.run([this] { *made = std::this_thread::get_id(); });
        throw std::runtime_error("unfinished");
      }
    } owner(&made, &ended);
  } catch (const std::runtime_error&) {
  }
  CHECK(made != std::thread::id());
  CHECK(made == ended);
  CHECK(made != std::this_thread::get_id());
}

TEST_CASE("sessions are opened, cleared and closed without waiting for another's answer") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "endless.gguf";
  test::write_scripted_model(path, {{'>', 'a'}, {'a', 'b'}, {'b', 'a'}}, {200000});
  LoadOptions load;
  load.context = 200000;
  load.threads = 1;
  const auto engine = Engine::load(path, load);
  const auto session = engine->new_session();
  const auto held = engine->new_session();
  engine->generate(*held, std::vector<TokenId>{'>'}, greedy(3), {});
  CHECK(held->length() == 3);
  const auto result = engine->generate(*session, std::vector<TokenId>{'>'}, greedy(1 << 30), [&](std::string_view) {
    const auto other = engine->new_session();
    held->clear();
    CHECK(held->length() == 0);
    return false;
  });
  CHECK(result.finish == FinishReason::cancelled);  // and not context_full
  CHECK(held->length() == 0);
  CHECK(engine->generate(*held, std::vector<TokenId>{'>'}, greedy(3), {}).text == "aba");
}

TEST_CASE("what a computation throws becomes an Error with its code") {
  const auto code_of = [](const auto& thrown, const char* device) {
    try {
      try {
        throw thrown;
      } catch (...) {
        rethrow_compute_error(device);
      }
    } catch (const Error& error) {
      return error.code();
    }
  };
  CHECK(code_of(std::bad_alloc(), "gpu") == ErrorCode::out_of_memory);
  CHECK(code_of(std::runtime_error("[malloc] Unable to allocate 12 bytes."), "cpu") == ErrorCode::out_of_memory);
  CHECK(code_of(std::runtime_error("[reshape] can't allocate an axis\nof two lines"), "cpu") == ErrorCode::internal);
  CHECK(code_of(std::invalid_argument("[reshape] no"), "gpu") == ErrorCode::device);
  CHECK(code_of(Error(ErrorCode::unsupported, "x"), "gpu") == ErrorCode::unsupported);
  CHECK(code_of(7, "gpu") == ErrorCode::internal);
  CHECK(mlx_error_code("cudaMallocManaged failed: out of memory.", "gpu") == ErrorCode::out_of_memory);
  CHECK(mlx_error_code("[metal::malloc] Resource limit (499000) exceeded.", "gpu") == ErrorCode::out_of_memory);
  CHECK(mlx_error_code("cudaStreamSynchronize failed: unspecified launch failure", "gpu") == ErrorCode::device);
}

}  // namespace
}  // namespace emelex
