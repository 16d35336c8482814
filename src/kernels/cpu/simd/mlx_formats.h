#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/simd/formats.h"
#include "kernels/cpu/simd/unroll.h"

// MLX's formats (quant/mlx_quants.h) as traits, see formats.h. A row of values is one string of bits, and the scales of
// its groups lie in another place, so Rows are made from the kernel's arguments.

namespace emelex::cpu {
namespace {

inline const uint8_t* row_at(const std::byte* base, int row, size_t bytes) {
  return reinterpret_cast<const uint8_t*>(base) + static_cast<size_t>(row) * bytes;
}

// Scales or biases in floats, of a group of rows, one a group. Asked for in order. In a file two groups are one word,
// but for the last of an odd number, and four words are read at once where there are as many; in a packed matrix each
// has its place.
template <class S, class Reader>
struct GroupFloats {
  static constexpr bool kFromFile = std::is_same_v<Reader, FileReader<S>>;
  const uint8_t* base;
  size_t stride;
  size_t n_groups;
  TensorType type;
  // What was read for later. The loop over a packed matrix keeps all it has in registers, if this is not among it.
  struct Read {
    typename S::F next{};
    typename S::I four_words[4]{};
  };
  struct Nothing {};
  std::conditional_t<kFromFile, Read, Nothing> read{};

  [[gnu::always_inline]] typename S::F get(Reader& rows, size_t group) {
    if (type == TensorType::f32) return S::as_float(rows.exact_words(base + 4 * group, stride));
    const uint8_t* p = base + 2 * group;
    const auto alone = [&] { return type == TensorType::f16 ? rows.exact_half(p, stride) : rows.bfloat(p, stride); };
    if constexpr (!kFromFile) {
      return alone();
    } else {
      if (group % 2 != 0) return read.next;
      if (group + 1 == n_groups) return alone();
      const bool in_four_words = group / 8 * 8 + 8 <= n_groups;
      if (in_four_words && group % 8 == 0) rows.template words<4>(p, stride, read.four_words);
      const auto words = in_four_words ? read.four_words[group / 2 % 4] : rows.exact_words(p, stride);
      typename S::F first;
      if (type == TensorType::f16) {
        S::halves(words, first, read.next);
      } else {
        first = S::as_float(S::shift_words(words, 16));
        read.next = S::as_float(S::shift_words(S::bits(words, 16, 0xFFFF), 16));
      }
      return first;
    }
  }
};

// Scales of a byte each, of a group of rows, as words. Asked for in order.
template <class S>
struct GroupBytes {
  const uint8_t* base;
  size_t stride;
  size_t n_groups;
  typename S::I words{};

  template <class Reader>
  [[gnu::always_inline]] typename S::I get(Reader& rows, size_t group) {
    if (group % 4 == 0) {
      const uint8_t* p = base + group;
      words = group + 4 <= n_groups ? rows.exact_words(p, stride) : rows.some_bytes(p, stride, n_groups - group);
    }
    return S::bits(words, static_cast<int>(group % 4) * 8, 255);
  }
};

// The 32 values of kBits bits that begin with the words, as 4 columns in each of 8 registers.
template <class S, int kBits, int... kGroup>
[[gnu::always_inline]] inline void spread_values(const typename S::I* words, typename S::U out[8],
                                                 std::integer_sequence<int, kGroup...> /*groups*/) {
  const auto four = [&]<int kAt>() {
    constexpr int kWord = kAt / 32;
    constexpr int kShift = kAt % 32;
    if constexpr (kShift == 0) {
      return S::template spread<kBits>(words[kWord]);
    } else {
      constexpr int kNext = kShift + 4 * kBits > 32 ? kWord + 1 : kWord;  // of which nothing stays if it is the same
      return S::template spread<kBits>(S::template word_at<kShift>(words[kWord], words[kNext]));
    }
  };
  ((out[kGroup] = four.template operator()<4 * kBits * kGroup>()), ...);
}

template <class S, int kBits>
[[gnu::always_inline]] inline void spread_values(const typename S::I* words, typename S::U out[8]) {
  spread_values<S, kBits>(words, out, std::make_integer_sequence<int, 8>());
}

// The values of a group of rows, 32 columns at a time. Asked for in order.
template <class S, int kBits>
struct PackedRows {
  const uint8_t* base;
  size_t stride;

  template <class Reader>
  [[gnu::always_inline]] void get(Reader& rows, size_t b, size_t /*n_blocks*/, typename S::U out[8]) {
    typename S::I words[kBits];
    rows.template words<kBits>(base + b * 4 * kBits, stride, words);
    spread_values<S, kBits>(words, out);
  }
};

template <class S>
struct PackedRows<S, 4> {
  const uint8_t* base;
  size_t stride;

  template <class Reader>
  [[gnu::always_inline]] void get(Reader& rows, size_t b, size_t /*n_blocks*/, typename S::U out[8]) {
    rows.nibbles(base + 16 * b, stride, out);
  }
};

template <class S>
struct PackedRows<S, 8> {
  const uint8_t* base;
  size_t stride;

  template <class Reader>
  [[gnu::always_inline]] void get(Reader& rows, size_t b, size_t /*n_blocks*/, typename S::U out[8]) {
    rows.transposed(base + 32 * b, stride, out);
    rows.transposed(base + 32 * b + 16, stride, out + 4);
  }
};

// With 2 or 3 bits, 32 columns are less than the 16 bytes that are loaded at once: two blocks together, then.
template <class S, int kBits>
struct PackedPairs {
  const uint8_t* base;
  size_t stride;
  typename S::I words[2 * kBits];

  template <class Reader>
  [[gnu::always_inline]] void get(Reader& rows, size_t b, size_t n_blocks, typename S::U out[8]) {
    if (b % 2 != 0) return spread_values<S, kBits>(words + kBits, out);
    const uint8_t* p = base + b * 4 * kBits;
    if (b + 1 < n_blocks) {
      rows.template words<2 * kBits>(p, stride, words);
    } else {
      for (int i = 0; i < kBits; ++i) words[i] = rows.exact_words(p + 4 * i, stride);
    }
    spread_values<S, kBits>(words, out);
  }
};
template <class S>
struct PackedRows<S, 2> : PackedPairs<S, 2> {};
template <class S>
struct PackedRows<S, 3> : PackedPairs<S, 3> {};

// x = scale · w + bias
template <int kBits>
struct MlxAffineFormat {
  static constexpr int kBytes = 4 * kBits;
  static constexpr int kBlock = 32;
  static constexpr int kScales = 1;
  static constexpr int kOffsetShift = 0;
  static constexpr bool kHasMin = true;
  static constexpr int kMost = (1 << kBits) - 1;
  static constexpr size_t kTogether = 1;

  // Whether blocks 2 i and 2 i + 1 have the same scale and bias.
  static bool pairs_share_scales(const MatmulArgs& args) { return args.mlx.format.group_size >= 2 * kBlock; }

  template <class S, class Reader>
  struct Rows {
    const uint8_t* base;
    size_t stride;
    size_t n_blocks;
    size_t blocks_per_group;  // 1, 2 or 4
    PackedRows<S, kBits> values;
    GroupFloats<S, Reader> scales;
    GroupFloats<S, Reader> biases;
    Reader rows{};
    typename S::F scale{};
    typename S::F bias{};

    static Rows of(const MatmulArgs& args, int row, size_t step) {
      const MlxScales& mlx = args.mlx;
      const uint8_t* base = row_at(args.weights, row, args.row_bytes);
      const size_t stride = step * args.row_bytes;
      const auto n_groups = static_cast<size_t>(args.columns / mlx.format.group_size);
      const auto group_floats = [&](const std::byte* p) {
        return GroupFloats<S, Reader>{row_at(p, row, mlx.row_bytes), step * mlx.row_bytes, n_groups,
                                      mlx.format.scale_type};
      };
      return {base,
              stride,
              static_cast<size_t>(args.columns / kBlock),
              static_cast<size_t>(mlx.format.group_size / kBlock),
              {base, stride},
              group_floats(mlx.scales),
              group_floats(mlx.biases)};
    }
    // Asks for block b's share of what belongs to the rows that come n_rows after these, as is done for their values.
    [[gnu::always_inline]] void ask_for_scales(size_t b, size_t n_rows) const {
      const size_t at = n_rows * scales.stride + b * S::kRows * 2 / blocks_per_group;
      __builtin_prefetch(scales.base + at, 0, 2);
      __builtin_prefetch(biases.base + at, 0, 2);
    }
    [[gnu::always_inline]] void get(size_t b, RowBlock<S, 1>& out) {
      if ((b & (blocks_per_group - 1)) == 0) {
        const size_t group = b >> (blocks_per_group / 2);  // a division would take as long as the block's products
        scale = scales.get(rows, group);
        bias = biases.get(rows, group);
      }
      values.get(rows, b, n_blocks, out.values);
      out.scales[0] = scale;
      out.mins[0] = bias;
    }
  };
};

// E8M0: 2^(byte - 127), and infinity for 255. Bytes become the exponents of floats; 2^-127 is below the normal numbers.
template <class S>
[[gnu::always_inline]] inline typename S::F e8m0(typename S::I bytes) {
  return S::max(S::as_float(S::shift_words(bytes, 23)), S::set(0x1p-127F));
}

// The 4-bit floats ±0, 0.5, 1, 1.5, 2, 3, 4, 6 in groups of 32 (mxfp4) or 16 (nvfp4). With their doubles as whole
// numbers, x = scale / 2 · (table[w] - 16).
template <MlxMode kMode>
struct MlxFp4Format {
  static constexpr int kBytes = 16;
  static constexpr int kBlock = 32;
  static constexpr int kScales = kMode == MlxMode::nvfp4 ? 2 : 1;
  static constexpr int kOffsetShift = 4;
  static constexpr bool kHasMin = false;
  static constexpr int kMost = 28;
  static constexpr size_t kTogether = 1;

  template <class S, class Reader>
  struct Rows {
    const uint8_t* base;
    size_t stride;
    PackedRows<S, 4> values;
    GroupBytes<S> scales;
    Reader rows{};

    static Rows of(const MatmulArgs& args, int row, size_t step) {
      const uint8_t* base = row_at(args.weights, row, args.row_bytes);
      const size_t stride = step * args.row_bytes;
      const size_t n_groups = args.mlx.row_bytes;  // a byte each
      return {base,
              stride,
              {base, stride},
              {row_at(args.mlx.scales, row, args.mlx.row_bytes), step * args.mlx.row_bytes, n_groups}};
    }
    [[gnu::always_inline]] void get(size_t b, RowBlock<S, kScales>& out) {
      values.get(rows, b, 0, out.values);
      EMELEX_UNROLL
      for (int g = 0; g < 8; ++g) out.values[g] = S::lookup(Mxfp4Format::kTable, out.values[g]);
      EMELEX_UNROLL
      for (int i = 0; i < kScales; ++i) {
        const auto bytes = scales.get(rows, kScales * b + static_cast<size_t>(i));
        const auto scale = kMode == MlxMode::nvfp4 ? S::e4m3(bytes) : e8m0<S>(bytes);
        out.scales[i] = S::mul(scale, S::set(0.5F));
      }
    }
  };
};

// E4M3 numbers in groups of 32. Their whole multiples need 18 bits: only the float kernel has them.
struct Mxfp8Format {
  template <class S>
  static void widen_row(const MatmulArgs& args, int row, float* out) {
    const uint8_t* p = row_at(args.weights, row, args.row_bytes);
    const uint8_t* scales = row_at(args.mlx.scales, row, args.mlx.row_bytes);
    for (int c = 0; c < args.columns; c += 32) {
      const auto scale = e8m0<S>(S::set_i(*scales++));
      S::store(out + c, S::mul(S::load_e4m3(p + c), scale));
      S::store(out + c + 16, S::mul(S::load_e4m3(p + c + 16), scale));
    }
  }
};

// The float side of the others: their reference.
struct MlxReferenceFormat {
  template <class S>
  static void widen_row(const MatmulArgs& args, int row, float* out) {
    dequantize_mlx_row(args, row, out);
  }
};

}  // namespace
}  // namespace emelex::cpu
