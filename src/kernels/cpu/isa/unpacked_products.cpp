#include "kernels/cpu/isa/this_set.h"
#include "kernels/cpu/simd/matmul_int8.h"

namespace emelex::cpu {
namespace {

template <int kKind>
constexpr UnpackedFn kernel() {
  using Rows = Set::RowVectors;
  if constexpr (is_needed(UnpackedKind::of(kKind), Rows::kSignedWeights)) return UnpackedProducts<Rows, kKind>::run;
  return nullptr;
}

}  // namespace

constinit const UnpackedFn EMELEX_ISA::kUnpackedProducts[kUnpackedKernels] = {
    kernel<0>(), kernel<1>(), kernel<2>(),  kernel<3>(),  kernel<4>(),  kernel<5>(),  kernel<6>(),  kernel<7>(),
    kernel<8>(), kernel<9>(), kernel<10>(), kernel<11>(), kernel<12>(), kernel<13>(), kernel<14>(), kernel<15>()};

}  // namespace emelex::cpu
