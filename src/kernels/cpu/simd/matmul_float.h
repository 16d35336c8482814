#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/simd/unroll.h"

// Matrix product with float32 activations, for weights in blocks of any format. A few rows are widened to floats; a row
// and a token are then multiplied along 16 lanes of columns, and the lanes are added at the end. Plain numbers have a
// quicker one (matmul_plain.h).

namespace emelex::cpu {
namespace {

// Writes row r as floats, with zeros up to whole lanes where the format leaves them.
using WidenFn = void (*)(const MatmulArgs& args, int r, float* out);

// The products, the same for all formats.
template <class S>
struct WidenedRows {
  using F = typename S::F;

  template <int R, int T>
  static void rows_by_tokens(const float* w, const MatmulArgs& args, int row, int token) {
    const int columns = whole_lanes(args.columns);
    const float* x = args.x + static_cast<size_t>(token) * static_cast<size_t>(args.x_stride);
    F acc[R][T];
    EMELEX_UNROLL
    for (int r = 0; r < R; ++r) {
      EMELEX_UNROLL
      for (int t = 0; t < T; ++t) acc[r][t] = S::zero();
    }
    for (int c = 0; c < columns; c += kLanes) {
      F xs[T];
      EMELEX_UNROLL
      for (int t = 0; t < T; ++t) xs[t] = S::load(x + static_cast<size_t>(t) * static_cast<size_t>(args.x_stride) + c);
      EMELEX_UNROLL
      for (int r = 0; r < R; ++r) {
        const F ws = S::load(w + static_cast<size_t>(r) * static_cast<size_t>(columns) + c);
        EMELEX_UNROLL
        for (int t = 0; t < T; ++t) acc[r][t] = S::fma(ws, xs[t], acc[r][t]);
      }
    }
    EMELEX_UNROLL
    for (int r = 0; r < R; ++r) {
      EMELEX_UNROLL
      for (int t = 0; t < T; ++t) {
        const size_t at =
            static_cast<size_t>(token + t) * static_cast<size_t>(args.rows) + static_cast<size_t>(row + r);
        const float sum = S::reduce_add(acc[r][t]);
        args.out[at] = args.residual != nullptr ? args.residual[at] + sum : sum;
      }
    }
  }

  template <int R>
  static void rows(const MatmulArgs& args, WidenFn widen, int row, float* w) {
    const int columns = whole_lanes(args.columns);
    EMELEX_UNROLL
    for (int r = 0; r < R; ++r) widen(args, row + r, w + static_cast<size_t>(r) * static_cast<size_t>(columns));
    int token = 0;
    for (; token + S::kFloatTokens <= args.tokens; token += S::kFloatTokens) {
      rows_by_tokens<R, S::kFloatTokens>(w, args, row, token);
    }
    for (; token < args.tokens; ++token) rows_by_tokens<R, 1>(w, args, row, token);
  }

  static void run(const MatmulArgs& args, WidenFn widen, int row_begin, int row_end, std::byte* scratch) {
    auto* w = reinterpret_cast<float*>(scratch);
    int row = row_begin;
    for (; row + S::kFloatRows <= row_end; row += S::kFloatRows) rows<S::kFloatRows>(args, widen, row, w);
    for (; row < row_end; ++row) rows<1>(args, widen, row, w);
  }
};

template <class S, class Format>
struct FloatMatmul {
  static void widen_row(const MatmulArgs& args, int r, float* out) {
    if constexpr (requires { Format::template widen_row<S>(args, r, out); }) {
      Format::template widen_row<S>(args, r, out);
    } else {
      const auto* base = reinterpret_cast<const uint8_t*>(args.weights);
      widen_blocks(base + static_cast<size_t>(r) * args.row_bytes, args.columns, out);
    }
  }

  static void widen_blocks(const uint8_t* row, int columns, float* out) {
    for (int c = 0; c < columns; c += Format::kBlock) {
      Format::template load_float<S>(row, out + c);
      row += Format::kBytes;
    }
  }

  static void run(const MatmulArgs& args, int row_begin, int row_end, std::byte* scratch) {
    WidenedRows<S>::run(args, widen_row, row_begin, row_end, scratch);
  }
};

}  // namespace
}  // namespace emelex::cpu
