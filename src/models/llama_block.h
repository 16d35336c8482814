#pragma once

#include <memory>

#include "layers/attention.h"
#include "layers/block.h"
#include "models/parts.h"

namespace emelex {

// Llama's block of a layer's parts: a norm before each half, a SwiGLU MLP, or where the layer has experts a mixture of
// such, whose weights sum up to 1 if they are `normalized`. Most architectures after it differ in their attention
// alone. `matrices` normalize their input with attn_norm.
std::unique_ptr<Block> make_llama_block(const Parts& parts, AttentionParts matrices,
                                        const AttentionConfigPtr& attention, int layer, bool normalized = true);

}  // namespace emelex
