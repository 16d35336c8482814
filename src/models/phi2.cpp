#include "layers/parallel_block.h"
#include "models/architectures.h"
#include "models/decoder.h"
#include "models/model_config.h"

namespace emelex {

// Phi 1, 1.5 and 2 (Gunasekar et al., arXiv:2306.11644; Li et al., arXiv:2309.05463): one LayerNorm before attention
// and MLP, which are computed side by side, biases everywhere, RoPE on a part of each head, an MLP of GELU.
std::unique_ptr<Model> make_phi2(const ModelInput& source) {
  const ModelConfig config = read_model_config(source, RopePairs::halves);
  const auto attention = std::make_shared<const AttentionConfig>(config.attention);
  const Parts parts(source, config, "attention.layer_norm_epsilon");
  return make_decoder(parts, {}, [&](const Parts& layer, int i) -> std::unique_ptr<Block> {
    return std::make_unique<ParallelBlock>(layer.norm("attn_norm"), Attention(layer.attention(), attention, i),
                                           layer.gelu_mlp());
  });
}

}  // namespace emelex
