#pragma once

#include <cstddef>

#include "quant/tensor_type.h"

namespace emelex {

// A type's layout and the code that reads and writes it.
struct BlockType {
  TensorTypeInfo info;
  void (*dequantize)(const std::byte* from, size_t blocks, float* to);
};

const BlockType& block_type(TensorType type);

}  // namespace emelex
