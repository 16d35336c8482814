// Every architecture on the CPU and MLX backends, from files as GGUF has them. What is right is told by transformers
// and llama.cpp: tests/differential/families_check.py.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/expect_error.h"
#include "base/temporary_folder.h"
#include "kernels/cuda/cuda_backend.h"
#include "models/architecture.h"
#include "models/forward_pass.h"
#include "models/reference_llama.h"
#include "weights/gguf/gguf_writer.h"
#include "weights/safetensors/hf_families.h"

using namespace emelex;
using namespace emelex::test;

namespace {

constexpr int64_t kLayers = 4;
constexpr int64_t kDim = 48;
constexpr int64_t kHidden = 80;
constexpr int64_t kVocab = 131;
constexpr int64_t kHeads = 4;
constexpr int64_t kKvHeads = 2;
constexpr int64_t kHeadDim = 12;
constexpr int64_t kExperts = 6;
constexpr int64_t kExpertHidden = 24;
constexpr int kLength = 150;  // over two borders of cache blocks, the windows and LongRoPE's threshold

enum class Projections { split, fused, with_biases };
enum class MlpKind { gated, fused, gelu, mixture, mixture_with_biases };

// An architecture's tensors, by what stands in its blocks, and the keys that it has beyond those of all.
struct Tiny {
  const char* architecture;
  std::vector<std::string> norms;  // of a block, [dim]
  int64_t q_norm = 0;              // values; 0: none
  int64_t k_norm = 0;
  Projections projections = Projections::split;
  MlpKind mlp = MlpKind::gated;
  const char* epsilon = "attention.layer_norm_rms_epsilon";
  std::function<void(GgufWriter&, const std::string& prefix)> keys = [](GgufWriter&, const std::string&) {};
};

class TinyFile {
 public:
  explicit TinyFile(const Tiny& tiny) : tiny_(tiny), prefix_(std::string(tiny.architecture) + ".") {}

  std::shared_ptr<const Weights> open() {
    add_keys();
    matrix("token_embd.weight", kVocab, kDim);
    if (architectures().find(tiny_.architecture)->needs_output) matrix("output.weight", kVocab, kDim);
    if (tiny_.mlp == MlpKind::gelu) add("output.bias", {kVocab}, 0.5F, 0.0F);
    norm("output_norm", kDim);
    for (int64_t i = 0; i < kLayers; ++i) add_block("blk." + std::to_string(i) + ".");
    const TemporaryFolder folder;
    file_.write(folder.path() / "tiny.gguf");
    return open_weights(folder.path() / "tiny.gguf");
  }

 private:
  void number(const char* key, int64_t value) { file_.add(prefix_ + key, static_cast<uint32_t>(value)); }

  void add_keys() {
    file_.add("general.architecture", tiny_.architecture);
    number("block_count", kLayers);
    number("embedding_length", kDim);
    number("feed_forward_length", kHidden);
    number("context_length", 512);
    number("attention.head_count", kHeads);
    number("attention.head_count_kv", kKvHeads);
    number("attention.key_length", kHeadDim);
    number("attention.value_length", kHeadDim);
    file_.add(prefix_ + tiny_.epsilon, 1e-5F);
    if (tiny_.mlp >= MlpKind::mixture) {
      number("expert_count", kExperts);
      number("expert_used_count", 2);
      number("expert_feed_forward_length", kExpertHidden);
    }
    tiny_.keys(file_, prefix_);
  }

  void add_block(const std::string& block) {
    for (const std::string& name : tiny_.norms) norm(block + name, kDim);
    if (tiny_.q_norm > 0) norm(block + "attn_q_norm", tiny_.q_norm);
    if (tiny_.k_norm > 0) norm(block + "attn_k_norm", tiny_.k_norm);
    if (tiny_.projections == Projections::fused) {
      linear(block + "attn_qkv", (kHeads + 2 * kKvHeads) * kHeadDim, kDim);
    } else {
      linear(block + "attn_q", kHeads * kHeadDim, kDim);
      linear(block + "attn_k", kKvHeads * kHeadDim, kDim);
      linear(block + "attn_v", kKvHeads * kHeadDim, kDim);
    }
    linear(block + "attn_output", kDim, kHeads * kHeadDim);
    if (tiny_.mlp >= MlpKind::mixture) return add_experts(block);
    if (tiny_.mlp == MlpKind::gated) linear(block + "ffn_gate", kHidden, kDim);
    linear(block + "ffn_up", tiny_.mlp == MlpKind::fused ? 2 * kHidden : kHidden, kDim);
    linear(block + "ffn_down", kDim, kHidden);
  }

  void add_experts(const std::string& block) {
    linear(block + "ffn_gate_inp", kExperts, kDim);
    add(block + "ffn_gate_exps.weight", {kExperts, kExpertHidden, kDim}, 0.2F, 0.0F);
    add(block + "ffn_up_exps.weight", {kExperts, kExpertHidden, kDim}, 0.2F, 0.0F);
    add(block + "ffn_down_exps.weight", {kExperts, kDim, kExpertHidden}, 0.3F, 0.0F);
    if (tiny_.mlp == MlpKind::mixture) return;
    add(block + "ffn_gate_exps.bias", {kExperts, kExpertHidden}, 6.0F, 0.0F);  // past the clamp
    add(block + "ffn_up_exps.bias", {kExperts, kExpertHidden}, 6.0F, 0.0F);
    add(block + "ffn_down_exps.bias", {kExperts, kDim}, 0.5F, 0.0F);
    add(block + "attn_sinks.weight", {kHeads}, 2.0F, 0.0F);
  }

  void matrix(const std::string& name, int64_t rows, int64_t columns) {
    add(name, {rows, columns}, 1.5F / std::sqrt(static_cast<float>(columns)), 0.0F);
  }
  void linear(const std::string& name, int64_t rows, int64_t columns) {
    matrix(name + ".weight", rows, columns);
    const bool gated = tiny_.mlp == MlpKind::gated && name.find("ffn_") != std::string::npos;
    if (tiny_.projections == Projections::with_biases && !gated) add(name + ".bias", {rows}, 0.5F, 0.0F);
  }
  void norm(const std::string& name, int64_t size) {
    add(name + ".weight", {size}, 0.3F, 1.0F);
    if (tiny_.mlp == MlpKind::gelu) add(name + ".bias", {size}, 0.3F, 0.0F);
  }

  void add(const std::string& name, const std::vector<int64_t>& shape, float spread, float middle) {
    std::vector<float> values;
    int64_t n = 1;
    for (const int64_t size : shape) n *= size;
    for (int64_t i = 0; i < n; ++i) values.push_back(middle + spread * normal_(random_));
    file_.add_tensor(name, TensorType::f32, shape, values);
  }

  const Tiny& tiny_;
  std::string prefix_;
  GgufWriter file_;
  std::mt19937 random_{3};
  std::normal_distribution<float> normal_;
};

const std::vector<std::string> kPreNorms = {"attn_norm", "ffn_norm"};
const std::vector<std::string> kAllNorms = {"attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"};
constexpr const char* kLayerNorm = "attention.layer_norm_epsilon";

void add_window(GgufWriter& file, const std::string& prefix) { file.add(prefix + "attention.sliding_window", 20U); }

void add_granite(GgufWriter& file, const std::string& prefix) {
  for (const char* key : {"attention.scale", "embedding_scale", "residual_scale", "logit_scale"}) {
    file.add(prefix + key, 0.5F);
  }
}

void add_gemma2(GgufWriter& file, const std::string& prefix) {
  add_window(file, prefix);
  file.add(prefix + "attn_logit_softcapping", 8.0F);
  file.add(prefix + "final_logit_softcapping", 5.0F);
}

void add_longrope(GgufWriter& file, const std::string& prefix) {
  add_window(file, prefix);
  file.add(prefix + "rope.dimension_count", 8U);
  file.add(prefix + "rope.scaling.original_context_length", 64U);
  file.add(prefix + "rope.scaling.attn_factor", 1.2F);
  const std::vector<float> longer = {1.0F, 2.0F, 4.0F, 8.0F};
  const std::vector<float> shorter = {1.0F, 1.0F, 1.0F, 1.5F};
  file.add_tensor("rope_factors_long.weight", TensorType::f32, {4}, longer);
  file.add_tensor("rope_factors_short.weight", TensorType::f32, {4}, shorter);
}

void add_yarn(GgufWriter& file, const std::string& prefix) {
  file.add(prefix + "rope.scaling.type", "yarn");
  file.add(prefix + "rope.scaling.factor", 4.0F);
  file.add(prefix + "rope.scaling.original_context_length", 64U);
}

std::vector<Tiny> all() {
  const auto scale = [](GgufWriter& file, const std::string& prefix) { file.add(prefix + "logit_scale", 0.5F); };
  const auto half = [](GgufWriter& file, const std::string& prefix) { file.add(prefix + "rope.dimension_count", 6U); };
  return {{"llama", kPreNorms, 0, 0, Projections::split, MlpKind::gated, Tiny().epsilon, add_window},
          {"qwen2", kPreNorms, 0, 0, Projections::with_biases, MlpKind::gated, Tiny().epsilon, add_yarn},
          {"qwen3", kPreNorms, kHeadDim, kHeadDim},
          {"qwen3moe", kPreNorms, kHeadDim, kHeadDim, Projections::split, MlpKind::mixture},
          {"gpt-oss",
           {"attn_norm", "post_attention_norm"},
           0,
           0,
           Projections::with_biases,
           MlpKind::mixture_with_biases,
           Tiny().epsilon,
           add_window},
          {"phi2", {"attn_norm"}, 0, 0, Projections::with_biases, MlpKind::gelu, kLayerNorm, half},
          {"phi3", kPreNorms, 0, 0, Projections::fused, MlpKind::fused, Tiny().epsilon, add_longrope},
          {"gemma2", kAllNorms, 0, 0, Projections::split, MlpKind::gated, Tiny().epsilon, add_gemma2},
          {"gemma3", kAllNorms, kHeadDim, kHeadDim, Projections::split, MlpKind::gated, Tiny().epsilon, add_window},
          {"olmo2", {"post_attention_norm", "post_ffw_norm"}, kHeads * kHeadDim, kKvHeads * kHeadDim},
          {"smollm3", kPreNorms},
          {"granite", kPreNorms, 0, 0, Projections::split, MlpKind::gated, Tiny().epsilon, add_granite},
          {"command-r", {"attn_norm"}, 0, 0, Projections::split, MlpKind::gated, kLayerNorm, scale}};
}

}  // namespace

TEST_CASE(
    "every architecture computes the same on the CPU and MLX backends, and the same bits however the prompt is cut") {
  for (const Tiny& tiny : all()) {
    CAPTURE(tiny.architecture);
    const auto weights = TinyFile(tiny).open();
    const auto tokens = random_tokens(kLength, static_cast<int>(kVocab));
    const auto whole = ForwardPass(weights, KernelBackend::float32).prefill(tokens);
    for (const float logit : whole) REQUIRE(std::isfinite(logit));
    CHECK(ForwardPass(weights, KernelBackend::float32).prefill(tokens, 7) == whole);
    CHECK(ForwardPass(weights, KernelBackend::float32, 1).prefill(tokens, 1) == whole);
    const std::vector<double> expected(whole.begin(), whole.end());
    CHECK(relative_l2(ForwardPass(weights, KernelBackend::mlx).prefill(tokens), expected) < 1e-4);
    CHECK(relative_l2(ForwardPass(weights, KernelBackend::mlx).prefill(tokens, 40), expected) < 1e-4);
  }
}

TEST_CASE("every architecture computes the same on an NVIDIA GPU, but those with experts") {
  if (const std::string obstacle = cuda::cuda_obstacle(); !obstacle.empty()) {
    MESSAGE("skipped: " << obstacle);
    return;
  }
  for (const Tiny& tiny : all()) {
    CAPTURE(tiny.architecture);
    const auto weights = TinyFile(tiny).open();
    if (tiny.mlp == MlpKind::mixture || tiny.mlp == MlpKind::mixture_with_biases) {
      expect_error(ErrorCode::unsupported, {"[cuda]", "experts"}, [&] { ForwardPass(weights, KernelBackend::cuda); });
      continue;
    }
    const auto tokens = random_tokens(kLength, static_cast<int>(kVocab));
    const auto whole = ForwardPass(weights, KernelBackend::float32).prefill(tokens);
    const std::vector<double> expected(whole.begin(), whole.end());
    // These weights are float32 and become float16, and random ones make more of roundings than a model's own do.
    constexpr double kMost = 1e-2;
    for (const size_t chunk : {size_t{1} << 20, size_t{40}, size_t{1}}) {
      CAPTURE(chunk);
      CHECK(relative_l2(ForwardPass(weights, KernelBackend::cuda).prefill(tokens, chunk), expected) < kMost);
      CHECK(relative_l2(ForwardPass(weights, KernelBackend::cuda, 1, KvDtype::f16).prefill(tokens, chunk), expected) <
            kMost);
    }
  }
}

TEST_CASE("sequences of either of LongRoPE's lists stand in one step and get the same bits as alone") {
  const std::vector<Tiny> tinies = all();
  const auto phi3 =
      std::find_if(tinies.begin(), tinies.end(), [](const Tiny& t) { return t.architecture == std::string("phi3"); });
  const auto weights = TinyFile(*phi3).open();
  const auto tokens = random_tokens(100, static_cast<int>(kVocab));
  for (const KernelBackend kernels : {KernelBackend::float32, KernelBackend::mlx}) {
    ForwardPass pass(weights, kernels);
    const auto alone = [&](bool long_rope) { return pass.step({{pass.cache().create(), tokens, long_rope}}); };
    const auto shorter = alone(false);
    const auto longer = alone(true);
    CHECK(relative_l2(shorter, {longer.begin(), longer.end()}) > 0.01);
    auto both = shorter;
    both.insert(both.end(), longer.begin(), longer.end());
    const auto found = pass.step({{pass.cache().create(), tokens, false}, {pass.cache().create(), tokens, true}});
    if (kernels == KernelBackend::float32) CHECK(found == both);
    CHECK(relative_l2(found, {both.begin(), both.end()}) < 1e-5);
  }
}

TEST_CASE("layers with a window keep no more than it, and compute the same bits as if they kept all") {
  for (const Tiny& tiny : all()) {
    const std::string name = tiny.architecture;
    if (name != "llama" && name != "gemma3") continue;  // a window in all layers, and in some
    CAPTURE(name);
    const auto weights = TinyFile(tiny).open();
    const auto tokens = random_tokens(1800, static_cast<int>(kVocab));  // 90 windows
    for (const KernelBackend kernels : {KernelBackend::float32, KernelBackend::mlx}) {
      ForwardPass all(weights, kernels, 2, KvDtype::f32, true);
      ForwardPass bounded(weights, kernels);
      const int64_t whole = all.cache().bytes_for(1800, 60);
      const int64_t enough = bounded.cache().bytes_for(1800, 60);
      if (name == "llama") CHECK(enough == bounded.cache().bytes_for(900, 60));
      CHECK(enough < (name == "llama" ? whole / 2 : whole * 3 / 4));
      bounded.cache().set_max_bytes(enough);
      const auto expected = all.prefill(tokens, 60);
      const auto sequence = bounded.cache().create();
      CHECK(bounded.prefill(sequence, tokens, 60) == expected);

      // What can be taken back is, and what can't is computed again.
      CHECK(bounded.cache().trim(sequence, 1700) == 1700);
      const std::vector<float> tail(expected.end() - 100 * kVocab, expected.end());
      const auto again = bounded.prefill(sequence, {tokens.begin() + 1700, tokens.end()}, 60);
      if (kernels == KernelBackend::float32) CHECK(again == tail);
      CHECK(relative_l2(again, {tail.begin(), tail.end()}) < 1e-5);
      CHECK(bounded.cache().trim(sequence, 900) == 0);
    }
  }
}

TEST_CASE("an architecture that is not known is refused with the names of those that are") {
  Metadata metadata("strange.gguf");
  metadata.add("general.architecture", std::string("strange"));
  expect_error(ErrorCode::unsupported, {"'strange'", "gemma2", "llama", "qwen3", "strange.gguf"},
               [&] { check_architecture(metadata); });
}

// None of their files is called by anyone, so a linker may well leave them out.
TEST_CASE("every family is in the program, and its folders are of a known architecture") {
  for (const char* model_type :
       {"cohere", "gemma2", "gemma3", "gemma3_text", "gpt_oss", "granite", "llama", "mistral", "mixtral", "olmo2",
        "olmo3", "phi", "phi3", "qwen2", "qwen3", "qwen3_moe", "smollm3"}) {
    CAPTURE(model_type);
    CHECK(find_hf_family(model_type) != nullptr);
  }
  for (const auto& [model_type, family] : hf_families().entries()) {
    CAPTURE(model_type);
    CHECK(architectures().find(family.architecture) != nullptr);
    CHECK_FALSE(family.modules.empty());
  }
}
