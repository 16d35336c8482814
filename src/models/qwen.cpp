#include <optional>

#include "models/architectures.h"
#include "models/decoder.h"
#include "models/llama_block.h"
#include "models/model_config.h"

namespace emelex {
namespace {

constexpr const char* kNormalizedKey = "qwen3moe.expert_weights_norm";

std::unique_ptr<Model> make_qwen(const ModelInput& source, std::optional<Parts::QkNorm> qk_norm,
                                 Mixtures mixtures = Mixtures::none) {
  const ModelConfig config = read_model_config(source, RopePairs::halves, mixtures);
  const bool normalized = source.weights->metadata().boolean(kNormalizedKey).value_or(true);
  const WindowedAttention attention = read_windowed_attention(source, config, 0);
  const Parts parts(source, config, "attention.layer_norm_rms_epsilon");
  return make_decoder(parts, {}, [&](const Parts& layer, int i) {
    return make_llama_block(layer, qk_norm ? layer.attention(*qk_norm) : layer.attention(), attention.layer(i), i,
                            normalized);
  });
}

}  // namespace

// Qwen 2 and 2.5 (arXiv:2407.10671, arXiv:2412.15115): a Llama with biases of queries, keys and values.
std::unique_ptr<Model> make_qwen2(const ModelInput& source) { return make_qwen(source, std::nullopt); }

// Qwen 3 (arXiv:2505.09388): without the biases, and with an RMSNorm of each head's query and key.
std::unique_ptr<Model> make_qwen3(const ModelInput& source) { return make_qwen(source, Parts::QkNorm::of_heads); }

// Qwen 3 with mixtures of experts for MLPs, in all layers or in some.
std::unique_ptr<Model> make_qwen3moe(const ModelInput& source) {
  return make_qwen(source, Parts::QkNorm::of_heads, Mixtures::some);
}

}  // namespace emelex
