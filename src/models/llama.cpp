#include "models/architectures.h"
#include "models/decoder.h"
#include "models/llama_block.h"
#include "models/model_config.h"

namespace emelex {

// Llama (Touvron et al., arXiv:2302.13971; arXiv:2407.21783): RMSNorm before each half of a block, grouped-query
// attention with rotary embeddings, a SwiGLU MLP. Mistral (Jiang et al., arXiv:2310.06825) is one whose tokens see a
// window of those before them, and Mixtral (Jiang et al., arXiv:2401.04088) has mixtures of experts for MLPs.
std::unique_ptr<Model> make_llama(const ModelInput& source) {
  ModelConfig config = read_model_config(source, RopePairs::neighbours, Mixtures::some);
  config.attention.window = read_window(ConfigKeys(source.weights->metadata()));
  const auto attention = std::make_shared<const AttentionConfig>(config.attention);
  const Parts parts(source, config, "attention.layer_norm_rms_epsilon");
  return make_decoder(
      parts, {}, [&](const Parts& layer, int i) { return make_llama_block(layer, layer.attention(), attention, i); });
}

}  // namespace emelex
