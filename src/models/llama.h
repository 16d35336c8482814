#pragma once

#include <memory>

#include "models/model.h"

namespace emelex {

// Llama (Touvron et al., arXiv:2302.13971; arXiv:2407.21783): RMSNorm before each half of a block, grouped-query
// attention with rotary embeddings, a SwiGLU MLP, the output tied to the embedding or separate.
std::unique_ptr<Model> make_llama(std::shared_ptr<const Weights> weights, Route& route);

}  // namespace emelex
