#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace emelex {

// How the numbers of a tensor are stored. The names are those of the GGUF format, but for the last.
enum class TensorType {
  f32,
  f16,
  bf16,
  q4_0,
  q4_1,
  q5_0,
  q5_1,
  q8_0,
  q2_k,
  q3_k,
  q4_k,
  q5_k,
  q6_k,
  iq4_nl,
  iq4_xs,
  mxfp4,
  iq1_s,
  iq1_m,
  iq2_xxs,
  iq2_xs,
  iq2_s,
  iq3_xxs,
  iq3_s,
  tq1_0,
  tq2_0,  // the last of GGUF's, see kTensorTypeCount
  mlx,    // one of MLX's formats (mlx_quants.h), whose numbers are not in blocks: no function here takes it
};

// For arrays by type: static_cast<int>(type) lies below it, but for mlx.
inline constexpr int kTensorTypeCount = static_cast<int>(TensorType::tq2_0) + 1;

struct TensorTypeInfo {
  std::string_view name;  // "Q4_0"
  int block_size;         // values in a block; 1 for plain numbers
  int block_bytes;        // bytes of a block
};

const TensorTypeInfo& info(TensorType type);

// The type of that name ("Q4_K"), or nothing.
std::optional<TensorType> tensor_type_named(std::string_view name);

// The bytes of a row of `n` values. Throws Error(corrupt_file) unless the block size divides `n`.
size_t row_bytes(TensorType type, int64_t n);

}  // namespace emelex
