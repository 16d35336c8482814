#include "kernels/cpu/simd/k_quants.h"

#include "kernels/cpu/isa/int8_products.h"

namespace emelex::cpu {
namespace {

constexpr Int8Kernels k_quants() {
  Int8Kernels kernels{};
  add_int8<TensorType::q2_k, Q2KFormat>(kernels);
  add_int8<TensorType::q3_k, Q3KFormat>(kernels);
  add_int8<TensorType::q4_k, Q4KFormat>(kernels);
  add_int8<TensorType::q5_k, Q5KFormat>(kernels);
  add_int8<TensorType::q6_k, Q6KFormat>(kernels);
  add_int8<TensorType::iq4_xs, Iq4XsFormat>(kernels);
  return kernels;
}

}  // namespace

constinit const Int8Kernels EMELEX_ISA::kKQuants = k_quants();

}  // namespace emelex::cpu
