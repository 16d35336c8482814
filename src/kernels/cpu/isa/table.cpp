#include "kernels/cpu/isa/this_set.h"
#include "kernels/cpu/simd/elementwise.h"
#include "kernels/cpu/simd/gelu.h"

namespace emelex::cpu {
namespace {

constinit const ElementwiseKernels kElementwise = {
    .quantize_activations = quantize_activations<Set>,
    .rms_norm = rms_norm<Set>,
    .layer_norm = layer_norm<Set>,
    .swiglu = swiglu<Set>,
    .geglu = geglu<Set>,
    .gelu = gelu_row<Set>,
    .soft_cap = soft_cap<Set>,
    .rope = rope<Set>,
};

}  // namespace

constinit const KernelParts EMELEX_ISA::kParts = {
    .name = Set::kName,
    .max_tile = Set::kTokens,
    .packed_rows = Set::RowVectors::kRows,
    .legacy_quants = &kLegacyQuants,
    .k_quants = &kKQuants,
    .mlx_quants = &kMlxQuants,
    .float_products = &kFloatProducts,
    .elementwise = &kElementwise,
    .attention = &kAttention,
};

}  // namespace emelex::cpu
