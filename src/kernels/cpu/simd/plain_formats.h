#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/simd/unroll.h"

// Plain numbers as a group of S::kRows rows brought into columns. What a format tells the kernel (matmul_plain.h):
//   kBytes                 bytes of a value
//   put_columns<S>(in, p)  writes the columns in 16 bytes of each row: lane r of in[i] holds bytes 4i … 4i+3 of row r
//   load_columns<S>(p, w)  two columns, as float32
//   X                      what activations are multiplied as
//   activations(args, t)   a token's

namespace emelex::cpu {
namespace {

struct ExactActivations {
  using X = float;
  static const X* activations(const MatmulArgs& args, int token) {
    return args.x + static_cast<size_t>(token) * static_cast<size_t>(args.x_stride);
  }
};

// 4 bytes of each row stay together.
struct ColumnsOfWords {
  template <class S>
  [[gnu::always_inline]] static void put_columns(const typename S::U in[4], std::byte* p) {
    EMELEX_UNROLL
    for (int i = 0; i < 4; ++i) S::store_u(p + 4 * S::kRows * i, in[i]);
  }
};

struct PlainF32 : ColumnsOfWords, ExactActivations {
  static constexpr size_t kBytes = 4;

  template <class S>
  [[gnu::always_inline]] static void load_columns(const std::byte* p, typename S::F w[2]) {
    const auto* floats = reinterpret_cast<const float*>(p);
    w[0] = S::load(floats);
    w[1] = S::load(floats + S::kRows);
  }
};

// A column after the other, since an instruction widens neighbours.
struct PlainF16 : ExactActivations {
  static constexpr size_t kBytes = 2;

  template <class S>
  [[gnu::always_inline]] static void put_columns(const typename S::U in[4], std::byte* p) {
    EMELEX_UNROLL
    for (int i = 0; i < 4; ++i) {
      std::byte* pair = p + 4 * S::kRows * i;
      S::store_halves(pair, pair + 2 * S::kRows, S::words(in[i]));
    }
  }
  template <class S>
  [[gnu::always_inline]] static void load_columns(const std::byte* p, typename S::F w[2]) {
    const auto* halves = reinterpret_cast<const uint16_t*>(p);
    w[0] = S::load(halves);
    w[1] = S::load(halves + S::kRows);
  }
};

// Two columns of a row side by side, as in the file: each is the upper half of a float32, once it has been shifted or
// its neighbour cleared.
struct PlainBf16 : ColumnsOfWords, ExactActivations {
  static constexpr size_t kBytes = 2;

  template <class S>
  [[gnu::always_inline]] static void load_columns(const std::byte* p, typename S::F w[2]) {
    const auto pairs = S::words(S::load_u(p));
    w[0] = S::as_float(S::shift_words(pairs, 16));
    w[1] = S::as_float(S::bits(pairs, 0, static_cast<int32_t>(0xFFFF0000)));
  }
};

// The same columns, two at a time by dot products with activations rounded to bfloat16; for S::bf16_dot.
struct PlainBf16Dots : ColumnsOfWords {
  static constexpr size_t kBytes = 2;
  using X = uint16_t;

  static const X* activations(const MatmulArgs& args, int token) {
    return args.bf16_x + static_cast<size_t>(token) * static_cast<size_t>(whole_lanes(args.columns));
  }
};

}  // namespace
}  // namespace emelex::cpu
