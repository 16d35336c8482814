#include "layers/pre_norm_block.h"
#include "models/architectures.h"
#include "models/decoder.h"
#include "models/model_config.h"

namespace emelex {

// gpt-oss (OpenAI, arXiv:2508.10925): a mixture of experts in every layer, biases everywhere, an attention sink for
// each head, a window in every other layer.
std::unique_ptr<Model> make_gpt_oss(const ModelInput& source) {
  const ModelConfig config = read_model_config(source, RopePairs::halves, Mixtures::some);
  const WindowedAttention attention = read_windowed_attention(source, config, 2);
  const Parts parts(source, config, "attention.layer_norm_rms_epsilon");
  return make_decoder(parts, {}, [&](const Parts& layer, int i) -> std::unique_ptr<Block> {
    return std::make_unique<PreNormBlock>(layer.norm("attn_norm"), Attention(layer.attention(), attention.layer(i), i),
                                          layer.norm("post_attention_norm"),
                                          layer.mixture(true, Activation::clamped_silu));
  });
}

}  // namespace emelex
