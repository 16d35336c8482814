#pragma once

#include <optional>
#include <vector>

#include "kernels/mlx/mlx_context.h"
#include "kernels/mlx/mlx_scaling.h"
#include "kernels/product.h"

namespace emelex::mlx_backend {

// A matrix [rows, columns] as MLX computes with it: quantized in one of its formats (quant/mlx_quants.h), or plain
// numbers.
struct MlxMatrix {
  int rows = 0;
  int columns = 0;
  std::optional<MlxFormat> format;  // nothing: plain
  mx::array weight;                 // quantized: uint32 [rows, columns · bits / 32], else [rows, columns]
  std::optional<mx::array> scales;  // [rows, columns / group_size]
  std::optional<mx::array> biases;  // likewise; affine only
  int input_exponent = 0;           // for product_input

  // [tokens, columns] → [tokens, rows], float32
  mx::array multiply(const MlxContext& context, const ProductInput& input) const;
  // rows by number: ids [n] → [n, columns], float32
  mx::array take(const MlxContext& context, const mx::array& ids) const;
};

// The tensors, one under the other, in MLX's layout. MLX's own formats are copied as they are; Q4_0, Q4_1 and Q8_0 are
// repacked exactly into affine groups of 32 (their scales are float16, as MLX's may be); types that the affine layout
// cannot hold become plain numbers. All must have the same columns, and be stored alike if there are several.
MlxMatrix make_matrix(const MlxContext& context, const std::vector<const Tensor*>& tensors);

// Whether two tensors may be one matrix.
bool stored_alike(const Tensor& a, const Tensor& b);

// A tensor as float32.
mx::array plain_array(const Tensor& tensor);

}  // namespace emelex::mlx_backend
