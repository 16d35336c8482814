#pragma once

#include <cstdint>
#include <string_view>

#include "weights/weights.h"

// What of a model's weights computes one token, where only some of a layer's experts do.
namespace emelex {

// Whether a tensor, by its name in GGUF, is of experts: all of a layer's, or one's.
bool is_of_experts(std::string_view name);

// Bytes that are read to compute one token: of experts the part that it is sent to, as the file says, of an embedding
// table that is not the output as well none, of all other tensors all.
int64_t active_bytes(const Weights& weights);

}  // namespace emelex
