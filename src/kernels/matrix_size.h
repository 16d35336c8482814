#pragma once

#include "weights/weights.h"

namespace emelex {

// A matrix's size as kernels count it.
struct MatrixSize {
  int rows;
  int columns;
};

// Sizes up to this are counted in int, and so are sums of a few of them.
inline constexpr int64_t kMaxMatrixSize = int64_t{1} << 28;

// Throws Error(unsupported), naming the tensor, where a size is above kMaxMatrixSize.
MatrixSize matrix_size(const Tensor& tensor);

}  // namespace emelex
