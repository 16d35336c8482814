#pragma once

#include <optional>

#include "kernels/mlx/mlx_context.h"

namespace emelex::mlx_backend {

// A product's input in the context's type. Each row was multiplied by a power of two, so that neither it nor the
// product leaves float16's range, whatever the values are.
struct ProductInput {
  mx::array x;                       // [rows, columns]
  std::optional<mx::array> unscale;  // [rows, 1] float32, what undoes it; nothing where the context is float32
};

// The exponent for ProductInput's rows: their largest values are made 2^exponent or a little more. `row_sum` bounds the
// sums of the magnitudes of a matrix row's weights.
int input_exponent(float row_sum);

// x [rows, columns] float32
ProductInput product_input(const MlxContext& context, const mx::array& x, int exponent);

// What was multiplied with the input, [rows, …], as float32 and unscaled.
mx::array product_result(const MlxContext& context, const mx::array& product, const ProductInput& input);

// x in float16, values beyond its range clamped to it.
mx::array to_half(const MlxContext& context, const mx::array& x);

// The functions that MlxContext has for these.
void add_scaling(MlxContext& context);

}  // namespace emelex::mlx_backend
