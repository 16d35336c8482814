#include "kernels/cpu/isa/this_set.h"
#include "kernels/cpu/simd/formats.h"
#include "kernels/cpu/simd/matmul_float.h"
#include "kernels/cpu/simd/matmul_plain.h"
#include "kernels/cpu/simd/mlx_formats.h"
#include "kernels/cpu/simd/plain_formats.h"

namespace emelex::cpu {
namespace {

// Plain numbers, which need no rounded activations.
template <TensorType kType, class Format>
constexpr void add_plain(FloatKernels& kernels) {
  kernels.float_matmul[static_cast<int>(kType)] = PlainMatmul<Set::RowVectors, Format>::run;
  kernels.float_pack[static_cast<int>(kType)] = PlainMatmul<Set::RowVectors, Format>::pack;
}

// A type whose rows are widened by its own code, or by the reference.
template <TensorType kType, class Format>
constexpr void add_float(FloatKernels& kernels) {
  kernels.float_matmul[static_cast<int>(kType)] = FloatMatmul<Set, Format>::run;
}
template <TensorType kType, int kBlock, int kBytes>
constexpr void add_reference(FloatKernels& kernels) {
  add_float<kType, ReferenceFormat<kType, kBlock, kBytes>>(kernels);
}

constexpr void add_references(FloatKernels& kernels) {
  add_reference<TensorType::q5_0, 32, 22>(kernels);
  add_reference<TensorType::q5_1, 32, 24>(kernels);
  add_reference<TensorType::q2_k, 256, 84>(kernels);
  add_reference<TensorType::q3_k, 256, 110>(kernels);
  add_reference<TensorType::q4_k, 256, 144>(kernels);
  add_reference<TensorType::q5_k, 256, 176>(kernels);
  add_reference<TensorType::q6_k, 256, 210>(kernels);
  add_reference<TensorType::iq4_nl, 32, 18>(kernels);
  add_reference<TensorType::iq4_xs, 256, 136>(kernels);
  add_reference<TensorType::mxfp4, 32, 17>(kernels);
  add_reference<TensorType::iq1_s, 256, 50>(kernels);
  add_reference<TensorType::iq1_m, 256, 56>(kernels);
  add_reference<TensorType::iq2_xxs, 256, 66>(kernels);
  add_reference<TensorType::iq2_xs, 256, 74>(kernels);
  add_reference<TensorType::iq2_s, 256, 82>(kernels);
  add_reference<TensorType::iq3_xxs, 256, 98>(kernels);
  add_reference<TensorType::iq3_s, 256, 110>(kernels);
  add_reference<TensorType::tq1_0, 256, 54>(kernels);
  add_reference<TensorType::tq2_0, 256, 66>(kernels);
}

constexpr FloatKernels float_products() {
  FloatKernels kernels{};
  add_plain<TensorType::f32, PlainF32>(kernels);
  add_plain<TensorType::f16, PlainF16>(kernels);
  add_plain<TensorType::bf16, PlainBf16>(kernels);
  add_float<TensorType::q4_0, Q4_0Format>(kernels);
  add_float<TensorType::q4_1, Q4_1Format>(kernels);
  add_float<TensorType::q8_0, Q8_0Format>(kernels);
  add_references(kernels);
  for (MatmulFn& kernel : kernels.mlx_float_matmul) kernel = FloatMatmul<Set, MlxReferenceFormat>::run;
  kernels.mlx_float_matmul[mlx_kernel({MlxMode::mxfp8})] = FloatMatmul<Set, Mxfp8Format>::run;
  return kernels;
}

}  // namespace

constinit const FloatKernels EMELEX_ISA::kFloatProducts = float_products();

}  // namespace emelex::cpu
