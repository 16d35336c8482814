#pragma once

#include <cstddef>
#include <span>

#include "quant/tensor_type.h"

namespace emelex {

// The float32 values of stored ones: the reference that kernels are tested against, plain and portable. `from` holds
// row_bytes(type, to.size()) bytes, of one row or several, at any address. Throws Error(invalid_argument) when the
// sizes differ, Error(corrupt_file) when the block size does not divide to.size().
void dequantize(TensorType type, std::span<const std::byte> from, std::span<float> to);

}  // namespace emelex
