// A token's result depends on the tokens before it in its sequence, and on nothing else: not on how the prompt was cut,
// what came from the cache, which other sequences were in the step, or how many threads computed. Bit for bit on the
// CPU's own backend.
#include <doctest/doctest.h>

#include "kernels/cuda/cuda_backend.h"
#include "models/forward_pass.h"
#include "models/reference_llama.h"

using namespace emelex;
using namespace emelex::test;

namespace {

constexpr int kLength = 600;  // past several blocks of the cache and one split of attention

struct Setting {
  KernelBackend kernels;
  TensorType type;
  KvDtype kv;
  int n_experts = 0;
};

constexpr Setting kSettings[] = {
    {KernelBackend::fast, TensorType::q4_1, KvDtype::f16},   {KernelBackend::fast, TensorType::q8_0, KvDtype::f32},
    {KernelBackend::fast, TensorType::q4_0, KvDtype::f16},   {KernelBackend::float32, TensorType::q4_1, KvDtype::f32},
    {KernelBackend::float32, TensorType::f16, KvDtype::f16}, {KernelBackend::fast, TensorType::q4_1, KvDtype::f16, 7},
    {KernelBackend::fast, TensorType::bf16, KvDtype::f16},   {KernelBackend::fast, TensorType::bf16, KvDtype::f16, 7}};

template <class Check>
void for_each_setting(const Check& check) {
  for (const Setting& setting : kSettings) {
    TinyLlama model;
    model.type = setting.type;
    model.n_experts = setting.n_experts;
    CAPTURE(setting.n_experts);
    CAPTURE(static_cast<int>(setting.kernels));
    CAPTURE(info(setting.type).name);
    check(model, setting);
  }
}

std::vector<float> tail(const std::vector<float>& logits, size_t tokens) {
  const size_t vocab = static_cast<size_t>(TinyLlama().vocab_size);
  return {logits.end() - static_cast<std::ptrdiff_t>(tokens * vocab), logits.end()};
}

}  // namespace

TEST_CASE("a prompt in chunks of 1, 7, 64 and all at once gives the same bits, with 1, 2 and 3 threads") {
  for_each_setting([](const TinyLlama& model, const Setting& setting) {
    const auto tokens = random_tokens(kLength);
    const auto whole = ForwardPass(model, setting.kernels, 1, setting.kv).prefill(tokens);
    for (const int threads : {1, 2, 3}) {
      ForwardPass pass(model, setting.kernels, threads, setting.kv);
      for (const size_t chunk : {1, 7, 64, kLength}) {
        CAPTURE(threads);
        CAPTURE(chunk);
        CHECK(pass.prefill(tokens, chunk) == whole);
      }
    }
  });
}

TEST_CASE("tokens behind a cached prefix get the same bits, whether it was trimmed, forked or shared") {
  for_each_setting([](const TinyLlama& model, const Setting& setting) {
    const auto tokens = random_tokens(kLength);
    ForwardPass pass(model, setting.kernels, 2, setting.kv);
    auto& cache = pass.cache();
    const auto whole = pass.prefill(tokens);
    for (const int kept : {1, 63, 64, 100, 513}) {
      CAPTURE(kept);
      const std::vector<int> rest(tokens.begin() + kept, tokens.end());
      const auto first = cache.create();
      pass.prefill(first, {tokens.begin(), tokens.begin() + kept}, 1 << 20);
      const auto fork = cache.fork(first);
      // Something else on the first, so that the fork must have its own copy of the last block.
      pass.prefill(first, random_tokens(80, model.vocab_size, 2), 1 << 20);
      CHECK(pass.prefill(fork, rest, 50) == tail(whole, rest.size()));
      cache.trim(first, kept);
      CHECK(pass.prefill(first, rest, 1 << 20) == tail(whole, rest.size()));
      cache.release(fork);
      cache.release(first);
    }
  });
}

TEST_CASE("a sequence gets the same bits in a step with others, in prefill and decode mixed") {
  for_each_setting([](const TinyLlama& model, const Setting& setting) {
    const auto tokens = random_tokens(90);
    const auto others = random_tokens(200, model.vocab_size, 3);
    ForwardPass pass(model, setting.kernels, 2, setting.kv);
    const auto whole = pass.prefill(tokens);

    const auto ours = pass.cache().create();
    const auto second = pass.cache().create();
    const auto third = pass.cache().create();
    std::vector<float> found;
    size_t at = 0;
    for (const size_t count : {5, 1, 60, 1, 1, 22}) {
      const auto begin = tokens.begin() + static_cast<std::ptrdiff_t>(at);
      const auto logits = pass.step({{second, {others.begin(), others.begin() + 3}},
                                     {ours, {begin, begin + static_cast<std::ptrdiff_t>(count)}},
                                     {third, {others.begin() + 7, others.begin() + 20}}});
      const size_t vocab = static_cast<size_t>(model.vocab_size);
      found.insert(found.end(), logits.begin() + static_cast<std::ptrdiff_t>(3 * vocab),
                   logits.begin() + static_cast<std::ptrdiff_t>((3 + count) * vocab));
      at += count;
    }
    REQUIRE(at == tokens.size());
    CHECK(found == whole);
  });
}

TEST_CASE("MLX's backend gives the same within rounding, whatever the chunks, forks and company") {
  TinyLlama model;
  model.type = TensorType::q4_0;
  const auto tokens = random_tokens(150);
  const auto expected = reference_logits(model, tokens);
  ForwardPass pass(model, KernelBackend::mlx);
  auto& cache = pass.cache();
  for (const size_t chunk : {1, 7, 64, 150}) {
    CAPTURE(chunk);
    CHECK(relative_l2(pass.prefill(tokens, chunk), expected) < 2e-6);
  }

  // Two sequences whose blocks lie in turn, a fork of one, and both in one step.
  const auto a = cache.create();
  const auto b = cache.create();
  std::vector<float> found;
  for (size_t at = 0; at < 140; at += 35) {
    const std::vector<int> part(tokens.begin() + static_cast<std::ptrdiff_t>(at),
                                tokens.begin() + static_cast<std::ptrdiff_t>(at + 35));
    const auto logits = pass.step({{a, part}, {b, part}});
    found.insert(found.end(), logits.begin() + static_cast<std::ptrdiff_t>(logits.size() / 2), logits.end());
  }
  const auto fork = cache.fork(b);
  pass.prefill(b, random_tokens(30, model.vocab_size, 4), 30);
  const auto rest = pass.prefill(fork, {tokens.begin() + 140, tokens.end()}, 10);
  found.insert(found.end(), rest.begin(), rest.end());
  CHECK(relative_l2(found, expected) < 2e-6);
}

TEST_CASE(
    "on an NVIDIA GPU a token's result is the same bits in any company of two to eight, and alone run after run") {
  if (const std::string obstacle = cuda::cuda_obstacle(); !obstacle.empty()) {
    MESSAGE("skipped: " << obstacle);
    return;
  }
  TinyLlama model;
  model.type = TensorType::q4_1;
  const auto tokens = random_tokens(kLength);
  ForwardPass reference(model, KernelBackend::float32);
  const auto exact = reference.prefill(tokens);
  ForwardPass pass(model, KernelBackend::cuda, 1, KvDtype::f16);
  const auto vocab = static_cast<size_t>(TinyLlama().vocab_size);
  // Alone, from its first token on: eager steps, captured ones, and those of more splits.
  const auto alone = pass.prefill(tokens, 1);
  CHECK(relative_l2(alone, {exact.begin(), exact.end()}) < 3e-3);
  CHECK(pass.prefill(tokens, 1) == alone);
  // With others, some of which join later: three are computed as four, five as eight.
  std::vector<SequenceId> ids;
  std::vector<std::vector<float>> found(5);
  for (int i = 0; i < 5; ++i) ids.push_back(pass.cache().create());
  for (int t = 0; t < kLength; ++t) {
    std::vector<ForwardPass::Part> parts;
    std::vector<size_t> who;
    for (size_t i = 0; i < ids.size(); ++i) {
      const int at = t - 37 * static_cast<int>(i / 2);
      if (at < 0) continue;
      parts.push_back({ids[i], {tokens[static_cast<size_t>(at)]}});
      who.push_back(i);
    }
    const auto logits = pass.step(parts);
    for (size_t p = 0; p < who.size(); ++p) {
      const auto first = logits.begin() + static_cast<std::ptrdiff_t>(p * vocab);
      found[who[p]].insert(found[who[p]].end(), first, first + static_cast<std::ptrdiff_t>(vocab));
    }
  }
  CHECK(relative_l2(found[0], {exact.begin(), exact.end()}) < 3e-3);
  for (const auto& logits : found) {
    CHECK(logits ==
          std::vector<float>(found[0].begin(), found[0].begin() + static_cast<std::ptrdiff_t>(logits.size())));
  }
  // A fork goes on as the sequence that it came from.
  const auto fork = pass.cache().fork(ids[0]);
  const auto next = pass.step({{ids[0], {7}}});
  CHECK(pass.step({{fork, {7}}}) == next);
}
