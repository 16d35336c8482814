#include "models/llama_block.h"

#include <utility>

#include "layers/pre_norm_block.h"

namespace emelex {

std::unique_ptr<Block> make_llama_block(const Parts& parts, AttentionParts matrices, AttentionConfigPtr attention,
                                        int layer, bool normalized) {
  auto mlp = parts.has_mixture() ? parts.mixture(normalized, Activation::silu) : parts.gated_mlp(Activation::silu);
  return std::make_unique<PreNormBlock>(parts.norm("attn_norm"),
                                        Attention(std::move(matrices), std::move(attention), layer),
                                        parts.norm("ffn_norm"), std::move(mlp));
}

}  // namespace emelex
