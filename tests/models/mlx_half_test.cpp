// The MLX back end as a GPU runs it, products in float16, on MLX's CPU back end.
#include <doctest/doctest.h>

#include <cmath>

#include "kernels/mlx/mlx_route.h"
#include "models/forward_pass.h"
#include "models/reference_llama.h"

using namespace emelex;
using namespace emelex::test;

namespace {

// The relative error of a prompt's logits.
double error_in_half(const TinyLlama& model) {
  const auto tokens = random_tokens(20);
  ForwardPass pass(model.open(), mlx_route::make_mlx_route(mx::Device::cpu, mx::float16), KvDtype::f16);
  return relative_l2(pass.prefill(tokens, 13), reference_logits(model, tokens));
}

constexpr double kMostError = 4e-3;

}  // namespace

TEST_CASE("products in float16 compute what the formulas say") {
  for (const TensorType type : {TensorType::f32, TensorType::q4_0, TensorType::q8_0}) {
    for (const int n_experts : {0, 5}) {
      TinyLlama model;
      model.type = type;
      model.n_experts = n_experts;
      CAPTURE(info(type).name);
      CAPTURE(n_experts);
      CHECK(error_in_half(model) < kMostError);
    }
  }
}

TEST_CASE("residuals, products and their inputs may be far beyond float16's range") {
  for (const TensorType type : {TensorType::f32, TensorType::q4_0, TensorType::q8_0}) {
    for (const int n_experts : {0, 5}) {
      TinyLlama model;
      model.type = type;
      model.n_experts = n_experts;
      model.tied = n_experts > 0;
      model.factors = {{"token_embd", 1e5F}, {"attn_output", 1e5F}, {"ffn_up", 1e5F}, {"ffn_down", 1e2F}};
      CAPTURE(info(type).name);
      CAPTURE(n_experts);
      CHECK(error_in_half(model) < kMostError);
    }
  }
}

TEST_CASE("very small activations keep their bits as well") {
  TinyLlama model;
  model.type = TensorType::q8_0;
  model.factors = {{"token_embd", 1e-6F}, {"attn_v", 1e-6F}, {"ffn_up", 1e-6F}};
  model.norm_eps = 1e-30F;
  CHECK(error_in_half(model) < kMostError);
}

TEST_CASE("keys and values beyond float16's range are bounded to it in a float16 cache, as on the CPU") {
  TinyLlama model;
  model.factors = {{"attn_v", 1e6F}, {"attn_q", 1e-3F}};
  const auto tokens = random_tokens(20);
  ForwardPass pass(model.open(), mlx_route::make_mlx_route(mx::Device::cpu, mx::float16), KvDtype::f16);
  const auto own = ForwardPass(model, KernelRoute::float32, 2, KvDtype::f16).prefill(tokens);
  CHECK(relative_l2(pass.prefill(tokens), {own.begin(), own.end()}) < kMostError);
}

TEST_CASE("weights beyond float16's range are computed with as they are") {
  TinyLlama model;
  model.factors = {{"ffn_up", 1e7F}, {"token_embd", 1e7F}};
  CHECK(error_in_half(model) < kMostError);
}
