#include "kernels/mlx/mlx_scaling.h"

#include <mlx/compile.h>
#include <mlx/ops.h>

#include <algorithm>
#include <cmath>

namespace emelex::mlx_backend {
namespace {

using Arrays = std::vector<mx::array>;

constexpr float kHalfMax = 65504.0F;
// Of inputs smaller than 2^-30 the lower bits are lost, as float16 loses them.
constexpr float kLeast = 0x1p-30F;

}  // namespace

int input_exponent(float row_sum) {
  constexpr int kMost = 13;
  constexpr int kFewest = -14;
  if (!(row_sum > 0.0F) || !std::isfinite(row_sum)) return 0;
  // A row's values are below 2^(exponent + 1), and so its product is below 2^15.
  const int exponent = static_cast<int>(std::floor(std::log2(32768.0F / row_sum))) - 1;
  return std::clamp(exponent, kFewest, kMost);
}

ProductInput product_input(const MlxContext& context, const mx::array& x, int exponent) {
  if (context.dtype == mx::float32) return {x, std::nullopt};
  const mx::Stream& stream = context.stream;
  const auto largest = mx::max(mx::abs(x, stream), -1, true, stream);
  const auto factors = context.row_factors({largest, mx::array(static_cast<float>(exponent))});
  return {context.scale_row({x, factors[0]}).front(), factors[1]};
}

mx::array product_result(const MlxContext& context, const mx::array& product, const ProductInput& input) {
  if (!input.unscale) return product;
  auto factor = *input.unscale;
  while (factor.ndim() < product.ndim()) factor = mx::expand_dims(factor, 1, context.stream);
  return context.unscale_row({product, factor}).front();
}

mx::array to_half(const MlxContext& context, const mx::array& x) { return context.to_half({x}).front(); }

void add_scaling(MlxContext& context) {
  const mx::Stream stream = context.stream;
  context.row_factors = [stream](const Arrays& in) -> Arrays {
    const auto exponent = mx::floor(mx::log2(mx::maximum(in[0], mx::array(kLeast), stream), stream), stream);
    const auto wanted = mx::subtract(in[1], exponent, stream);
    const mx::array two(2.0F);
    return {mx::power(two, wanted, stream), mx::power(two, mx::negative(wanted, stream), stream)};
  };
  context.scale_row = [stream](const Arrays& in) -> Arrays {
    return {mx::astype(mx::multiply(in[0], in[1], stream), mx::float16, stream)};
  };
  context.unscale_row = [stream](const Arrays& in) -> Arrays {
    return {mx::multiply(mx::astype(in[0], mx::float32, stream), in[1], stream)};
  };
  context.to_half = [stream](const Arrays& in) -> Arrays {
    const auto bounded = mx::clip(in[0], mx::array(-kHalfMax), mx::array(kHalfMax), stream);
    return {mx::astype(bounded, mx::float16, stream)};
  };
  // One kernel instead of several. On a CPU this would run a C++ compiler.
  if (!context.gpu) return;
  for (auto* function : {&context.row_factors, &context.scale_row, &context.unscale_row, &context.to_half}) {
    *function = mx::compile(*function, true);
  }
}

}  // namespace emelex::mlx_backend
