#include "kernels/cpu/isa/int8_products.h"
#include "kernels/cpu/simd/mlx_formats.h"

namespace emelex::cpu {
namespace {

template <class Format>
constexpr void add_mlx(MlxInt8Kernels& kernels, const MlxFormat& format) {
  kernels.mlx_int8_matmul[mlx_kernel(format)] = Int8Products<Format>::run;
  kernels.mlx_pack[mlx_kernel(format)] = Int8Products<Format>::pack;
}

template <int... kBits>
constexpr void add_affine(MlxInt8Kernels& kernels) {
  (add_mlx<MlxAffineFormat<kBits>>(kernels, {MlxMode::affine, kBits}), ...);
}

constexpr MlxInt8Kernels mlx_quants() {
  MlxInt8Kernels kernels{};
  add_affine<2, 3, 4, 5, 6, 8>(kernels);
  add_mlx<MlxFp4Format<MlxMode::mxfp4>>(kernels, {MlxMode::mxfp4});
  add_mlx<MlxFp4Format<MlxMode::nvfp4>>(kernels, {MlxMode::nvfp4});
  return kernels;
}

}  // namespace

constinit const MlxInt8Kernels EMELEX_ISA::kMlxQuants = mlx_quants();

}  // namespace emelex::cpu
