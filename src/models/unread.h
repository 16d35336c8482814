#pragma once

#include "weights/weights.h"

namespace emelex {

// A model is computed with every tensor of its files or not at all. Throws Error(unsupported) that names the tensors
// which making the model has not asked for, and what they seem to be.
void refuse_unread_tensors(const Weights& weights, const ReadRecord& record);

// Modules that may have a bias, and those that must, by their names in GGUF without the layer: "attn_q ffn_up".
struct BiasRules {
  std::string_view allowed;
  std::string_view required;
};

// Throws Error(unsupported) that names a bias which the rules do not allow, or one that they require and that is
// missing beside its weight.
void check_biases(const Weights& weights, const BiasRules& rules);

}  // namespace emelex
