#pragma once

#include "weights/weights.h"

namespace emelex {

// Rows [first, first + n) of a matrix, or values of a vector, as a tensor of the same memory: what a file has fused.
// Throws Error(unsupported) for a vector of block-quantized values.
Tensor tensor_slice(const Tensor& tensor, int64_t first, int64_t n);

// Number `i` of several matrices, or vectors, that are one tensor: [n, rows, columns] → [rows, columns].
Tensor tensor_part(const Tensor& stack, int64_t i);

}  // namespace emelex
