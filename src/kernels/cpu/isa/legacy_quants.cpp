#include "kernels/cpu/isa/int8_products.h"
#include "kernels/cpu/simd/formats.h"

namespace emelex::cpu {
namespace {

constexpr Int8Kernels legacy_quants() {
  Int8Kernels kernels{};
  add_int8<TensorType::q4_0, Q4_0Format>(kernels);
  add_int8<TensorType::q4_1, Q4_1Format>(kernels);
  add_int8<TensorType::q5_0, Q5_0Format>(kernels);
  add_int8<TensorType::q5_1, Q5_1Format>(kernels);
  add_int8<TensorType::q8_0, Q8_0Format>(kernels);
  add_int8<TensorType::iq4_nl, Iq4NlFormat>(kernels);
  add_int8<TensorType::mxfp4, Mxfp4Format>(kernels);
  return kernels;
}

}  // namespace

constinit const Int8Kernels EMELEX_ISA::kLegacyQuants = legacy_quants();

}  // namespace emelex::cpu
