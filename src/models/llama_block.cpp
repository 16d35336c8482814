#include "models/llama_block.h"

#include <utility>

#include "layers/pre_norm_block.h"

namespace emelex {

std::unique_ptr<Block> make_llama_block(const Parts& parts, AttentionParts matrices, AttentionConfigPtr attention,
                                        int layer) {
  return std::make_unique<PreNormBlock>(parts.norm("attn_norm"),
                                        Attention(std::move(matrices), std::move(attention), layer),
                                        parts.norm("ffn_norm"), parts.gated_mlp(Activation::silu));
}

}  // namespace emelex
