#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace emelex {

// How the numbers of a tensor are stored. The names are those of the GGUF format.
enum class TensorType { f32, f16, bf16, q4_0, q4_1, q8_0 };

struct TensorTypeInfo {
  std::string_view name;  // "Q4_0"
  int block_size;         // values in a block; 1 for plain numbers
  int block_bytes;        // bytes of a block
};

const TensorTypeInfo& info(TensorType type);

// The bytes of a row of `n` values. Throws Error(corrupt_file) unless the block size divides `n`.
size_t row_bytes(TensorType type, int64_t n);

}  // namespace emelex
