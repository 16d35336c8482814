// The MLX backend as a GPU runs it, products in float16, on MLX's CPU backend.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "kernels/mlx/mlx_backend.h"
#include "models/forward_pass.h"
#include "models/reference_llama.h"

using namespace emelex;
using namespace emelex::test;

namespace {

// The median of the relative errors of a prompt's logits: of a token that is sent to another expert, since two have
// nearly the same score, all logits are others.
double error_in_half(const TinyLlama& model, KvDtype kv = KvDtype::f32) {
  const auto tokens = random_tokens(20);
  const auto expected = ForwardPass(model, KernelBackend::float32, 2, kv).prefill(tokens);
  ForwardPass pass(model.open(), mlx_backend::make_mlx_backend(mx::Device::cpu, mx::float16), kv);
  const auto found = pass.prefill(tokens, 13);
  for (const float logit : found) REQUIRE(std::isfinite(logit));
  const auto vocab = static_cast<std::ptrdiff_t>(model.vocab_size);
  std::vector<double> errors;
  for (auto at = found.begin(); at < found.end(); at += vocab) {
    const auto right = expected.begin() + (at - found.begin());
    errors.push_back(relative_l2({at, at + vocab}, {right, right + vocab}));
  }
  std::nth_element(errors.begin(), errors.begin() + 10, errors.end());
  return errors[10];
}

constexpr double kMostError = 1e-2;  // MLX adds up in float16 on a CPU

}  // namespace

TEST_CASE("products in float16 compute what the formulas say") {
  for (const TensorType type : {TensorType::f32, TensorType::q4_0, TensorType::q8_0}) {
    for (const int n_experts : {0, 5}) {
      if (type == TensorType::f32 && n_experts > 0) continue;  // which MLX has on a GPU alone
      TinyLlama model;
      model.type = type;
      model.n_experts = n_experts;
      CAPTURE(info(type).name);
      CAPTURE(n_experts);
      CHECK(error_in_half(model) < kMostError);
      CHECK(error_in_half(model, KvDtype::f16) < kMostError);
    }
  }
}

TEST_CASE("residuals, products and their inputs may be far beyond float16's range") {
  for (const TensorType type : {TensorType::f32, TensorType::q4_0, TensorType::q8_0}) {
    for (const int n_experts : {0, 5}) {
      if (type == TensorType::f32 && n_experts > 0) continue;  // which MLX has on a GPU alone
      TinyLlama model;
      model.type = type;
      model.n_experts = n_experts;
      model.tied = n_experts > 0;
      model.factors = {{"token_embd", 1e5F}, {"attn_output", 1e5F}, {"ffn_up", 1e5F}, {"ffn_down", 1e2F}};
      CAPTURE(info(type).name);
      CAPTURE(n_experts);
      CHECK(error_in_half(model) < kMostError);
      CHECK(error_in_half(model, KvDtype::f16) < kMostError);
    }
  }
}

TEST_CASE("very small activations keep their bits as well") {
  TinyLlama model;
  model.factors = {
      {"token_embd", 1e-2F}, {"attn_v", 1e-3F}, {"attn_output", 1e-2F}, {"ffn_up", 1e-3F}, {"ffn_down", 1e-2F}};
  model.norm_eps = 1e-20F;
  CHECK(error_in_half(model) < kMostError);
}

TEST_CASE("keys and values beyond float16's range are bounded to it in a float16 cache, as on the CPU") {
  TinyLlama model;
  model.factors = {{"attn_v", 1e6F}, {"attn_q", 1e-3F}};
  CHECK(error_in_half(model, KvDtype::f16) < kMostError);
}

TEST_CASE("weights beyond float16's range are computed with as they are") {
  TinyLlama model;
  model.factors = {{"ffn_up", 1e7F}, {"token_embd", 1e7F}};
  CHECK(error_in_half(model) < kMostError);
}
