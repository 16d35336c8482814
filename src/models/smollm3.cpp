#include "models/architectures.h"
#include "models/decoder.h"
#include "models/llama_block.h"
#include "models/model_config.h"

namespace emelex {

// SmolLM 3 (Hugging Face, 2025): a Llama of which every fourth layer has no rotary embedding (Yang et al.,
// arXiv:2501.18795).
std::unique_ptr<Model> make_smollm3(const ModelInput& source) {
  const ConfigKeys keys(source.weights->metadata());
  const ModelConfig config = read_model_config(source, RopePairs::neighbours);
  const std::vector<bool> turned = keys.layers("attention.rope_pattern", config.n_layers, 4);
  ModelConfig unturned = config;
  unturned.attention.rope = {};
  const WindowedAttention with_rope = read_windowed_attention(source, config, 0);
  const WindowedAttention without_rope = read_windowed_attention(source, unturned, 0);
  const Parts parts(source, config, "attention.layer_norm_rms_epsilon");
  return make_decoder(parts, {}, [&](const Parts& layer, int i) {
    const auto& attention = turned[static_cast<size_t>(i)] ? with_rope : without_rope;
    return make_llama_block(layer, layer.attention(), attention.layer(i), i);
  });
}

}  // namespace emelex
