#include "models/family.h"
#include "models/llama_block.h"

// Phi 3 and 3.5 (Abdin et al., arXiv:2404.14219), Phi 4 (arXiv:2412.08905) and Phi-4-mini (arXiv:2503.01743): a Llama
// with queries, keys and values in one matrix, gate and up in another, and LongRoPE, which may turn a part of a head
// only.
namespace emelex {
namespace {

std::vector<HfModule> phi3_modules() {
  return {
      {"model.embed_tokens", "token_embd"},
      {"model.norm", "output_norm"},
      {"lm_head", "output"},
      {"model.layers.{}.input_layernorm", "blk.{}.attn_norm"},
      {"model.layers.{}.self_attn.qkv_proj", "blk.{}.attn_qkv"},
      {"model.layers.{}.self_attn.o_proj", "blk.{}.attn_output"},
      {"model.layers.{}.post_attention_layernorm", "blk.{}.ffn_norm"},
      {"model.layers.{}.mlp.gate_up_proj", "blk.{}.ffn_up"},  // gate, then up
      {"model.layers.{}.mlp.down_proj", "blk.{}.ffn_down"},
  };
}

void read_phi3_keys(const ConfigObject& root, HfKeys& keys) { add_window(keys, window_size(root, std::nullopt)); }

std::unique_ptr<Model> make_phi3(const ModelInput& source) {
  ModelConfig config = read_model_config(source);
  config.attention.window = read_window(ConfigKeys(*source.weights));
  const auto attention = std::make_shared<const AttentionConfig>(config.attention);
  const LayerBuilder builder(source, config, "attention.layer_norm_rms_epsilon");
  return make_decoder(builder, {}, [&](const LayerBuilder& layer, int i) {
    return make_llama_block(layer, layer.attention("attn_norm"), attention, i);
  });
}

const RegisterArchitecture phi3({.name = "phi3",
                                 .rope_pairs = RopePairs::halves,
                                 .biases = {.allowed = kAttentionBiases},
                                 .partial_rope = true,
                                 .rope_tensors = RopeTensors::factors,
                                 .make = make_phi3});

const RegisterHfFamily phi3_folders({.model_type = "phi3",
                                     .architecture = "phi3",
                                     .modules = phi3_modules(),
                                     .biases = {},
                                     .read_more = read_phi3_keys,
                                     .context_length = 4096,
                                     .norm_eps = 1e-5,
                                     .rope_form = HfRopeForm::phi3,
                                     .partial_rope = true});

}  // namespace
}  // namespace emelex
