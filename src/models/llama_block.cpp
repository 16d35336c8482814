#include "models/llama_block.h"

#include <utility>

#include "layers/pre_norm_block.h"

namespace emelex {

std::unique_ptr<Block> make_llama_block(const LayerBuilder& builder, AttentionParts matrices,
                                        const AttentionConfigPtr& attention, int layer, bool normalized) {
  auto mlp = builder.has_mixture() ? builder.mixture(normalized, Activation::silu, "ffn_norm")
                                   : builder.gated_mlp(Activation::silu, "ffn_norm");
  return std::make_unique<PreNormBlock>(Attention(std::move(matrices), attention, layer), std::move(mlp));
}

}  // namespace emelex
