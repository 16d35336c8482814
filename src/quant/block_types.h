#pragma once

#include <cstddef>

#include "quant/tensor_type.h"

namespace emelex {

// A type's layout and the code that reads and writes it.
struct BlockType {
  TensorTypeInfo info;
  void (*dequantize)(const std::byte* from, size_t blocks, float* to);
  // Into zeroed bytes. `importance` has a number for every value of `from`, or is nullptr where all count the same.
  // nullptr for types that are only read.
  void (*quantize)(const float* from, const float* importance, size_t blocks, std::byte* to);
};

const BlockType& block_type(TensorType type);

}  // namespace emelex
