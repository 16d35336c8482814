#include "layers/parallel_block.h"
#include "models/family.h"

// Command R (Cohere, 2024): a LayerNorm without a bias before attention and MLP, which are computed side by side; the
// logits are scaled.
namespace emelex {
namespace {

void read_cohere_keys(const ConfigObject& root, HfKeys& keys) {
  root.refuse_true("use_qk_norm");
  keys.add("logit_scale", root.positive("logit_scale").value_or(0.0625));
}

std::unique_ptr<Model> make_command_r(const ModelInput& source) {
  const ModelConfig config = read_model_config(source);
  const auto attention = std::make_shared<const AttentionConfig>(config.attention);
  DecoderScales scales;
  scales.logits = static_cast<float>(ConfigKeys(*source.weights).require_positive("logit_scale"));
  const LayerBuilder builder(source, config, "attention.layer_norm_epsilon");
  return make_decoder(builder, scales, [&](const LayerBuilder& layer, int i) -> std::unique_ptr<Block> {
    return std::make_unique<ParallelBlock>(layer.norm("attn_norm"), Attention(layer.attention(), attention, i),
                                           layer.gated_mlp(Activation::silu));
  });
}

const RegisterArchitecture command_r({.name = "command-r",
                                      .rope_pairs = RopePairs::interleaved,
                                      .biases = {.allowed = kAttentionBiases},
                                      .partial_rope = true,
                                      .make = make_command_r});

const RegisterHfFamily cohere({.model_type = "cohere",
                               .architecture = "command-r",
                               .modules = llama_modules(),
                               .read_more = read_cohere_keys,
                               .norm = HfNorm::layer,
                               .context_length = 8192,
                               .norm_eps = 1e-5,
                               .rope_base = 500'000.0,
                               .tied = true,
                               .rope_pairs = RopePairs::interleaved});

}  // namespace
}  // namespace emelex
