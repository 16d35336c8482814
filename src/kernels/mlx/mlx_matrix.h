#pragma once

#include <optional>
#include <vector>

#include "kernels/mlx/mlx_context.h"
#include "weights/weights.h"

namespace emelex::mlx_route {

// Values that share a scale in MLX's affine layout; the block of GGUF's simple types.
constexpr int kGroup = 32;

// A matrix [rows, columns] as MLX computes with it: quantized in its affine layout, x = scale · q + bias for each group
// of 32 columns, or plain numbers.
struct MlxMatrix {
  int rows = 0;
  int columns = 0;
  int bits = 0;                     // of q; 0: plain
  mx::array weight;                 // quantized: uint32 [rows, columns · bits / 32], else [rows, columns]
  std::optional<mx::array> scales;  // [rows, columns / 32]
  std::optional<mx::array> biases;

  // x [tokens, columns] → [tokens, rows]
  mx::array multiply(const MlxContext& context, const mx::array& x) const;
  // rows by number: ids [n] → [n, columns]
  mx::array take(const MlxContext& context, const mx::array& ids) const;
};

// The tensors, one under the other, in MLX's layout. Q4_0, Q4_1 and Q8_0 are repacked exactly (their scales are
// float16, as MLX's may be); types that the affine layout cannot hold become plain numbers. All must have the same
// columns, and be of one type if there are several.
MlxMatrix make_matrix(const MlxContext& context, const std::vector<const Tensor*>& tensors);

// A tensor as float32.
mx::array plain_array(const Tensor& tensor);

}  // namespace emelex::mlx_route
