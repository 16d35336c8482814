#pragma once

#include "kernels/cpu/isa/this_set.h"
#include "kernels/cpu/simd/matmul_int8.h"

namespace emelex::cpu {
namespace {

template <class Format>
using Int8Products = Int8Matmul<Set::RowVectors, Format, EMELEX_ISA::kUnpackedProducts>;

template <TensorType kType, class Format>
constexpr void add_int8(Int8Kernels& kernels) {
  kernels.int8_matmul[static_cast<int>(kType)] = Int8Products<Format>::run;
  kernels.pack[static_cast<int>(kType)] = Int8Products<Format>::pack;
}

}  // namespace
}  // namespace emelex::cpu
