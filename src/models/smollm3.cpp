#include "models/family.h"
#include "models/llama_block.h"

// SmolLM 3 (Hugging Face, 2025): a Llama of which every fourth layer has no rotary embedding (Yang et al.,
// arXiv:2501.18795).
namespace emelex {
namespace {

// Which layers have rotary embedding, for which llama.cpp has the key.
void read_smollm3_keys(const ConfigObject& root, HfKeys& keys) {
  const int64_t n = layer_count(root);
  const int64_t interval = root.integer("no_rope_layer_interval", 1).value_or(4);
  std::vector<bool> turned;
  for (int64_t i = 0; i < n; ++i) turned.push_back((i + 1) % interval != 0);
  turned = root.layer_flags("no_rope_layers", n).value_or(turned);
  keys.add("attention.rope_pattern", turned);
  if (!root.boolean("use_sliding_window").value_or(false)) return;
  add_window(root, keys, window_size(root, std::nullopt),
             sliding_layers(root, [&](int64_t i) { return !turned[static_cast<size_t>(i)]; }));
}

std::unique_ptr<Model> make_smollm3(const ModelInput& source) {
  const ConfigKeys keys(*source.weights);
  const ModelConfig config = read_model_config(source);
  const std::vector<bool> turned = keys.layers("attention.rope_pattern", config.n_layers, 4);
  ModelConfig unturned = config;
  unturned.attention.rope = {};
  const SlidingWindowAttention with_rope = read_sliding_window_attention(source, config);
  const SlidingWindowAttention without_rope = read_sliding_window_attention(source, unturned);
  const LayerBuilder builder(source, config, "attention.layer_norm_rms_epsilon");
  return make_decoder(builder, {}, [&](const LayerBuilder& layer, int i) {
    const auto& attention = turned[static_cast<size_t>(i)] ? with_rope : without_rope;
    return make_llama_block(layer, layer.attention("attn_norm"), attention.layer(i), i);
  });
}

const RegisterArchitecture smollm3({.name = "smollm3",
                                    .rope_pairs = RopePairs::interleaved,
                                    .biases = {.allowed = kBlockBiases},
                                    .make = make_smollm3});

const RegisterHfFamily smollm3_folders({.model_type = "smollm3",
                                        .architecture = "smollm3",
                                        .modules = llama_modules(),
                                        .biases = {.attention_bias = false, .mlp_bias = false},
                                        .read_more = read_smollm3_keys,
                                        .context_length = 32'768,
                                        .n_kv_heads = 4,
                                        .rope_base = 2'000'000.0,
                                        .tied = true});

}  // namespace
}  // namespace emelex
