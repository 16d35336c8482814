#include "models/family.h"
#include "models/llama_block.h"

// Llama (Touvron et al., arXiv:2302.13971; arXiv:2407.21783): RMSNorm before each half of a block, grouped-query
// attention with rotary embeddings, a SwiGLU MLP. GGUF files call Mistral and Mixtral by its name, too, so a file of it
// may have a window (mistral.cpp), and mixtures of experts for MLPs (mixtral.cpp).
namespace emelex {
namespace {

std::unique_ptr<Model> make_llama(const ModelInput& source) {
  ModelConfig config = read_model_config(source, Mixtures::some);
  config.attention.window = read_window(ConfigKeys(*source.weights));
  const auto attention = std::make_shared<const AttentionConfig>(config.attention);
  const LayerBuilder builder(source, config, "attention.layer_norm_rms_epsilon");
  return make_decoder(builder, {}, [&](const LayerBuilder& layer, int i) {
    return make_llama_block(layer, layer.attention("attn_norm"), attention, i);
  });
}

const RegisterArchitecture llama({.name = "llama",
                                  .rope_pairs = RopePairs::interleaved,
                                  .biases = {.allowed = kBlockBiases},
                                  .rope_tensors = RopeTensors::any,
                                  .make = make_llama});

const RegisterHfFamily llama_folders({.model_type = "llama",
                                      .architecture = "llama",
                                      .modules = llama_modules(),
                                      .biases = {.attention_bias = false, .mlp_bias = false}});

}  // namespace
}  // namespace emelex
