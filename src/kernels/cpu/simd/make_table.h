#pragma once

#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/simd/attention.h"
#include "kernels/cpu/simd/elementwise.h"
#include "kernels/cpu/simd/formats.h"
#include "kernels/cpu/simd/matmul_float.h"
#include "kernels/cpu/simd/matmul_int8.h"

namespace emelex::cpu {
namespace {

// All kernels for one instruction set.
template <class S>
constexpr KernelTable make_table() {
  KernelTable table{};
  table.name = S::kName;
  table.max_tile = S::kTokens;

  const auto at = [](TensorType type) { return static_cast<int>(type); };
  table.int8_matmul[at(TensorType::q4_0)] = Int8Matmul<S, Q4_0Format>::run;
  table.int8_matmul[at(TensorType::q4_1)] = Int8Matmul<S, Q4_1Format>::run;
  table.int8_matmul[at(TensorType::q8_0)] = Int8Matmul<S, Q8_0Format>::run;
  table.float_matmul[at(TensorType::f32)] = FloatMatmul<S, F32Format>::run;
  table.float_matmul[at(TensorType::f16)] = FloatMatmul<S, F16Format>::run;
  table.float_matmul[at(TensorType::bf16)] = FloatMatmul<S, Bf16Format>::run;
  table.float_matmul[at(TensorType::q4_0)] = FloatMatmul<S, Q4_0Format>::run;
  table.float_matmul[at(TensorType::q4_1)] = FloatMatmul<S, Q4_1Format>::run;
  table.float_matmul[at(TensorType::q8_0)] = FloatMatmul<S, Q8_0Format>::run;

  table.quantize_activations = quantize_activations<S>;
  table.rms_norm = rms_norm<S>;
  table.swiglu = swiglu<S>;
  table.rope = rope<S>;
  table.store_kv_f16 = Attention<S, uint16_t>::store_token;
  table.store_kv_f32 = Attention<S, float>::store_token;
  table.attend_split_f16 = Attention<S, uint16_t>::split;
  table.attend_split_f32 = Attention<S, float>::split;
  table.attend_merge = attend_merge<S>;
  table.attend_finish = attend_finish<S>;
  return table;
}

}  // namespace
}  // namespace emelex::cpu
