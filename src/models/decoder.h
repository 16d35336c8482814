#pragma once

#include <functional>
#include <memory>

#include "layers/block.h"
#include "models/layer_builder.h"
#include "models/model.h"

namespace emelex {

// What some architectures multiply and bound outside their blocks.
struct DecoderScales {
  float embedding = 1.0F;
  float logits = 1.0F;
  float logit_soft_cap = 0.0F;  // logits become cap · tanh(logit / cap); 0: they stay
};

// The model that all decoders are: an embedding, blocks, a norm, and the output, which may be the embedding's matrix.
// block(builder of the layer, its number) makes each block.
std::unique_ptr<Model> make_decoder(
    const LayerBuilder& builder, const DecoderScales& scales,
    const std::function<std::unique_ptr<Block>(const LayerBuilder& builder, int layer)>& block);

}  // namespace emelex
