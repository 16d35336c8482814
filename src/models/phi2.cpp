#include "layers/parallel_block.h"
#include "models/family.h"

// Phi 1, 1.5 and 2 (Gunasekar et al., arXiv:2306.11644; Li et al., arXiv:2309.05463): one LayerNorm before attention
// and MLP, which are computed side by side, biases everywhere, RoPE on a part of each head, an MLP of GELU.
namespace emelex {
namespace {

std::vector<HfModule> phi_modules() {
  return {
      {"model.embed_tokens", "token_embd"},
      {"model.final_layernorm", "output_norm"},
      {"lm_head", "output"},
      {"model.layers.{}.input_layernorm", "blk.{}.attn_norm"},
      {"model.layers.{}.self_attn.q_proj", "blk.{}.attn_q"},
      {"model.layers.{}.self_attn.k_proj", "blk.{}.attn_k"},
      {"model.layers.{}.self_attn.v_proj", "blk.{}.attn_v"},
      {"model.layers.{}.self_attn.dense", "blk.{}.attn_output"},
      {"model.layers.{}.mlp.fc1", "blk.{}.ffn_up"},
      {"model.layers.{}.mlp.fc2", "blk.{}.ffn_down"},
  };
}

void read_phi_keys(const ConfigObject& root, HfKeys&) { root.refuse_true("qk_layernorm"); }

std::unique_ptr<Model> make_phi2(const ModelInput& source) {
  const ModelConfig config = read_model_config(source);
  const auto attention = std::make_shared<const AttentionConfig>(config.attention);
  const LayerBuilder builder(source, config, "attention.layer_norm_epsilon");
  return make_decoder(builder, {}, [&](const LayerBuilder& layer, int i) -> std::unique_ptr<Block> {
    return std::make_unique<ParallelBlock>(layer.norm("attn_norm"), Attention(layer.attention(), attention, i),
                                           layer.gelu_mlp());
  });
}

const RegisterArchitecture phi2({.name = "phi2",
                                 .rope_pairs = RopePairs::halves,
                                 .biases = {.allowed = "attn_q attn_k attn_v attn_qkv",
                                            .required = "attn_norm output_norm attn_output ffn_up ffn_down output"},
                                 .needs_output = true,
                                 .partial_rope = true,
                                 .make = make_phi2});

const RegisterHfFamily phi(
    {.model_type = "phi",
     .architecture = "phi2",
     .modules = phi_modules(),
     .biases = {.always = "attn_q attn_k attn_v attn_output attn_norm output_norm ffn_up ffn_down output"},
     .read_more = read_phi_keys,
     .activation = "gelu_new",
     .norm = HfNorm::layer,
     .norm_eps = 1e-5,
     .rotated = 0.5,
     .partial_rope = true});

}  // namespace
}  // namespace emelex
