#include "models/architectures.h"
#include "models/decoder.h"
#include "models/llama_block.h"
#include "models/model_config.h"

namespace emelex {

// Phi 3 and 3.5 (Abdin et al., arXiv:2404.14219), Phi 4 (arXiv:2412.08905) and Phi-4-mini (arXiv:2503.01743): a Llama
// with queries, keys and values in one matrix, gate and up in another, and LongRoPE, which may turn a part of a head
// only.
std::unique_ptr<Model> make_phi3(const ModelInput& source) {
  ModelConfig config = read_model_config(source, RopePairs::halves);
  config.attention.window = read_window(ConfigKeys(source.weights->metadata()));
  const auto attention = std::make_shared<const AttentionConfig>(config.attention);
  const Parts parts(source, config, "attention.layer_norm_rms_epsilon");
  return make_decoder(
      parts, {}, [&](const Parts& layer, int i) { return make_llama_block(layer, layer.attention(), attention, i); });
}

}  // namespace emelex
