#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/simd/plain_formats.h"
#include "kernels/cpu/simd/unroll.h"
#include "kernels/cpu/simd/write_rows.h"

// Matrix product of plain numbers (float32, float16, bfloat16) with float32 activations, or of bfloat16 with
// activations rounded to it.
//
// A lane is a row, as in the int8 products: a group of S::kRows rows lies column after column (plain_formats.h), in a
// packed matrix or in scratch, and a column of it is multiplied with a token's activation in all lanes. So nothing is
// added across lanes, and a tile of 4 groups and 4 tokens multiplies 16 times for 8 loads, with its sums in registers.
// A row's products are added up in order, kSegment columns by themselves and then the segments: a sum of thousands in
// one chain would lose two bits more. The order is the same for one token and for many.

namespace emelex::cpu {
namespace {

template <class S, class Format>
struct PlainMatmul {
  using F = typename S::F;
  using U = typename S::U;
  using X = typename Format::X;

  static constexpr bool kDotsOfPairs = !std::is_same_v<X, float>;
  static constexpr int kRows = S::kRows;
  static constexpr int kSegment = 256;
  // Of one token a sum waits for the product before it, so it takes so many groups to keep the multipliers at work.
  static constexpr int kGroupsOfOne = 4;
  static_assert(kGroupsOfOne * kRows <= kMaxPlainRows && S::kPlainGroups * kRows <= kMaxPlainRows);
  static constexpr int kManyTokens = 32;  // for which widening once pays
  static constexpr int kMostTokens = 8;   // of a tile: each has its address in a register
  static constexpr int kTogether = 16 / static_cast<int>(Format::kBytes);  // 16 bytes of a row
  static constexpr size_t kColumnBytes = size_t{kRows} * Format::kBytes;

  // Columns are followed by zeros up to a multiple of 8, in all formats.
  static int padded(int columns) { return (columns + 7) / 8 * 8; }
  static size_t group_bytes(int columns) { return static_cast<size_t>(padded(columns)) * kColumnBytes; }

  // Brings rows `row` … `row` + kRows - 1 into columns; with `step` 0, that row kRows times. Returns group_bytes.
  static size_t bring_in_columns(const MatmulArgs& args, int row, size_t step, std::byte* out) {
    const auto* base = reinterpret_cast<const uint8_t*>(args.weights) + static_cast<size_t>(row) * args.row_bytes;
    const size_t stride = step * args.row_bytes;
    U rows[4];
    for (int c = 0; c < padded(args.columns); c += kTogether) {
      const uint8_t* at = base + static_cast<size_t>(c) * Format::kBytes;
      if (c + kTogether <= args.columns) {
        S::load_transposed(at, stride, rows);
      } else {
        uint8_t last[kRows][16] = {};
        const size_t rest = c < args.columns ? static_cast<size_t>(args.columns - c) * Format::kBytes : 0;
        for (size_t r = 0; r < kRows && rest > 0; ++r) std::memcpy(last[r], at + r * stride, rest);
        S::load_transposed(last[0], 16, rows);
      }
      Format::template put_columns<S>(rows, out + static_cast<size_t>(c) * kColumnBytes);
    }
    return group_bytes(args.columns);
  }

  static size_t pack(const MatmulArgs& args, int row, std::byte* out) { return bring_in_columns(args, row, 1, out); }

  template <int R, int T>
  [[gnu::always_inline]] static void set_zero(F (&sums)[R][T]) {
    EMELEX_UNROLL
    for (int r = 0; r < R; ++r) {
      EMELEX_UNROLL
      for (int t = 0; t < T; ++t) sums[r][t] = S::zero();
    }
  }

  // acc += the products of columns [begin, end), of R groups of rows and T tokens.
  template <int R, int T>
  [[gnu::always_inline]] static void add_columns(const std::byte* const (&groups)[R], const X* const (&x)[T],
                                                 size_t begin, size_t end, F (&acc)[R][T]) {
    for (size_t c = begin; c < end; c += 2) {
      F w[R][2];
      EMELEX_UNROLL
      for (int r = 0; r < R; ++r) Format::template load_columns<S>(groups[r] + c * kColumnBytes, w[r]);
      EMELEX_UNROLL
      for (size_t i = 0; i < 2; ++i) {
        EMELEX_UNROLL
        for (int t = 0; t < T; ++t) {
          const F xs = S::set(x[t][c + i]);
          EMELEX_UNROLL
          for (int r = 0; r < R; ++r) acc[r][t] = S::fma(w[r][i], xs, acc[r][t]);
        }
      }
    }
  }

  // The same, two columns at a time.
  template <int R, int T>
  [[gnu::always_inline]] static void add_dots(const std::byte* const (&groups)[R], const X* const (&x)[T], size_t begin,
                                              size_t end, F (&acc)[R][T]) {
    for (size_t c = begin; c < end; c += 2) {
      U w[R];
      EMELEX_UNROLL
      for (int r = 0; r < R; ++r) w[r] = S::load_u(groups[r] + c * kColumnBytes);
      EMELEX_UNROLL
      for (int t = 0; t < T; ++t) {
        const U pair = S::broadcast4(x[t] + c);
        EMELEX_UNROLL
        for (int r = 0; r < R; ++r) acc[r][t] = S::bf16_dot(acc[r][t], w[r], pair);
      }
    }
  }

  // The products of all columns.
  template <int R, int T>
  [[gnu::always_inline]] static void multiply(const std::byte* const (&groups)[R], const MatmulArgs& args, int token,
                                              F (&sum)[R][T]) {
    const X* x[T];
    for (int t = 0; t < T; ++t) x[t] = Format::activations(args, token + t);
    const auto columns = static_cast<size_t>(padded(args.columns));
    set_zero(sum);
    for (size_t begin = 0; begin < columns; begin += kSegment) {
      const size_t end = begin + kSegment < columns ? begin + kSegment : columns;
      F acc[R][T];
      set_zero(acc);
      if constexpr (kDotsOfPairs) {
        add_dots(groups, x, begin, end, acc);
      } else {
        add_columns(groups, x, begin, end, acc);
      }
      EMELEX_UNROLL
      for (int r = 0; r < R; ++r) {
        EMELEX_UNROLL
        for (int t = 0; t < T; ++t) sum[r][t] = S::add(sum[r][t], acc[r][t]);
      }
    }
  }

  // All tokens from `token` on that fill tiles of T, then the rest in smaller ones.
  template <int T, int R>
  static void tiles(const std::byte* const (&groups)[R], const MatmulArgs& args, int token, int row, int from, int to) {
    for (; token + T <= args.tokens; token += T) {
      F sum[R][T];
      multiply(groups, args, token, sum);
      EMELEX_UNROLL
      for (int r = 0; r < R; ++r) {
        EMELEX_UNROLL
        for (int t = 0; t < T; ++t) write_rows<S>(args, token + t, row + r * kRows, from, to, sum[r][t]);
      }
    }
    if constexpr (T > 1) tiles<T / 2>(groups, args, token, row, from, to);
  }

  // R groups of rows from `row` on, of which lanes [from, to) are wanted, in tiles of up to T tokens.
  template <int R, int T>
  static void groups(const MatmulArgs& args, int row, int from, int to, size_t step, std::byte* scratch) {
    const size_t bytes = group_bytes(args.columns);
    const std::byte* columns[R];
    for (int r = 0; r < R; ++r) {
      const int first = row + r * kRows;
      if (args.packed != nullptr) {
        columns[r] = args.packed + static_cast<size_t>((first + kRows - 1) / kRows) * args.packed_group_bytes;
      } else {
        std::byte* out = scratch + static_cast<size_t>(r) * bytes;
        bring_in_columns(args, first, step, out);
        columns[r] = out;
      }
    }
    if constexpr (Format::kBytes < sizeof(float) && !kDotsOfPairs) {
      if (args.tokens >= kManyTokens) {
        widen(columns, args.columns, reinterpret_cast<float*>(scratch + R * bytes));
        return PlainMatmul<S, PlainF32>::template tiles<T>(columns, args, 0, row, from, to);
      }
    }
    tiles<T>(columns, args, 0, row, from, to);
  }

  // Brings R groups into float32, one after another from `out` on.
  template <int R>
  static void widen(const std::byte* (&groups)[R], int columns, float* out) {
    for (const std::byte*& group : groups) {
      const std::byte* from = group;
      group = reinterpret_cast<const std::byte*>(out);
      for (int c = 0; c < padded(columns); c += 2, from += 2 * kColumnBytes, out += 2 * kRows) {
        F w[2];
        Format::template load_columns<S>(from, w);
        S::store(out, w[0]);
        S::store(out + kRows, w[1]);
      }
    }
  }

  // Rows from `row` on that fill R groups, then fewer, down to the last rows of the matrix.
  template <int R, int T>
  static void rows(const MatmulArgs& args, int row, int row_end, std::byte* scratch) {
    for (; row + R * kRows <= row_end; row += R * kRows) groups<R, T>(args, row, 0, kRows, 1, scratch);
    if constexpr (R > 1) {
      rows<R / 2, T == 1 || T == kMostTokens ? T : 2 * T>(args, row, row_end, scratch);  // as many sums
    } else if (row < row_end) {
      // As the end of a full group: loads stay inside the matrix.
      const int first = args.rows - kRows;
      groups<1, T>(args, first, row - first, kRows, 1, scratch);
    }
  }

  static void run(const MatmulArgs& args, int row_begin, int row_end, std::byte* scratch) {
    if (args.rows < kRows) {  // each alone, in all lanes
      for (int row = row_begin; row < row_end; ++row) groups<1, S::kPlainTokens>(args, row, 0, 1, 0, scratch);
    } else if (args.tokens == 1) {
      rows<kGroupsOfOne, 1>(args, row_begin, row_end, scratch);
    } else {
      rows<S::kPlainGroups, S::kPlainTokens>(args, row_begin, row_end, scratch);
    }
  }
};

}  // namespace
}  // namespace emelex::cpu
