#include "models/family.h"

// Mixtral (Jiang et al., arXiv:2401.04088): a Llama with mixtures of experts for MLPs. It is computed as one.
namespace emelex {
namespace {

std::vector<HfModule> mixtral_modules() {
  return llama_modules({
      {"model.layers.{}.block_sparse_moe.gate", "blk.{}.ffn_gate_inp"},
      {"model.layers.{}.block_sparse_moe.experts.{}.w1", "blk.{}.ffn_gate.{}"},
      {"model.layers.{}.block_sparse_moe.experts.{}.w3", "blk.{}.ffn_up.{}"},
      {"model.layers.{}.block_sparse_moe.experts.{}.w2", "blk.{}.ffn_down.{}"},
      // as mlx-lm writes them
      {"model.layers.{}.block_sparse_moe.switch_mlp.gate_proj", "blk.{}.ffn_gate_exps"},
      {"model.layers.{}.block_sparse_moe.switch_mlp.up_proj", "blk.{}.ffn_up_exps"},
      {"model.layers.{}.block_sparse_moe.switch_mlp.down_proj", "blk.{}.ffn_down_exps"},
      // as transformers holds them, which it may write as well
      {"model.layers.{}.mlp.gate", "blk.{}.ffn_gate_inp"},
      {"model.layers.{}.mlp.experts.gate_up_proj", "blk.{}.ffn_gate_up_exps.weight"},
      {"model.layers.{}.mlp.experts.down_proj", "blk.{}.ffn_down_exps.weight"},
  });
}

void read_mixtral_keys(const ConfigObject& root, HfKeys& keys) {
  add_window(keys, window_size(root, std::nullopt));
  add_experts(keys, root, 8, 2);
}

const RegisterHfFamily mixtral({.model_type = "mixtral",
                                .architecture = "llama",
                                .modules = mixtral_modules(),
                                .biases = {},
                                .read_more = read_mixtral_keys,
                                .context_length = 131'072,
                                .n_kv_heads = 8,
                                .null_kv_heads = false,
                                .norm_eps = 1e-5,
                                .rope_base = 1'000'000.0});

}  // namespace
}  // namespace emelex
