#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cpu/simd/formats.h"

// The formats with blocks of 256 values, whose blocks of 32 or 16 have small integer scales of their own, as traits
// (see formats.h). Layouts: https://github.com/ggml-org/ggml/blob/master/src/ggml-common.h (block_q4_K and so on).

namespace emelex::cpu {
namespace {

constexpr int kSuperBlock = 256;

// 32 bytes of each row of a group.
template <class S, class Reader>
[[gnu::always_inline]] inline void load_32(Reader& rows, const uint8_t* p, size_t stride, typename S::U out[8]) {
  rows.transposed(p, stride, out);
  rows.transposed(p + 16, stride, out + 4);
}

// The scales and mins of Q4_K and Q5_K: 8 of each with 6 bits, in 12 bytes behind d and dmin. In words of 4 bytes: the
// low 6 bits of the first word's bytes are scales 0 … 3, of the second's mins 0 … 3; the third has the low halves of
// scales and mins 4 … 7, whose upper 2 bits are the upper bits of the first two.
template <class S, class Reader>
struct SixBitScales {
  using F = typename S::F;
  using I = typename S::I;
  F d, minus_dmin;
  I words[3];
  typename Reader::Bytes bytes;  // of two blocks, the scales and then the mins

  [[gnu::always_inline]] void load(Reader& rows, const uint8_t* p, size_t stride) {
    typename S::U header[4]{};
    rows.look(p, stride, header);
    F dmin;
    S::halves(rows.keep(S::words(header[0])), d, dmin);
    minus_dmin = S::sub(S::zero(), dmin);
    for (int i = 0; i < 3; ++i) words[i] = S::words(header[i + 1]);
  }
  // Those of block i, which is even, and of the next. Just before these blocks' values, so that a packed matrix is read
  // straight on: going back to the scales of all eight, a core gets 10% to 20% less from its memory.
  [[gnu::always_inline]] void load_pair(Reader& rows, int i) {
    bytes = rows.template keep_bytes<4>([this, i](int j) { return of_pair(i, j); });
  }
  // scale i, min i - 8
  [[gnu::always_inline]] I six_bits(int i) const {
    const int at = 8 * (i % 4);
    const bool is_min = i >= 8;
    if (i % 8 < 4) return S::bits(words[is_min ? 1 : 0], at, 63);
    return S::or_words(S::bits(words[2], at + (is_min ? 4 : 0), 15),
                       S::shift_words(S::bits(words[is_min ? 1 : 0], at + 6, 3), 4));
  }
  [[gnu::always_inline]] I of_pair(int i, int j) const { return six_bits(i + j % 2 + (j >= 2 ? 8 : 0)); }
  [[gnu::always_inline]] void get(int i, F& scale, F& min) const {
    const auto make = [this, i](int j) { return of_pair(i - i % 2, j); };
    scale = S::mul(d, S::to_float(bytes.get(i % 2, make)));
    min = S::mul(minus_dmin, S::to_float(bytes.get(2 + i % 2, make)));
  }
};

// d, dmin: float16; 12 bytes of scales; four times 32 bytes, whose low halves are one block of 32 and whose high halves
// the next. x = d · scale · w - dmin · min
struct Q4KFormat {
  static constexpr int kBytes = 144;
  static constexpr int kBlock = kSuperBlock;
  static constexpr int kScales = 1;
  static constexpr int kOffsetShift = 0;
  static constexpr bool kHasMin = true;
  static constexpr int kMost = 15;
  static constexpr size_t kTogether = 2;

  template <class S, class Reader>
  struct Rows {
    const uint8_t* base;
    size_t stride;
    Reader rows{};
    SixBitScales<S, Reader> scales{};
    typename S::U packed[8]{};
    [[gnu::always_inline]] void get(size_t b, RowBlock<S, 1>& out) {
      const uint8_t* p = base + b / 8 * kBytes;
      const int i = static_cast<int>(b % 8);
      if (i == 0) scales.load(rows, p, stride);
      if (i % 2 == 0) {
        scales.load_pair(rows, i);
        load_32<S>(rows, p + 16 + 16 * i, stride, packed);
      }
      if (i % 2 == 0) {
        for (int g = 0; g < 8; ++g) out.values[g] = S::low_nibbles(packed[g]);
      } else {
        for (int g = 0; g < 8; ++g) out.values[g] = S::high_nibbles(packed[g]);
      }
      scales.get(i, out.scales[0], out.mins[0]);
    }
  };
};

// As Q4_K, with 32 bytes of fifth bits before the halves: bit i of byte j belongs to value j of block i.
struct Q5KFormat {
  static constexpr int kBytes = 176;
  static constexpr int kBlock = kSuperBlock;
  static constexpr int kScales = 1;
  static constexpr int kOffsetShift = 0;
  static constexpr bool kHasMin = true;
  static constexpr int kMost = 31;
  static constexpr size_t kTogether = 2;

  template <class S, class Reader>
  struct Rows {
    const uint8_t* base;
    size_t stride;
    Reader rows{};
    SixBitScales<S, Reader> scales{};
    typename S::U fifth[8]{};
    typename S::U packed[8]{};
    [[gnu::always_inline]] void get(size_t b, RowBlock<S, 1>& out) {
      const uint8_t* p = base + b / 8 * kBytes;
      const int i = static_cast<int>(b % 8);
      if (i == 0) {
        scales.load(rows, p, stride);
        load_32<S>(rows, p + 16, stride, fifth);
      }
      if (i % 2 == 0) {
        scales.load_pair(rows, i);
        load_32<S>(rows, p + 48 + 16 * i, stride, packed);
      }
      for (int g = 0; g < 8; ++g) {
        const auto low = i % 2 == 0 ? S::low_nibbles(packed[g]) : S::high_nibbles(packed[g]);
        out.values[g] = S::or_field(low, fifth[g], i - 4, 1 << 4);
      }
      scales.get(i, out.scales[0], out.mins[0]);
    }
  };
};

// 128 bytes of low halves, 64 of upper two bits, 16 signed scales, each of 16 values, and d: float16.
// x = d · scale · (w - 32). In each half of 128 values, block i of 32 has the low (i < 2) or high halves of the
// (i % 2)th 32 bytes, and bits 2i, 2i + 1 of 32 bytes.
struct Q6KFormat {
  static constexpr int kBytes = 210;
  static constexpr int kBlock = kSuperBlock;
  static constexpr int kScales = 2;
  static constexpr int kOffsetShift = 5;
  static constexpr bool kHasMin = false;
  static constexpr int kMost = 63;
  static constexpr size_t kTogether = 4;

  template <class S, class Reader>
  struct Rows {
    const uint8_t* base;
    size_t stride;
    Reader rows{};
    typename S::F d{};
    typename S::U scales[4]{};
    typename Reader::Bytes bytes{};
    typename S::U upper[8]{};
    [[gnu::always_inline]] void get(size_t b, RowBlock<S, 2>& out) {
      const uint8_t* p = base + b / 8 * kBytes;
      const int half = static_cast<int>(b % 8) / 4;
      const int i = static_cast<int>(b % 4);
      const auto scale = [this](int j) { return S::signed_byte(S::words(scales[j / 4]), j % 4); };
      if (b % 8 == 0) {
        d = rows.keep(rows.look_half(p + 208, stride));
        rows.look(p + 192, stride, scales);
        bytes = rows.template keep_bytes<16>(scale);
      }
      if (i == 0) load_32<S>(rows, p + 128 + 32 * half, stride, upper);
      typename S::U packed[8];
      const uint8_t* low = p + 64 * half + 32 * (i % 2);
      if (i < 2) {
        load_32<S>(rows, low, stride, packed);
      } else {  // the other halves of what was read for the blocks before these two
        const size_t back = i == 2 ? 16 : 8;
        rows.again(low, stride, back, packed);
        rows.again(low + 16, stride, back - 4, packed + 4);
      }
      for (int g = 0; g < 8; ++g) {
        const auto four = i < 2 ? S::low_nibbles(packed[g]) : S::high_nibbles(packed[g]);
        out.values[g] = S::or_field(four, upper[g], 2 * i - 4, 3 << 4);
      }
      for (int j = 0; j < 2; ++j) {
        out.scales[j] = S::mul(d, S::to_float(bytes.get_signed(static_cast<int>(2 * (b % 8)) + j, scale)));
      }
    }
  };
};

// 32 bytes of third bits, 64 of two bits, 12 of sixteen 6-bit scales, each of 16 values, and d: float16.
// x = d · (scale - 32) · (w - 4). Of the scales, the first 8 bytes have the low halves (0 … 7 low, 8 … 15 high), and
// bits 2k, 2k + 1 of byte 8 + j the upper two bits of scale 4k + j.
struct Q3KFormat {
  static constexpr int kBytes = 110;
  static constexpr int kBlock = kSuperBlock;
  static constexpr int kScales = 2;
  static constexpr int kOffsetShift = 2;
  static constexpr bool kHasMin = false;
  static constexpr int kMost = 7;
  static constexpr size_t kTogether = 1;

  template <class S, class Reader>
  struct Rows {
    const uint8_t* base;
    size_t stride;
    Reader rows{};
    typename S::F d{};
    typename S::I words[3]{};
    typename Reader::Bytes bytes{};
    typename S::U third[8]{};
    typename S::U packed[8]{};
    [[gnu::always_inline]] typename S::I six_bits(int i) const {
      const auto low = S::bits(words[i % 8 / 4], 8 * (i % 4) + 4 * (i / 8), 15);
      return S::or_words(low, S::shift_words(S::bits(words[2], 8 * (i % 4) + 2 * (i / 4), 3), 4));
    }
    [[gnu::always_inline]] void get(size_t b, RowBlock<S, 2>& out) {
      const uint8_t* p = base + b / 8 * kBytes;
      const int i = static_cast<int>(b % 8);
      const auto scale = [this](int j) { return six_bits(j); };
      if (i == 0) {
        d = rows.keep(rows.look_half(p + 108, stride));
        for (int k = 0; k < 3; ++k) words[k] = rows.look_words(p + 96 + 4 * k, stride);
        bytes = rows.template keep_bytes<16>(scale);
        load_32<S>(rows, p, stride, third);
      }
      if (i % 4 == 0) load_32<S>(rows, p + 32 + 8 * i, stride, packed);
      for (int g = 0; g < 8; ++g) {
        out.values[g] = S::or_field(S::field(packed[g], 2 * (i % 4), 3), third[g], i - 2, 1 << 2);
      }
      for (int j = 0; j < 2; ++j) {
        out.scales[j] = S::mul(d, S::sub(S::to_float(bytes.get(2 * i + j, scale)), S::set(32.0F)));
      }
    }
  };
};

// 16 bytes, each a scale (low half) and a min of 16 values; 64 bytes of two bits; d, dmin: float16.
// x = d · scale · w - dmin · min
struct Q2KFormat {
  static constexpr int kBytes = 84;
  static constexpr int kBlock = kSuperBlock;
  static constexpr int kScales = 2;
  static constexpr int kOffsetShift = 0;
  static constexpr bool kHasMin = true;
  static constexpr int kMost = 3;
  static constexpr size_t kTogether = 1;

  template <class S, class Reader>
  struct Rows {
    const uint8_t* base;
    size_t stride;
    Reader rows{};
    typename S::F d{};
    typename S::F minus_dmin{};
    typename S::U scales[4]{};
    typename Reader::Bytes bytes{};
    typename S::U packed[8]{};
    [[gnu::always_inline]] void get(size_t b, RowBlock<S, 2>& out) {
      const uint8_t* p = base + b / 8 * kBytes;
      const int i = static_cast<int>(b % 8);
      const auto scale_and_min = [this](int j) { return S::bits(S::words(scales[j / 4]), 8 * (j % 4), 255); };
      if (i == 0) {
        typename S::F dmin;
        S::halves(rows.exact_words(p + 80, stride), d, dmin);
        minus_dmin = S::sub(S::zero(), dmin);
        rows.look(p, stride, scales);
        bytes = rows.template keep_bytes<16>(scale_and_min);
      }
      if (i % 4 == 0) load_32<S>(rows, p + 16 + 8 * i, stride, packed);
      for (int g = 0; g < 8; ++g) out.values[g] = S::field(packed[g], 2 * (i % 4), 3);
      for (int j = 0; j < 2; ++j) {
        const auto both = bytes.get(2 * i + j, scale_and_min);
        out.scales[j] = S::mul(d, S::to_float(S::bits(both, 0, 15)));
        out.mins[j] = S::mul(minus_dmin, S::to_float(S::bits(both, 4, 15)));
      }
    }
  };
};

// d: float16, 16 bits and 4 bytes of 6-bit scales, then for each block of 32 values 16 bytes as in IQ4_NL.
// x = d · (scale - 32) · (table[w] - 128). Of scale i, the low half is a half of byte i / 2, the upper bits are bits
// 2i, 2i + 1 of the 16.
struct Iq4XsFormat {
  static constexpr int kBytes = 136;
  static constexpr int kBlock = kSuperBlock;
  static constexpr int kScales = 1;
  static constexpr int kOffsetShift = 7;
  static constexpr bool kHasMin = false;
  static constexpr int kMost = 241;
  static constexpr size_t kTogether = 1;

  template <class S, class Reader>
  struct Rows {
    const uint8_t* base;
    size_t stride;
    Reader rows{};
    typename S::F d{};
    typename S::I upper{};
    typename S::I low{};
    typename Reader::Bytes bytes{};
    [[gnu::always_inline]] typename S::I six_bits(int i) const {
      return S::or_words(S::bits(low, 4 * i, 15), S::shift_words(S::bits(upper, 16 + 2 * i, 3), 4));
    }
    [[gnu::always_inline]] void get(size_t b, RowBlock<S, 1>& out) {
      const uint8_t* p = base + b / 8 * kBytes;
      const int i = static_cast<int>(b % 8);
      const auto scale = [this](int j) { return six_bits(j); };
      if (i == 0) {
        d = rows.keep(rows.look_half(p, stride));
        upper = rows.look_words(p, stride);  // in the upper 16 bits
        low = rows.look_words(p + 4, stride);
        bytes = rows.template keep_bytes<8>(scale);
      }
      load_nibbles<S>(rows, p + 8 + 16 * i, stride, out);
      for (int g = 0; g < 8; ++g) out.values[g] = S::lookup(Iq4NlFormat::kTable, out.values[g]);
      out.scales[0] = S::mul(d, S::sub(S::to_float(bytes.get(i, scale)), S::set(32.0F)));
    }
  };
};

}  // namespace
}  // namespace emelex::cpu
