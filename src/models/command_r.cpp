#include "layers/parallel_block.h"
#include "models/architectures.h"
#include "models/decoder.h"
#include "models/model_config.h"

namespace emelex {

// Command R (Cohere, 2024): a LayerNorm without a bias before attention and MLP, which are computed side by side; the
// logits are scaled.
std::unique_ptr<Model> make_command_r(const ModelInput& source) {
  const ModelConfig config = read_model_config(source, RopePairs::neighbours);
  const auto attention = std::make_shared<const AttentionConfig>(config.attention);
  DecoderScales scales;
  scales.logits = static_cast<float>(ConfigKeys(source.weights->metadata()).require_positive("logit_scale"));
  const Parts parts(source, config, "attention.layer_norm_epsilon");
  return make_decoder(parts, scales, [&](const Parts& layer, int i) -> std::unique_ptr<Block> {
    return std::make_unique<ParallelBlock>(layer.norm("attn_norm"), Attention(layer.attention(), attention, i),
                                           layer.gated_mlp(Activation::silu));
  });
}

}  // namespace emelex
