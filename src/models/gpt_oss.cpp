#include "base/strings.h"
#include "emelex/error.h"
#include "layers/pre_norm_block.h"
#include "models/family.h"

// gpt-oss (OpenAI, arXiv:2508.10925): a mixture of experts in every layer, biases everywhere, an attention sink for
// each head, a window in every other layer.
namespace emelex {
namespace {

std::vector<HfModule> gpt_oss_modules() {
  return attention_modules({
      {"model.layers.{}.self_attn.sinks", "blk.{}.attn_sinks.weight"},
      {"model.layers.{}.post_attention_layernorm", "blk.{}.post_attention_norm"},
      {"model.layers.{}.mlp.router", "blk.{}.ffn_gate_inp"},
      // as mlx-lm writes them, and first: of several names for a tensor hf_tensor_name() takes the first
      {"model.layers.{}.mlp.experts.gate_proj", "blk.{}.ffn_gate_exps"},
      {"model.layers.{}.mlp.experts.up_proj", "blk.{}.ffn_up_exps"},
      {"model.layers.{}.mlp.experts.down_proj", "blk.{}.ffn_down_exps"},
      // as transformers does
      {"model.layers.{}.mlp.experts.gate_up_proj", "blk.{}.ffn_gate_up_pairs.weight", true},
      {"model.layers.{}.mlp.experts.gate_up_proj_bias", "blk.{}.ffn_gate_up_pairs.bias"},
      {"model.layers.{}.mlp.experts.down_proj", "blk.{}.ffn_down_exps.weight", true},
      {"model.layers.{}.mlp.experts.down_proj_bias", "blk.{}.ffn_down_exps.bias"},
  });
}

// What transformers takes where config.json has no object of RoPE's.
constexpr std::string_view kRope =
    R"({"rope_type": "yarn", "factor": 32.0, "beta_fast": 32.0, "beta_slow": 1.0, "truncate": false,
        "original_max_position_embeddings": 4096})";

void read_gpt_oss_keys(const ConfigObject& root, HfKeys& keys) {
  for (const auto& [key, only] : {std::pair{"swiglu_limit", 7.0}, {"swiglu_alpha", 1.702}}) {
    const double value = root.positive(key).value_or(only);
    if (value != only) root.fail(ErrorCode::unsupported, key, str_cat(only), str_cat(value));
  }
  add_experts(keys, root, 128, 4);
  keys.add("expert_feed_forward_length", root.require_integer("intermediate_size", 1));
  add_window(root, keys, window_size(root, 128), sliding_layers(root, [](int64_t i) { return i % 2 == 0; }));
}

// What llama.cpp requires, and would be computed otherwise where a GGUF file lost it. A folder's configuration says it.
void check_keys(const Weights& weights) {
  if (weights.facts().from_config) return;
  for (const std::string_view key : {"gpt-oss.attention.sliding_window", "gpt-oss.expert_feed_forward_length"}) {
    if (weights.metadata().contains(key)) continue;
    throw Error(ErrorCode::corrupt_file,
                str_cat("[gpt-oss] expected the key ", quote_bytes(key), ", got none in ", path_text(weights.path())));
  }
}

std::unique_ptr<Model> make_gpt_oss(const ModelInput& source) {
  check_keys(*source.weights);
  const ModelConfig config = read_model_config(source, Mixtures::some);
  const SlidingWindowAttention attention = read_sliding_window_attention(source, config, {.period = 2});
  const LayerBuilder builder(source, config, "attention.layer_norm_rms_epsilon");
  return make_decoder(builder, {}, [&](const LayerBuilder& layer, int i) -> std::unique_ptr<Block> {
    return std::make_unique<PreNormBlock>(Attention(layer.attention_with_sinks("attn_norm"), attention.layer(i), i),
                                          layer.mixture(true, Activation::clamped_silu, "post_attention_norm"));
  });
}

const RegisterArchitecture gpt_oss(
    {.name = "gpt-oss",
     .rope_pairs = RopePairs::halves,
     .biases = {.allowed = kAttentionBiases,
                .required = "attn_output ffn_gate_inp ffn_gate_exps ffn_up_exps ffn_down_exps ffn_gate_up_pairs"},
     .needs_output = true,
     .make = make_gpt_oss});

const RegisterHfFamily gpt_oss_folders(
    {.model_type = "gpt_oss",
     .architecture = "gpt-oss",
     .modules = gpt_oss_modules(),
     .biases = {.always = "ffn_gate_inp ffn_gate_exps ffn_up_exps ffn_down_exps ffn_gate_up_pairs",
                .attention_bias = true},
     .read_more = read_gpt_oss_keys,
     .context_length = 131'072,
     .n_kv_heads = 8,
     .null_kv_heads = false,
     .head_dim = 64,
     .norm_eps = 1e-5,
     .rope_base = 150'000.0,
     .rope_parameters = kRope});

}  // namespace
}  // namespace emelex
