#pragma once

#include <memory>

#include "layers/attention.h"
#include "layers/block.h"
#include "models/layer_builder.h"

namespace emelex {

// Llama's block: a norm before each half and a SwiGLU MLP. Where the layer has experts, a mixture of such MLPs takes
// its place, and the experts' weights sum up to 1 if they are `normalized`. Most architectures after Llama's differ in
// their attention alone. `matrices` normalize their input with attn_norm.
std::unique_ptr<Block> make_llama_block(const LayerBuilder& builder, AttentionParts matrices,
                                        const AttentionConfigPtr& attention, int layer, bool normalized = true);

}  // namespace emelex
