#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/simd/row_readers.h"

// Weight formats as traits, over any instruction set S. What a format tells the tiles:
//   kBytes                 bytes of a block
//   kBlock                 values of a block
//   load_float<S>(p, out)  one block's values as floats
// and, where it multiplies with activations rounded to integers, 32 columns at a time (RowBlock):
//   kScales                scales of 32 columns: 1, or 2 for their halves
//   kOffsetShift           value = scale · (w - 2^kOffsetShift) + min, w unsigned; 0: no offset
//   kHasMin                whether there is a min
//   kMost                  the largest w
//   kTogether              blocks of 32 columns that share what was read: a loop that does so many at once knows which
//                          of them it is at, and keeps all in registers
//   Rows<S, Reader>        S::kRows rows at once, {base, reader}: get(b, block) unpacks their block b. Asked for in
//                          order. What it reads is the same for any values (row_readers.h).
// Here are the types of 32 values; k_quants.h has those of 256, plain_formats.h numbers as they are.
// Layouts: https://github.com/ggml-org/ggml/blob/master/src/ggml-common.h (block_q4_0 and so on).

namespace emelex::cpu {
namespace {

// 32 columns of a group of rows: a lane is a row, and w[g] holds its values 4g … 4g+3.
template <class S, int kScales>
struct RowBlock {
  typename S::U values[8];
  typename S::F scales[kScales];
  typename S::F mins[kScales];
};

template <class S>
[[gnu::always_inline]] inline typename S::F half_at(const uint8_t* p) {
  uint16_t raw[16] = {};
  std::memcpy(raw, p, 2);
  return S::set(S::first(S::load(raw)));
}

// 16 bytes of each row: the low halves are columns 0 … 15, the high halves 16 … 31.
template <class S, class Reader, int kScales>
[[gnu::always_inline]] inline void load_nibbles(Reader& rows, const uint8_t* p, size_t stride,
                                                RowBlock<S, kScales>& out) {
  typename S::U packed[4];
  rows.transposed(p, stride, packed);
  for (int i = 0; i < 4; ++i) {
    out.values[i] = S::low_nibbles(packed[i]);
    out.values[i + 4] = S::high_nibbles(packed[i]);
  }
}

// 32 bits of each row, one for each column: they are worth 16.
template <class S, class Reader>
[[gnu::always_inline]] inline void add_fifth_bits(Reader& rows, const uint8_t* p, size_t stride, RowBlock<S, 1>& out) {
  const auto bits = rows.words(p, stride);
  for (int g = 0; g < 8; ++g) out.values[g] = S::or_(out.values[g], S::shift_up(S::spread_bits(bits, 4 * g), 4));
}

// d: float16, then 16 bytes: the low halves are values 0 … 15, the high halves 16 … 31. x = d · (w - 8)
struct Q4_0Format {
  static constexpr int kBytes = 18;
  static constexpr int kBlock = 32;
  static constexpr int kScales = 1;
  static constexpr int kOffsetShift = 3;
  static constexpr bool kHasMin = false;
  static constexpr int kMost = 15;
  static constexpr size_t kTogether = 1;

  template <class S, class Reader>
  struct Rows {
    const uint8_t* base;
    size_t stride;
    Reader rows{};
    [[gnu::always_inline]] void get(size_t b, RowBlock<S, 1>& out) {
      const uint8_t* p = base + b * kBytes;
      load_nibbles<S>(rows, p + 2, stride, out);
      out.scales[0] = rows.half(p, stride);
    }
  };
  template <class S>
  static void load_float(const uint8_t* p, float* out) {
    const auto d = half_at<S>(p);
    const auto eight = S::set(8.0F);
    S::store(out, S::mul(d, S::sub(S::load_nibbles_low(p + 2), eight)));
    S::store(out + 16, S::mul(d, S::sub(S::load_nibbles_high(p + 2), eight)));
  }
};

// d, m: float16, then 16 bytes as in Q4_0. x = d · w + m
struct Q4_1Format {
  static constexpr int kBytes = 20;
  static constexpr int kBlock = 32;
  static constexpr int kScales = 1;
  static constexpr int kOffsetShift = 0;
  static constexpr bool kHasMin = true;
  static constexpr int kMost = 15;
  static constexpr size_t kTogether = 1;

  template <class S, class Reader>
  struct Rows {
    const uint8_t* base;
    size_t stride;
    Reader rows{};
    [[gnu::always_inline]] void get(size_t b, RowBlock<S, 1>& out) {
      const uint8_t* p = base + b * kBytes;
      load_nibbles<S>(rows, p + 4, stride, out);
      S::halves(rows.words(p, stride), out.scales[0], out.mins[0]);
    }
  };
  template <class S>
  static void load_float(const uint8_t* p, float* out) {
    const auto d = half_at<S>(p);
    const auto m = half_at<S>(p + 2);
    S::store(out, S::add(S::mul(d, S::load_nibbles_low(p + 4)), m));
    S::store(out + 16, S::add(S::mul(d, S::load_nibbles_high(p + 4)), m));
  }
};

// d: float16, 32 bits: the fifth bits of all values, 16 bytes as in Q4_0. x = d · (w - 16)
struct Q5_0Format {
  static constexpr int kBytes = 22;
  static constexpr int kBlock = 32;
  static constexpr int kScales = 1;
  static constexpr int kOffsetShift = 4;
  static constexpr bool kHasMin = false;
  static constexpr int kMost = 31;
  static constexpr size_t kTogether = 1;

  template <class S, class Reader>
  struct Rows {
    const uint8_t* base;
    size_t stride;
    Reader rows{};
    [[gnu::always_inline]] void get(size_t b, RowBlock<S, 1>& out) {
      const uint8_t* p = base + b * kBytes;
      load_nibbles<S>(rows, p + 6, stride, out);
      add_fifth_bits<S>(rows, p + 2, stride, out);
      out.scales[0] = rows.half(p, stride);
    }
  };
};

// d, m: float16, then as in Q5_0. x = d · w + m
struct Q5_1Format {
  static constexpr int kBytes = 24;
  static constexpr int kBlock = 32;
  static constexpr int kScales = 1;
  static constexpr int kOffsetShift = 0;
  static constexpr bool kHasMin = true;
  static constexpr int kMost = 31;
  static constexpr size_t kTogether = 1;

  template <class S, class Reader>
  struct Rows {
    const uint8_t* base;
    size_t stride;
    Reader rows{};
    [[gnu::always_inline]] void get(size_t b, RowBlock<S, 1>& out) {
      const uint8_t* p = base + b * kBytes;
      load_nibbles<S>(rows, p + 8, stride, out);
      add_fifth_bits<S>(rows, p + 4, stride, out);
      S::halves(rows.words(p, stride), out.scales[0], out.mins[0]);
    }
  };
};

// d: float16, 16 bytes as in Q4_0 that number the values of a table. x = d · (table[w] + 128 - 128)
struct Iq4NlFormat {
  static constexpr int kBytes = 18;
  static constexpr int kBlock = 32;
  static constexpr int kScales = 1;
  static constexpr int kOffsetShift = 7;
  static constexpr bool kHasMin = false;
  static constexpr int kMost = 241;
  static constexpr size_t kTogether = 1;
  // The format's values -127, -104, -83, … 113, plus 128.
  static constexpr uint8_t kTable[16] = {1, 24, 45, 63, 79, 93, 106, 118, 129, 141, 153, 166, 181, 197, 217, 241};

  template <class S, class Reader>
  struct Rows {
    const uint8_t* base;
    size_t stride;
    Reader rows{};
    [[gnu::always_inline]] void get(size_t b, RowBlock<S, 1>& out) {
      const uint8_t* p = base + b * kBytes;
      load_nibbles<S>(rows, p + 2, stride, out);
      for (int i = 0; i < 8; ++i) out.values[i] = S::lookup(kTable, out.values[i]);
      out.scales[0] = rows.half(p, stride);
    }
  };
};

// e: the exponent of a power of two, 16 bytes as in Q4_0 that number the 4-bit floats ±0, 0.5, 1, 1.5, 2, 3, 4, 6. With
// their doubles as whole numbers, x = 2^(e - 128) · (table[w] - 16).
struct Mxfp4Format {
  static constexpr int kBytes = 17;
  static constexpr int kBlock = 32;
  static constexpr int kScales = 1;
  static constexpr int kOffsetShift = 4;
  static constexpr bool kHasMin = false;
  static constexpr int kMost = 28;
  static constexpr size_t kTogether = 1;
  static constexpr uint8_t kTable[16] = {16, 17, 18, 19, 20, 22, 24, 28, 16, 15, 14, 13, 12, 10, 8, 4};

  template <class S, class Reader>
  struct Rows {
    const uint8_t* base;
    size_t stride;
    Reader rows{};
    [[gnu::always_inline]] void get(size_t b, RowBlock<S, 1>& out) {
      const uint8_t* p = base + b * kBytes;
      load_nibbles<S>(rows, p + 1, stride, out);
      for (int i = 0; i < 8; ++i) out.values[i] = S::lookup(kTable, out.values[i]);
      const auto words = rows.words(p, stride);
      // 2^(e - 128), as a square of a normal number, since the lowest exponents are not.
      const auto root = S::pow2(S::sub(S::to_float(S::bits(words, 1, 127)), S::set(64.0F)));
      const auto odd = S::to_float(S::bits(words, 0, 1));
      out.scales[0] = S::mul(S::mul(root, root), S::add(odd, S::set(1.0F)));
    }
  };
};

// d: float16, then 32 signed bytes. x = d · w
struct Q8_0Format {
  static constexpr int kBytes = 34;
  static constexpr int kBlock = 32;
  static constexpr int kScales = 1;
  static constexpr int kOffsetShift = 7;  // the kernel's w is unsigned
  static constexpr bool kHasMin = false;
  static constexpr int kMost = 255;
  static constexpr size_t kTogether = 1;

  template <class S, class Reader>
  struct Rows {
    const uint8_t* base;
    size_t stride;
    Reader rows{};
    [[gnu::always_inline]] void get(size_t b, RowBlock<S, 1>& out) {
      const uint8_t* p = base + b * kBytes;
      rows.transposed(p + 2, stride, out.values);
      rows.transposed(p + 18, stride, out.values + 4);
      for (int i = 0; i < 8; ++i) out.values[i] = S::flip_sign(out.values[i]);
      out.scales[0] = rows.half(p, stride);
    }
  };
  template <class S>
  static void load_float(const uint8_t* p, float* out) {
    const auto d = half_at<S>(p);
    S::store(out, S::mul(d, S::load_i8(p + 2)));
    S::store(out + 16, S::mul(d, S::load_i8(p + 18)));
  }
};

// The float side of a format that has no quick way: its reference.
template <TensorType kType, int kBlockSize, int kBlockBytes>
struct ReferenceFormat {
  static constexpr int kBytes = kBlockBytes;
  static constexpr int kBlock = kBlockSize;
  template <class S>
  static void load_float(const uint8_t* p, float* out) {
    dequantize_block(kType, p, out);
  }
};

}  // namespace
}  // namespace emelex::cpu
