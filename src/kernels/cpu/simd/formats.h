#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

// Weight formats as traits, over any instruction set S. What a format tells the tiles:
//   kBytes                 bytes of a block
//   kBlock                 values of a block
//   load_float<S>(p, out)  one block's values as floats
// and, where it multiplies with int8 activations (blocks of 32 only):
//   kOffsetShift           value = scale · (w - 2^kOffsetShift) + min, w unsigned; 0: no offset
//   kHasMin                whether there is a min
//   kSmall                 w < 128
//   load_rows<S>           the same block of 16 rows: w[g] holds values 4g … 4g+3 of each row
// Layouts: https://github.com/ggml-org/ggml/blob/master/src/ggml-common.h (block_q4_0 and so on).

namespace emelex::cpu {
namespace {

template <class S>
inline typename S::F half_at(const uint8_t* p) {
  uint16_t raw[16] = {};
  std::memcpy(raw, p, 2);
  return S::set(S::first(S::load(raw)));
}

// d: float16, then 16 bytes: the low halves are values 0 … 15, the high halves 16 … 31. x = d · (w - 8)
struct Q4_0Format {
  static constexpr int kBytes = 18;
  static constexpr int kBlock = 32;
  static constexpr int kOffsetShift = 3;
  static constexpr bool kHasMin = false;
  static constexpr bool kSmall = true;

  template <class S>
  static void load_rows(const uint8_t* p, size_t stride, typename S::U w[8], typename S::F& scale, typename S::F&) {
    typename S::U packed[4];
    S::load_transposed(p + 2, stride, packed);
    for (int i = 0; i < 4; ++i) {
      w[i] = S::low_nibbles(packed[i]);
      w[i + 4] = S::high_nibbles(packed[i]);
    }
    scale = S::gather_half(p, stride);
  }
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
  static constexpr int kOffsetShift = 0;
  static constexpr bool kHasMin = true;
  static constexpr bool kSmall = true;

  template <class S>
  static void load_rows(const uint8_t* p, size_t stride, typename S::U w[8], typename S::F& scale, typename S::F& min) {
    typename S::U packed[4];
    S::load_transposed(p + 4, stride, packed);
    for (int i = 0; i < 4; ++i) {
      w[i] = S::low_nibbles(packed[i]);
      w[i + 4] = S::high_nibbles(packed[i]);
    }
    S::gather_half_pairs(p, stride, scale, min);
  }
  template <class S>
  static void load_float(const uint8_t* p, float* out) {
    const auto d = half_at<S>(p);
    const auto m = half_at<S>(p + 2);
    S::store(out, S::add(S::mul(d, S::load_nibbles_low(p + 4)), m));
    S::store(out + 16, S::add(S::mul(d, S::load_nibbles_high(p + 4)), m));
  }
};

// d: float16, then 32 signed bytes. x = d · w
struct Q8_0Format {
  static constexpr int kBytes = 34;
  static constexpr int kBlock = 32;
  static constexpr int kOffsetShift = 7;  // the kernel's w is unsigned
  static constexpr bool kHasMin = false;
  static constexpr bool kSmall = false;

  template <class S>
  static void load_rows(const uint8_t* p, size_t stride, typename S::U w[8], typename S::F& scale, typename S::F&) {
    S::load_transposed(p + 2, stride, w);
    S::load_transposed(p + 18, stride, w + 4);
    for (int i = 0; i < 8; ++i) w[i] = S::flip_sign(w[i]);
    scale = S::gather_half(p, stride);
  }
  template <class S>
  static void load_float(const uint8_t* p, float* out) {
    const auto d = half_at<S>(p);
    S::store(out, S::mul(d, S::load_i8(p + 2)));
    S::store(out + 16, S::mul(d, S::load_i8(p + 18)));
  }
};

// Plain numbers, taken 16 at a time.
struct F32Format {
  static constexpr int kBytes = 64;
  static constexpr int kBlock = 16;
  template <class S>
  static void load_float(const uint8_t* p, float* out) {
    std::memcpy(out, p, 64);
  }
};

struct F16Format {
  static constexpr int kBytes = 32;
  static constexpr int kBlock = 16;
  template <class S>
  static void load_float(const uint8_t* p, float* out) {
    uint16_t raw[16];
    std::memcpy(raw, p, 32);
    S::store(out, S::load(raw));
  }
};

struct Bf16Format {
  static constexpr int kBytes = 32;
  static constexpr int kBlock = 16;
  template <class S>
  static void load_float(const uint8_t* p, float* out) {
    uint16_t raw[16];
    std::memcpy(raw, p, 32);
    S::store(out, S::load_bf16(raw));
  }
};

}  // namespace
}  // namespace emelex::cpu
