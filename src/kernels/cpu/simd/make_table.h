#pragma once

#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/simd/attention.h"
#include "kernels/cpu/simd/elementwise.h"
#include "kernels/cpu/simd/formats.h"
#include "kernels/cpu/simd/gelu.h"
#include "kernels/cpu/simd/k_quants.h"
#include "kernels/cpu/simd/kv_formats.h"
#include "kernels/cpu/simd/matmul_float.h"
#include "kernels/cpu/simd/matmul_int8.h"
#include "kernels/cpu/simd/matmul_plain.h"
#include "kernels/cpu/simd/mlx_formats.h"
#include "kernels/cpu/simd/plain_formats.h"

namespace emelex::cpu {
namespace {

// A type without a kernel of rounded activations: its rows are widened by the reference.
template <class S, TensorType kType, int kBlock, int kBytes>
constexpr void add_reference(KernelTable& table) {
  table.float_matmul[static_cast<int>(kType)] = FloatMatmul<S, ReferenceFormat<kType, kBlock, kBytes>>::run;
}

template <class S, TensorType kType, class Format>
constexpr void add_int8(KernelTable& table) {
  table.int8_matmul[static_cast<int>(kType)] = Int8Matmul<typename S::RowVectors, Format>::run;
  table.pack[static_cast<int>(kType)] = Int8Matmul<typename S::RowVectors, Format>::pack;
}

// A type with one; its float kernel widens by the reference.
template <class S, TensorType kType, class Format>
constexpr void add_format(KernelTable& table) {
  add_int8<S, kType, Format>(table);
  add_reference<S, kType, Format::kBlock, Format::kBytes>(table);
}

template <class S>
constexpr void add_quantized(KernelTable& table) {
  add_format<S, TensorType::q5_0, Q5_0Format>(table);
  add_format<S, TensorType::q5_1, Q5_1Format>(table);
  add_format<S, TensorType::q2_k, Q2KFormat>(table);
  add_format<S, TensorType::q3_k, Q3KFormat>(table);
  add_format<S, TensorType::q4_k, Q4KFormat>(table);
  add_format<S, TensorType::q5_k, Q5KFormat>(table);
  add_format<S, TensorType::q6_k, Q6KFormat>(table);
  add_format<S, TensorType::iq4_nl, Iq4NlFormat>(table);
  add_format<S, TensorType::iq4_xs, Iq4XsFormat>(table);
  add_format<S, TensorType::mxfp4, Mxfp4Format>(table);
  add_reference<S, TensorType::iq1_s, 256, 50>(table);
  add_reference<S, TensorType::iq1_m, 256, 56>(table);
  add_reference<S, TensorType::iq2_xxs, 256, 66>(table);
  add_reference<S, TensorType::iq2_xs, 256, 74>(table);
  add_reference<S, TensorType::iq2_s, 256, 82>(table);
  add_reference<S, TensorType::iq3_xxs, 256, 98>(table);
  add_reference<S, TensorType::iq3_s, 256, 110>(table);
  add_reference<S, TensorType::tq1_0, 256, 54>(table);
  add_reference<S, TensorType::tq2_0, 256, 66>(table);
}

// Plain numbers, which need no rounded activations.
template <class S, TensorType kType, class Format>
constexpr void add_plain(KernelTable& table) {
  table.float_matmul[static_cast<int>(kType)] = PlainMatmul<typename S::RowVectors, Format>::run;
  table.float_pack[static_cast<int>(kType)] = PlainMatmul<typename S::RowVectors, Format>::pack;
}

template <class S, class Format>
constexpr void add_mlx_int8(KernelTable& table, const MlxFormat& format) {
  table.mlx_int8_matmul[mlx_kernel(format)] = Int8Matmul<typename S::RowVectors, Format>::run;
  table.mlx_pack[mlx_kernel(format)] = Int8Matmul<typename S::RowVectors, Format>::pack;
}

template <class S, int... kBits>
constexpr void add_affine(KernelTable& table) {
  (add_mlx_int8<S, MlxAffineFormat<kBits>>(table, {MlxMode::affine, kBits}), ...);
}

template <class S>
constexpr void add_mlx(KernelTable& table) {
  add_affine<S, 2, 3, 4, 5, 6, 8>(table);
  add_mlx_int8<S, MlxFp4Format<MlxMode::mxfp4>>(table, {MlxMode::mxfp4});
  add_mlx_int8<S, MlxFp4Format<MlxMode::nvfp4>>(table, {MlxMode::nvfp4});
  for (MatmulFn& kernel : table.mlx_float_matmul) kernel = FloatMatmul<S, MlxReferenceFormat>::run;
  table.mlx_float_matmul[mlx_kernel({MlxMode::mxfp8})] = FloatMatmul<S, Mxfp8Format>::run;
}

template <class S, KvDtype kDtype, class Kv>
constexpr void add_cache(KernelTable& table) {
  table.store_kv[static_cast<int>(kDtype)] = Attention<S, Kv>::store_token;
  table.attend_split[static_cast<int>(kDtype)] = Attention<S, Kv>::split;
}

// All kernels for one instruction set.
template <class S>
constexpr KernelTable make_table() {
  KernelTable table{};
  table.name = S::kName;
  table.max_tile = S::kTokens;
  table.packed_rows = S::RowVectors::kRows;

  add_quantized<S>(table);
  add_mlx<S>(table);
  const auto at = [](TensorType type) { return static_cast<int>(type); };
  add_int8<S, TensorType::q4_0, Q4_0Format>(table);
  add_int8<S, TensorType::q4_1, Q4_1Format>(table);
  add_int8<S, TensorType::q8_0, Q8_0Format>(table);
  add_plain<S, TensorType::f32, PlainF32>(table);
  add_plain<S, TensorType::f16, PlainF16>(table);
  add_plain<S, TensorType::bf16, PlainBf16>(table);
  table.float_matmul[at(TensorType::q4_0)] = FloatMatmul<S, Q4_0Format>::run;
  table.float_matmul[at(TensorType::q4_1)] = FloatMatmul<S, Q4_1Format>::run;
  table.float_matmul[at(TensorType::q8_0)] = FloatMatmul<S, Q8_0Format>::run;

  table.quantize_activations = quantize_activations<S>;
  table.rms_norm = rms_norm<S>;
  table.layer_norm = layer_norm<S>;
  table.swiglu = swiglu<S>;
  table.geglu = geglu<S>;
  table.gelu = gelu_row<S>;
  table.soft_cap = soft_cap<S>;
  table.rope = rope<S>;
  add_cache<S, KvDtype::f16, PlainKv<S, uint16_t>>(table);
  add_cache<S, KvDtype::f32, PlainKv<S, float>>(table);
  add_cache<S, KvDtype::q8_0, ScaledKv<S>>(table);
  table.attend_merge = attend_merge<S>;
  table.attend_finish = attend_finish<S>;
  return table;
}

}  // namespace
}  // namespace emelex::cpu
