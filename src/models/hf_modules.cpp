#include "models/hf_modules.h"

namespace emelex {
namespace {

std::vector<HfModule> joined(std::vector<HfModule> modules, std::initializer_list<HfModule> more) {
  modules.insert(modules.end(), more.begin(), more.end());
  return modules;
}

}  // namespace

std::vector<HfModule> attention_modules(std::initializer_list<HfModule> more) {
  return joined(
      {
          {"model.embed_tokens", "token_embd"},
          {"model.norm", "output_norm"},
          {"lm_head", "output"},
          {"model.layers.{}.input_layernorm", "blk.{}.attn_norm"},
          {"model.layers.{}.self_attn.q_proj", "blk.{}.attn_q"},
          {"model.layers.{}.self_attn.k_proj", "blk.{}.attn_k"},
          {"model.layers.{}.self_attn.v_proj", "blk.{}.attn_v"},
          {"model.layers.{}.self_attn.o_proj", "blk.{}.attn_output"},
      },
      more);
}

std::vector<HfModule> llama_modules(std::initializer_list<HfModule> more) {
  return joined(attention_modules({
                    {"model.layers.{}.post_attention_layernorm", "blk.{}.ffn_norm"},
                    {"model.layers.{}.mlp.gate_proj", "blk.{}.ffn_gate"},
                    {"model.layers.{}.mlp.up_proj", "blk.{}.ffn_up"},
                    {"model.layers.{}.mlp.down_proj", "blk.{}.ffn_down"},
                }),
                more);
}

std::vector<HfModule> sandwich_modules() {
  return attention_modules({
      {"model.layers.{}.self_attn.q_norm", "blk.{}.attn_q_norm"},
      {"model.layers.{}.self_attn.k_norm", "blk.{}.attn_k_norm"},
      {"model.layers.{}.post_attention_layernorm", "blk.{}.post_attention_norm"},
      {"model.layers.{}.pre_feedforward_layernorm", "blk.{}.ffn_norm"},
      {"model.layers.{}.mlp.gate_proj", "blk.{}.ffn_gate"},
      {"model.layers.{}.mlp.up_proj", "blk.{}.ffn_up"},
      {"model.layers.{}.mlp.down_proj", "blk.{}.ffn_down"},
      {"model.layers.{}.post_feedforward_layernorm", "blk.{}.post_ffw_norm"},
  });
}

}  // namespace emelex
