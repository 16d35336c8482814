// Both float backends against the formulas in double precision.
#include <doctest/doctest.h>

#include "models/forward_pass.h"
#include "models/reference_llama.h"

using namespace emelex;
using namespace emelex::test;

namespace {

void check_against_reference(const TinyLlama& model) {
  const auto tokens = random_tokens(70);  // over the border of a cache block
  const auto expected = reference_logits(model, tokens);
  CHECK(relative_l2(ForwardPass(model, KernelBackend::float32).prefill(tokens), expected) < 2e-6);
  CHECK(relative_l2(ForwardPass(model, KernelBackend::mlx).prefill(tokens), expected) < 2e-6);
}

}  // namespace

TEST_CASE("a Llama of every stored type computes what its formulas say") {
  for (const TensorType type :
       {TensorType::f32, TensorType::f16, TensorType::bf16, TensorType::q4_0, TensorType::q4_1, TensorType::q8_0}) {
    CAPTURE(info(type).name);
    TinyLlama model;
    model.type = type;
    check_against_reference(model);
  }
}

TEST_CASE("a Llama in every mode of MLX computes what its formulas say, its embedding and output among it") {
  const MlxFormat formats[] = {{MlxMode::affine, 4, 32, TensorType::f16}, {MlxMode::affine, 8, 32, TensorType::bf16},
                               {MlxMode::affine, 3, 32, TensorType::f32}, default_mlx_format(MlxMode::mxfp4),
                               default_mlx_format(MlxMode::mxfp8),        default_mlx_format(MlxMode::nvfp4)};
  for (const MlxFormat& format : formats) {
    CAPTURE(mlx_mode_name(format.mode));
    CAPTURE(format.bits);
    TinyLlama model;
    model.mlx = format;
    model.tied = format.bits == 4;
    check_against_reference(model);
    const auto tokens = random_tokens(70);
    // Rows of three blocks, random weights: nothing averages out.
    const double fast =
        relative_l2(ForwardPass(model, KernelBackend::fast).prefill(tokens), reference_logits(model, tokens));
    CHECK(fast < 5e-2);
  }
}

TEST_CASE("tied output, plain multi-head attention and Llama 3.1's frequencies do as well") {
  TinyLlama tied;
  tied.tied = true;
  check_against_reference(tied);

  TinyLlama multi_head;
  multi_head.n_kv_heads = 6;
  check_against_reference(multi_head);

  TinyLlama factors;
  factors.rope_factors = true;
  factors.rope_base = 500000.0F;
  check_against_reference(factors);

  TinyLlama one_kv_head;
  one_kv_head.n_kv_heads = 1;
  one_kv_head.head_dim = 24;
  one_kv_head.rope_dim = 24;
  check_against_reference(one_kv_head);
}

TEST_CASE("float16 keys and values cost little, rounded activations a little more") {
  TinyLlama model;
  model.type = TensorType::q8_0;
  const auto tokens = random_tokens(70);
  const auto expected = reference_logits(model, tokens);
  const double half =
      relative_l2(ForwardPass(model, KernelBackend::float32, 2, KvDtype::f16).prefill(tokens), expected);
  const double fast = relative_l2(ForwardPass(model, KernelBackend::fast).prefill(tokens), expected);
  const double mlx_half =
      relative_l2(ForwardPass(model, KernelBackend::mlx, 2, KvDtype::f16).prefill(tokens), expected);
  MESSAGE("relative L2: float16 cache ", half, " (MLX ", mlx_half, "), rounded activations ", fast);
  CHECK(half < 1e-3);
  CHECK(mlx_half < 1e-3);
  CHECK(fast < 5e-2);  // rows of three blocks, random weights: nothing averages out
}

TEST_CASE("weights in bfloat16 cost little of rounded activations, with experts too") {
  for (const int n_experts : {0, 7}) {
    CAPTURE(n_experts);
    TinyLlama model;
    model.type = TensorType::bf16;
    model.n_experts = n_experts;
    const auto tokens = random_tokens(70);
    const auto exact = ForwardPass(model, KernelBackend::float32).prefill(tokens);
    const double error =
        relative_l2(ForwardPass(model, KernelBackend::fast).prefill(tokens), {exact.begin(), exact.end()});
    MESSAGE("relative L2 of rounded activations: ", error, " (0 where the CPU has no dot products of bfloat16)");
    CHECK(error < 2e-2);
  }
}
