// What is refused, and how it is said.
#include <doctest/doctest.h>

#include <limits>

#include "base/expect_error.h"
#include "base/temporary_folder.h"
#include "engine/tiny_model.h"
#include "text/tiny_vocabulary.h"

namespace emelex {
namespace {

struct Fixture {
  explicit Fixture(const test::TinyModel& model = {}) { write_random_model(path, model); }

  std::unique_ptr<Engine> load(LoadOptions options = {}) const { return Engine::load(path, options); }

  TemporaryFolder folder;
  std::filesystem::path path = folder.path() / "tiny.gguf";
};

TEST_CASE("generate options that mean nothing are refused, and leave the session alone") {
  const Fixture f;
  const auto engine = f.load();
  const auto session = engine->new_session();
  GenerateOptions good;
  good.max_tokens = 0;
  const std::vector<TokenId> prompt = {1, 2, 3};
  engine->generate(*session, prompt, good, {});
  const auto refused = [&](std::initializer_list<std::string_view> parts, const auto& change) {
    GenerateOptions options;
    change(options);
    expect_error(ErrorCode::invalid_argument, parts, [&] { engine->generate(*session, prompt, options, {}); });
    CHECK(session->length() == 3);
  };
  refused({"[engine]", "max_tokens", "-1"}, [](auto& o) { o.max_tokens = -1; });
  refused({"[engine]", "stop", "''"}, [](auto& o) { o.stop = {"fine", ""}; });
  refused({"[engine]", "stop", "UTF-8", "\\xa9"}, [](auto& o) { o.stop = {"\xA9"}; });
  refused({"[engine]", "stop", "UTF-8", "\\xc3"}, [](auto& o) { o.stop = {"caf\xC3"}; });
  refused({"[sampling]", "temperature", "-1"}, [](auto& o) { o.sampling.temperature = -1; });
  refused({"[sampling]", "temperature", "nan"},
          [](auto& o) { o.sampling.temperature = std::numeric_limits<float>::quiet_NaN(); });
  refused({"[sampling]", "top-p", "0"}, [](auto& o) { o.sampling.top_p = 0; });
  refused({"[sampling]", "top-k", "-5"}, [](auto& o) { o.sampling.top_k = -5; });
  refused({"[sampling]", "min-p", "2"}, [](auto& o) { o.sampling.min_p = 2; });
  refused({"[sampling]", "repeat penalty", "0"}, [](auto& o) { o.sampling.repeat_penalty = 0; });
  refused({"[sampling]", "repeat window", "-1"}, [](auto& o) { o.sampling.repeat_window = -1; });
}

TEST_CASE("a prompt that is empty or has an id out of range is refused") {
  const Fixture f;
  const auto engine = f.load();
  const auto session = engine->new_session();
  const auto refused = [&](std::initializer_list<std::string_view> parts, const std::vector<TokenId>& prompt) {
    expect_error(ErrorCode::invalid_argument, parts, [&] { engine->generate(*session, prompt, {}, {}); });
    CHECK(session->length() == 0);
  };
  refused({"[engine]", "no tokens"}, {});
  refused({"[engine]", "below 268", "268"}, {1, 268});
  refused({"[engine]", "-1"}, {-1});
  refused({"[engine]", "2147483647"}, {std::numeric_limits<TokenId>::max()});
}

TEST_CASE("a session of another engine is refused") {
  const Fixture f;
  const auto engine = f.load();
  const auto other = f.load();
  const auto session = other->new_session();
  expect_error(ErrorCode::invalid_argument, {"[engine]", "session"},
               [&] { engine->generate(*session, std::vector<TokenId>{1}, {}, {}); });
}

TEST_CASE("load options that mean nothing are refused") {
  const Fixture f;
  const auto refused = [&](std::initializer_list<std::string_view> parts, const auto& change) {
    LoadOptions options;
    change(options);
    expect_error(ErrorCode::invalid_argument, parts, [&] { f.load(options); });
  };
  refused({"[engine]", "threads", "-1"}, [](auto& o) { o.threads = -1; });
  refused({"[engine]", "threads", "100000"}, [](auto& o) { o.threads = 100000; });
  refused({"[engine]", "context", "-1"}, [](auto& o) { o.context = -1; });
  refused({"[engine]", "context", "128", "129"}, [](auto& o) { o.context = 129; });
  refused({"[engine]", "prefill chunk", "-3"}, [](auto& o) { o.prefill_chunk = -3; });
  refused({"[engine]", "mlx", "q8_0"}, [](auto& o) {
    o.kernels = KernelBackend::mlx;
    o.kv_type = KvType::q8_0;
  });
}

TEST_CASE("a file that is missing, no model, or inconsistent is refused with its name") {
  const TemporaryFolder folder;
  const auto text = folder.file("text.gguf", "This is no model.\n");
  expect_error(ErrorCode::not_found, {"missing.gguf"}, [&] { Engine::load(folder.path() / "missing.gguf"); });
  expect_error(ErrorCode::corrupt_file, {"text.gguf"}, [&] { Engine::load(text); });
  test::TinyModel larger;
  larger.extra_rows = 3;
  const Fixture f(larger);
  expect_error(ErrorCode::corrupt_file, {"[engine]", "271", "268", "tokenizer.ggml.tokens", "tiny.gguf"},
               [&] { f.load(); });
}

TEST_CASE("the engine describes the model") {
  const Fixture f;
  LoadOptions options;
  options.context = 64;
  options.threads = 3;
  options.kernels = KernelBackend::float32;
  const auto engine = f.load(options);
  const ModelInfo& info = engine->info();
  CHECK(info.name == "Tiny");
  CHECK(info.architecture == "llama");
  CHECK(info.quantization == "f32");
  CHECK(info.weight_bytes == info.parameters * 4);
  CHECK(info.model_context == 128);
  CHECK(info.context == 64);
  CHECK(info.kv_bytes_per_token == 2 * 2 * 2 * 16 * 4);  // keys and values, layers, heads, dimension, float32
  CHECK(info.threads == 3);
  CHECK(info.device == "cpu");
  CHECK(info.kernels == "float");
  CHECK_FALSE(info.instruction_set.empty());
  options.kv_type = KvType::q8_0;
  CHECK(f.load(options)->info().kv_bytes_per_token == 2 * 2 * 2 * (16 + 2));  // integers, and a float16 scale
}

TEST_CASE("a message in a chat prompt never becomes a control token") {
  const Fixture f;
  const auto engine = f.load();
  const auto ids = engine->chat_prompt({{"user", "<|im_end|>"}});
  CHECK(ids.front() == test::TinyVocabulary::kStart);
  CHECK(std::count(ids.begin(), ids.end(), test::TinyVocabulary::kEnd) == 1);
  CHECK(engine->tokenizer().decode(ids, true) == "<|im_start|>user: <|im_end|><|im_end|>\n<|im_start|>bot: ");
  const auto raw = engine->raw_prompt("<|im_end|>");
  CHECK(raw.back() == test::TinyVocabulary::kEnd);
}

TEST_CASE("without a chat template a built-in one of the vocabulary's family stands in") {
  test::TinyModel plain;
  plain.chat_template.clear();
  const Fixture f(plain);
  const auto engine = f.load();
  CHECK(engine->chat_template().built_in() == "chatml");
  CHECK(engine->tokenizer().decode(engine->chat_prompt({{"user", "Hi"}}), true) ==
        "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
}

TEST_CASE("a chat template that can't be read is told to those who use it, and raw prompts work") {
  for (const auto& [source, code] :
       std::vector<std::pair<std::string, ErrorCode>>{{"{% for m in messages %}", ErrorCode::corrupt_file},
                                                      {"{{ messages | nonesuch }}", ErrorCode::unsupported}}) {
    CAPTURE(source);
    test::TinyModel odd;
    odd.chat_template = source;
    const Fixture f(odd);
    const auto engine = f.load();
    CHECK(engine->chat_template().built_in().empty());
    expect_error(code, {"tiny.gguf", "line"}, [&] { engine->chat_prompt({{"user", "Hi"}}); });
    const auto session = engine->new_session();
    GenerateOptions options;
    options.max_tokens = 2;
    CHECK_NOTHROW(engine->generate(*session, engine->raw_prompt("Hi"), options, {}));
  }
}

TEST_CASE("a model that a memory limit has no room for is refused with the numbers") {
  const Fixture f;
  LoadOptions options;
  options.device = Device::cpu;
  options.memory_limit = 1'000'000;
  expect_error(
      ErrorCode::out_of_memory,
      {"[engine]", "tiny.gguf", "memory_limit allows, 1.0 MB", "weights", "128 tokens", "no context is small enough"},
      [&] { f.load(options); });
  options.gpu_memory_limit = 1;  // no business of the CPU's
  options.memory_limit = int64_t{1} << 40;
  CHECK(f.load(options)->info().context == 128);
  options.memory_limit = -1;
  expect_error(ErrorCode::invalid_argument, {"[engine]", "memory limits"}, [&] { f.load(options); });
}

TEST_CASE("a model with experts is held to a memory limit as well") {
  const Fixture f({.experts = 3});
  LoadOptions options;
  options.device = Device::cpu;
  options.memory_limit = int64_t{1} << 40;
  CHECK(f.load(options)->info().context == 128);
  options.memory_limit = 1'000'000;
  expect_error(ErrorCode::out_of_memory, {"memory_limit allows, 1.0 MB"}, [&] { f.load(options); });
}

TEST_CASE("what was kept for later gives way where a memory limit leaves room for one session") {
  const Fixture f;
  LoadOptions options;
  options.device = Device::cpu;
  const auto loads = [&](int64_t limit) {
    options.memory_limit = limit;
    try {
      f.load(options);
      return true;
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::out_of_memory);
      return false;
    }
  };
  int64_t too_little = 1;
  int64_t enough = int64_t{1} << 30;
  while (enough - too_little > 1) {
    const int64_t middle = too_little + (enough - too_little) / 2;
    (loads(middle) ? enough : too_little) = middle;
  }
  options.memory_limit = enough;  // has room for one session of 128 tokens, and no more
  const auto engine = f.load(options);
  GenerateOptions generate;
  generate.max_tokens = 0;
  const std::vector<TokenId> prompt(100, 1);
  for (int i = 0; i < 3; ++i) {
    generate.cache_scope = std::to_string(i);
    const auto session = engine->new_session();
    CHECK(engine->generate(*session, prompt, generate, {}).stats.cached_tokens == 0);
    CHECK(engine->generate(*session, prompt, generate, {}).stats.cached_tokens == 99);
  }
}

}  // namespace
}  // namespace emelex
