#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "quant/tensor_type.h"

namespace emelex {

// The stored form of float32 values, by the reference rounding of each type: what tests and benches make tiny models
// with. `from` is one row or several. Throws Error(corrupt_file) when the block size does not divide from.size().
// Values must be finite; others give a block without meaning, but no undefined behaviour.
std::vector<std::byte> quantize(TensorType type, std::span<const float> from);

}  // namespace emelex
