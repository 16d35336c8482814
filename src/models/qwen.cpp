#include "models/family.h"
#include "models/llama_block.h"

// Qwen 2 and 2.5 (arXiv:2407.10671, arXiv:2412.15115): a Llama with biases of queries, keys and values. Qwen 3
// (arXiv:2505.09388): without the biases, and with an RMSNorm of each head's query and key; it may have mixtures of
// experts for MLPs, in all layers or in some.
namespace emelex {
namespace {

constexpr HfModule kQueryNorm = {"model.layers.{}.self_attn.q_norm", "blk.{}.attn_q_norm"};
constexpr HfModule kKeyNorm = {"model.layers.{}.self_attn.k_norm", "blk.{}.attn_k_norm"};

std::vector<HfModule> qwen3_moe_modules() {
  return llama_modules({
      kQueryNorm,
      kKeyNorm,
      {"model.layers.{}.mlp.gate", "blk.{}.ffn_gate_inp"},
      {"model.layers.{}.mlp.experts.{}.gate_proj", "blk.{}.ffn_gate.{}"},
      {"model.layers.{}.mlp.experts.{}.up_proj", "blk.{}.ffn_up.{}"},
      {"model.layers.{}.mlp.experts.{}.down_proj", "blk.{}.ffn_down.{}"},
      // as mlx-lm writes them
      {"model.layers.{}.mlp.switch_mlp.gate_proj", "blk.{}.ffn_gate_exps"},
      {"model.layers.{}.mlp.switch_mlp.up_proj", "blk.{}.ffn_up_exps"},
      {"model.layers.{}.mlp.switch_mlp.down_proj", "blk.{}.ffn_down_exps"},
      // as transformers holds them, which it may write as well
      {"model.layers.{}.mlp.experts.gate_up_proj", "blk.{}.ffn_gate_up_exps.weight"},
      {"model.layers.{}.mlp.experts.down_proj", "blk.{}.ffn_down_exps.weight"},
  });
}

void read_qwen_keys(const ConfigObject& root, HfKeys& keys) {
  if (!root.boolean("use_sliding_window").value_or(false)) {
    add_window(root, keys, std::nullopt, sliding_layers(root, [](int64_t) { return false; }));
    return;
  }
  const int64_t first = root.integer("max_window_layers", 0).value_or(28);
  add_window(root, keys, window_size(root, 4096), sliding_layers(root, [first](int64_t i) { return i >= first; }));
}

void read_qwen3_moe_keys(const ConfigObject& root, HfKeys& keys) {
  const auto window = window_size(root, 4096);
  if (root.boolean("use_sliding_window").value_or(false) && window) {
    add_window(root, keys, window, std::vector<bool>(static_cast<size_t>(layer_count(root)), true));
  }
  add_experts(keys, root, 128, 8);
  keys.add("expert_feed_forward_length", root.integer("moe_intermediate_size", 1).value_or(768));
  keys.add("expert_weights_norm", root.boolean("norm_topk_prob").value_or(false));
}

std::unique_ptr<Model> make_qwen2(const ModelInput& source) {
  const ModelConfig config = read_model_config(source);
  const SlidingWindowAttention attention = read_sliding_window_attention(source, config);
  const LayerBuilder builder(source, config, "attention.layer_norm_rms_epsilon");
  return make_decoder(builder, {}, [&](const LayerBuilder& layer, int i) {
    return make_llama_block(layer, layer.attention("attn_norm"), attention.layer(i), i);
  });
}

std::unique_ptr<Model> make_qwen3_of(const ModelInput& source, Mixtures mixtures, bool normalized) {
  const ModelConfig config = read_model_config(source, mixtures);
  const SlidingWindowAttention attention = read_sliding_window_attention(source, config);
  const LayerBuilder builder(source, config, "attention.layer_norm_rms_epsilon");
  return make_decoder(builder, {}, [&](const LayerBuilder& layer, int i) {
    return make_llama_block(layer, layer.attention(LayerBuilder::QkNorm::of_heads, "attn_norm"), attention.layer(i), i,
                            normalized);
  });
}

std::unique_ptr<Model> make_qwen3(const ModelInput& source) { return make_qwen3_of(source, Mixtures::none, true); }

std::unique_ptr<Model> make_qwen3_moe(const ModelInput& source) {
  const bool normalized = ConfigKeys(*source.weights).boolean("expert_weights_norm", true);
  return make_qwen3_of(source, Mixtures::some, normalized);
}

const RegisterArchitecture qwen2({.name = "qwen2",
                                  .rope_pairs = RopePairs::halves,
                                  .biases = {.allowed = "attn_q attn_k attn_v attn_qkv attn_output output"},
                                  .make = make_qwen2});
const RegisterArchitecture qwen3(
    {.name = "qwen3", .rope_pairs = RopePairs::halves, .biases = {.allowed = kAttentionBiases}, .make = make_qwen3});
const RegisterArchitecture qwen3_moe({.name = "qwen3moe",
                                      .rope_pairs = RopePairs::halves,
                                      .biases = {.allowed = kAttentionBiases},
                                      .make = make_qwen3_moe});

const RegisterHfFamily qwen2_folders({.model_type = "qwen2",
                                      .architecture = "qwen2",
                                      .modules = llama_modules(),
                                      .biases = {.always = "attn_q attn_k attn_v"},
                                      .read_more = read_qwen_keys,
                                      .context_length = 32'768,
                                      .n_kv_heads = 32});

const RegisterHfFamily qwen3_folders({.model_type = "qwen3",
                                      .architecture = "qwen3",
                                      .modules = llama_modules({kQueryNorm, kKeyNorm}),
                                      .read_more = read_qwen_keys,
                                      .context_length = 32'768,
                                      .n_kv_heads = 32,
                                      .head_dim = 128});

const RegisterHfFamily qwen3_moe_folders({.model_type = "qwen3_moe",
                                          .architecture = "qwen3moe",
                                          .modules = qwen3_moe_modules(),
                                          .read_more = read_qwen3_moe_keys,
                                          .context_length = 32'768,
                                          .n_kv_heads = 4,
                                          .null_kv_heads = false,
                                          .expert_layers = true});

}  // namespace
}  // namespace emelex
