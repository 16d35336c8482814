#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/simd/unroll.h"

// The vectors as NEON registers, with its dot products (FEAT_DotProd) and, where the compiler is told so, its matrix
// products (FEAT_I8MM). What each function means: simd/scalar.h.
//
// 16 lanes are four registers, of which there are 32: the int8 kernel, whose lanes are rows that do not meet, takes
// vectors of one register instead (NeonRows) and keeps more of them.

namespace emelex::cpu {
namespace {

// What one register does, so that kRegisters of them are done alike.
struct NeonRegister {
  // By a vector and not by an instruction's constant: the compiler sees constants after unrolling.
  [[gnu::always_inline]] static uint32x4_t right(uint32x4_t a, int n) {
    return a >> vdupq_n_u32(static_cast<uint32_t>(n));
  }
  [[gnu::always_inline]] static uint32x4_t left(uint32x4_t a, int n) {
    return a << vdupq_n_u32(static_cast<uint32_t>(n));
  }

  // As on x86, the second operand where either is NaN; FMAX and FMAXNM answer otherwise.
  [[gnu::always_inline]] static float32x4_t max(float32x4_t a, float32x4_t b) {
    return vbslq_f32(vcgtq_f32(a, b), a, b);
  }
  [[gnu::always_inline]] static float32x4_t min(float32x4_t a, float32x4_t b) {
    return vbslq_f32(vcltq_f32(a, b), a, b);
  }

  [[gnu::always_inline]] static float32x4_t half_to_float(uint16x4_t a) {
    return vcvt_f32_f16(vreinterpret_f16_u16(a));
  }
  [[gnu::always_inline]] static float32x4_t bf16_to_float(uint16x4_t a) {
    return vreinterpretq_f32_u32(vshlq_n_u32(vmovl_u16(a), 16));
  }
  [[gnu::always_inline]] static float32x4_t e4m3(uint16x4_t a) {
    const uint16x4_t all_ones = vdup_n_u16(0x7F);
    const uint16x4_t magnitude = vand_u16(a, all_ones);
    const uint16x4_t sign = vshl_n_u16(vbic_u16(a, all_ones), 8);
    const uint16x4_t nan = vand_u16(vceq_u16(magnitude, all_ones), vdup_n_u16(0x7E00));
    const uint16x4_t half = vorr_u16(vorr_u16(vshl_n_u16(magnitude, 7), sign), nan);
    return vmulq_n_f32(half_to_float(half), 256.0F);
  }
};

// kRegisters · 4 lanes.
template <int kRegisters>
struct NeonVectors {
  using One = NeonRegister;

  struct F {
    float32x4_t v[kRegisters];
  };
  struct I {
    uint32x4_t v[kRegisters];
  };

  template <class R, class Op>
  [[gnu::always_inline]] static R each(Op op) {
    R r;
    EMELEX_UNROLL
    for (int i = 0; i < kRegisters; ++i) r.v[i] = op(i);
    return r;
  }

  [[gnu::always_inline]] static F set(float x) {
    return each<F>([&](int) { return vdupq_n_f32(x); });
  }
  [[gnu::always_inline]] static F zero() { return set(0.0F); }
  [[gnu::always_inline]] static F load(const float* p) {
    return each<F>([&](int i) { return vld1q_f32(p + 4 * i); });
  }
  [[gnu::always_inline]] static void store(float* p, const F& a) {
    EMELEX_UNROLL
    for (int i = 0; i < kRegisters; ++i) vst1q_f32(p + 4 * i, a.v[i]);
  }
  [[gnu::always_inline]] static F load(const uint16_t* p) {
    return each<F>([&](int i) { return One::half_to_float(vld1_u16(p + 4 * i)); });
  }
  [[gnu::always_inline]] static void store(uint16_t* p, const F& a) {
    EMELEX_UNROLL
    for (int i = 0; i < kRegisters; ++i) vst1_u16(p + 4 * i, vreinterpret_u16_f16(vcvt_f16_f32(a.v[i])));
  }
  [[gnu::always_inline]] static F load_bf16(const uint16_t* p) {
    return each<F>([&](int i) { return One::bf16_to_float(vld1_u16(p + 4 * i)); });
  }

  [[gnu::always_inline]] static F add(const F& a, const F& b) {
    return each<F>([&](int i) { return vaddq_f32(a.v[i], b.v[i]); });
  }
  [[gnu::always_inline]] static F sub(const F& a, const F& b) {
    return each<F>([&](int i) { return vsubq_f32(a.v[i], b.v[i]); });
  }
  [[gnu::always_inline]] static F mul(const F& a, const F& b) {
    return each<F>([&](int i) { return vmulq_f32(a.v[i], b.v[i]); });
  }
  [[gnu::always_inline]] static F div(const F& a, const F& b) {
    return each<F>([&](int i) { return vdivq_f32(a.v[i], b.v[i]); });
  }
  [[gnu::always_inline]] static F max(const F& a, const F& b) {
    return each<F>([&](int i) { return One::max(a.v[i], b.v[i]); });
  }
  [[gnu::always_inline]] static F min(const F& a, const F& b) {
    return each<F>([&](int i) { return One::min(a.v[i], b.v[i]); });
  }
  [[gnu::always_inline]] static F fma(const F& a, const F& b, const F& c) {
    return each<F>([&](int i) { return vfmaq_f32(c.v[i], a.v[i], b.v[i]); });
  }

  [[gnu::always_inline]] static F pow2(const F& n) {
    return each<F>([&](int i) {
      return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vcvtq_s32_f32(n.v[i]), vdupq_n_s32(127)), 23));
    });
  }

  [[gnu::always_inline]] static I set_i(int32_t x) {
    return each<I>([&](int) { return vdupq_n_u32(static_cast<uint32_t>(x)); });
  }
  [[gnu::always_inline]] static I shift_words(const I& a, int shift) {
    return each<I>([&](int i) { return One::left(a.v[i], shift); });
  }
  [[gnu::always_inline]] static F to_float(const I& a) {
    return each<F>([&](int i) { return vcvtq_f32_s32(vreinterpretq_s32_u32(a.v[i])); });
  }
  [[gnu::always_inline]] static F as_float(const I& a) {
    return each<F>([&](int i) { return vreinterpretq_f32_u32(a.v[i]); });
  }
};

// 4 rows, a lane each, for the int8 products.
struct NeonRows : NeonVectors<1> {
  static constexpr int kRows = 4;
  static constexpr int kTokens = 4;
  static constexpr int kRowGroups = 2;
  static constexpr int kFileGroups = 2;
  static constexpr int kStreams = 1;
  static constexpr bool kTiles = false;
  static constexpr bool kSignedWeights = true;
#if defined(__ARM_FEATURE_MATMUL_INT8)
  static constexpr bool kTokenPairs = true;
#else
  static constexpr bool kTokenPairs = false;
#endif
  static constexpr bool kTwoDotChains = false;
  static constexpr bool kAlwaysUnpacks = false;
  static constexpr int kPlainGroups = 4;
  static constexpr int kPlainTokens = 4;

  struct U {
    uint8x16_t v;
  };
  // 16 activations of a token; lane `at` of them is multiplied. An instruction picks the lane itself.
  struct X {
    int8x16_t v;
    int at;
  };

  [[gnu::always_inline]] static I times_256(const I& a) { return {{vshlq_n_u32(a.v[0], 8)}}; }
  template <int kShift>
  [[gnu::always_inline]] static I sub_shifted(const I& a, int32_t x) {
    return {{vsubq_u32(a.v[0], vdupq_n_u32(static_cast<uint32_t>(x) << kShift))}};
  }
  [[gnu::always_inline]] static I sub_scaled(const I& a, int32_t x, int factor) {
    return {{vsubq_u32(a.v[0], vdupq_n_u32(static_cast<uint32_t>(x) * static_cast<uint32_t>(factor)))}};
  }

  [[gnu::always_inline]] static U load_u(const void* p) { return {vld1q_u8(static_cast<const uint8_t*>(p))}; }
  [[gnu::always_inline]] static void store_u(void* p, U a) { vst1q_u8(static_cast<uint8_t*>(p), a.v); }
  [[gnu::always_inline]] static void read_after(const F& loaded, const std::byte*& at) {
    asm("" : "+r"(at) : "w"(loaded.v[0]));
  }
  [[gnu::always_inline]] static void read_after(U loaded, const std::byte*& at) { asm("" : "+r"(at) : "w"(loaded.v)); }
  [[gnu::always_inline]] static U broadcast4(const void* p) {
    uint32_t x;
    std::memcpy(&x, p, 4);
    return {vreinterpretq_u8_u32(vdupq_n_u32(x))};
  }
  [[gnu::always_inline]] static X activations(const int8_t* p, int g) { return {vld1q_s8(p + g / 4 * 16), g % 4}; }

  [[gnu::always_inline]] static U low_nibbles(U a) { return {vandq_u8(a.v, vdupq_n_u8(15))}; }
  [[gnu::always_inline]] static U high_nibbles(U a) { return {vshrq_n_u8(a.v, 4)}; }
  [[gnu::always_inline]] static U flip_sign(U a) { return {veorq_u8(a.v, vdupq_n_u8(0x80))}; }
  [[gnu::always_inline]] static U add_bytes(U a, U b) { return {vaddq_u8(a.v, b.v)}; }
  [[gnu::always_inline]] static U or_(U a, U b) { return {vorrq_u8(a.v, b.v)}; }
  [[gnu::always_inline]] static U field(U a, int shift, uint8_t mask) {
    return {vandq_u8(a.v >> vdupq_n_u8(static_cast<uint8_t>(shift)), vdupq_n_u8(mask))};
  }
  [[gnu::always_inline]] static U or_field(U low, U a, int shift, uint8_t mask) {
    const uint8x16_t moved = vshlq_u8(a.v, vdupq_n_s8(static_cast<int8_t>(-shift)));
    return or_(low, {vandq_u8(moved, vdupq_n_u8(mask))});
  }
  [[gnu::always_inline]] static U shift_up(U a, int shift) { return {a.v << vdupq_n_u8(static_cast<uint8_t>(shift))}; }
  [[gnu::always_inline]] static U lookup(const uint8_t table[16], U index) {
    return {vqtbl1q_u8(vld1q_u8(table), index.v)};
  }

  [[gnu::always_inline]] static I words(U a) { return {{vreinterpretq_u32_u8(a.v)}}; }
  [[gnu::always_inline]] static I load_bytes(const void* p) {
    uint32_t raw;
    std::memcpy(&raw, p, 4);
    return {{vmovl_u16(vget_low_u16(vmovl_u8(vcreate_u8(raw))))}};
  }
  [[gnu::always_inline]] static I load_signed_bytes(const void* p) {
    uint32_t raw;
    std::memcpy(&raw, p, 4);
    return from_signed(vmovl_s16(vget_low_s16(vmovl_s8(vcreate_s8(raw)))));
  }
  [[gnu::always_inline]] static I bits(const I& a, int shift, int32_t mask) {
    return {{vandq_u32(One::right(a.v[0], shift), vdupq_n_u32(static_cast<uint32_t>(mask)))}};
  }
  [[gnu::always_inline]] static I or_words(const I& a, const I& b) { return {{vorrq_u32(a.v[0], b.v[0])}}; }
  [[gnu::always_inline]] static I signed_byte(const I& a, int byte) {
    const int32x4_t up = vreinterpretq_s32_u32(One::left(a.v[0], 24 - 8 * byte));
    return {{vreinterpretq_u32_s32(vshrq_n_s32(up, 24))}};
  }
  [[gnu::always_inline]] static U spread_bits(const I& a, int shift) {
    // Copies of the four bits so that each lands on the lowest bit of a byte.
    const uint32x4_t copies = vmulq_u32(bits(a, shift, 15).v[0], vdupq_n_u32(0x00204081));
    return {vandq_u8(vreinterpretq_u8_u32(copies), vdupq_n_u8(1))};
  }
  template <int kBits>
  [[gnu::always_inline]] static U spread(const I& a) {
    // Fields 2 and 3 to the upper half of the word, then the second field of each half to its second byte.
    const uint32x4_t both = vsliq_n_u32(a.v[0], vshrq_n_u32(a.v[0], 2 * kBits), 16);
    const uint16x8_t halves = vreinterpretq_u16_u32(both);
    const uint16x8_t bytes = vsliq_n_u16(halves, vshrq_n_u16(halves, kBits), 8);
    return {vandq_u8(vreinterpretq_u8_u16(bytes), vdupq_n_u8((1U << kBits) - 1U))};
  }
  [[gnu::always_inline]] static void spread_nibbles(U a, U& first, U& second) {
    const uint8x16_t even = vandq_u8(a.v, vdupq_n_u8(15));
    const uint8x16_t odd = vshrq_n_u8(a.v, 4);
    const uint32x4_t low = vreinterpretq_u32_u8(vzip1q_u8(even, odd));  // both words of two lanes
    const uint32x4_t high = vreinterpretq_u32_u8(vzip2q_u8(even, odd));
    first.v = vreinterpretq_u8_u32(vuzp1q_u32(low, high));
    second.v = vreinterpretq_u8_u32(vuzp2q_u32(low, high));
  }
  template <int kShift>
  [[gnu::always_inline]] static I word_at(const I& low, const I& high) {
    return {{vsliq_n_u32(vshrq_n_u32(low.v[0], kShift), high.v[0], 32 - kShift)}};
  }
  [[gnu::always_inline]] static F e4m3(const I& a) { return {{One::e4m3(vmovn_u32(a.v[0]))}}; }
  [[gnu::always_inline]] static void halves(const I& a, F& low, F& high) {
    low.v[0] = One::half_to_float(vmovn_u32(a.v[0]));
    high.v[0] = One::half_to_float(vshrn_n_u32(a.v[0], 16));
  }
  [[gnu::always_inline]] static void store_halves(void* low, void* high, const I& a) {
    vst1_u16(static_cast<uint16_t*>(low), vmovn_u32(a.v[0]));
    vst1_u16(static_cast<uint16_t*>(high), vshrn_n_u32(a.v[0], 16));
  }

  // u below 128, so signed too.
  [[gnu::always_inline]] static I dot_small(const I& acc, U u, U s) {
    return from_signed(vdotq_s32(to_signed(acc), vreinterpretq_s8_u8(u.v), vreinterpretq_s8_u8(s.v)));
  }
  [[gnu::always_inline]] static I dot_small(const I& acc, U u, X x) {
    const int8x16_t w = vreinterpretq_s8_u8(u.v);
    switch (x.at) {  // known once the loop around is unrolled
      case 0:
        return from_signed(vdotq_laneq_s32(to_signed(acc), w, x.v, 0));
      case 1:
        return from_signed(vdotq_laneq_s32(to_signed(acc), w, x.v, 1));
      case 2:
        return from_signed(vdotq_laneq_s32(to_signed(acc), w, x.v, 2));
      default:
        return from_signed(vdotq_laneq_s32(to_signed(acc), w, x.v, 3));
    }
  }
  [[gnu::always_inline]] static I dot(const I& acc, U u, U s) {
#if defined(__ARM_FEATURE_MATMUL_INT8)
    return from_signed(vusdotq_s32(to_signed(acc), u.v, vreinterpretq_s8_u8(s.v)));
#else
    // Both signed: Σ u s = Σ (u - 128) s - Σ -128 s
    const int32x4_t offset = vdotq_s32(vdupq_n_s32(0), vdupq_n_s8(-128), vreinterpretq_s8_u8(s.v));
    return {{vsubq_u32(dot_small(acc, flip_sign(u), s).v[0], vreinterpretq_u32_s32(offset))}};
#endif
  }

#if defined(__ARM_FEATURE_MATMUL_INT8)
  // Two registers of 4 columns of rows 0 … 3 as two of 8 columns: of rows 0 and 1, and of 2 and 3; and back.
  [[gnu::always_inline]] static void pair_columns(U a, U b, U& first, U& second) {
    first.v = vreinterpretq_u8_u32(vzip1q_u32(vreinterpretq_u32_u8(a.v), vreinterpretq_u32_u8(b.v)));
    second.v = vreinterpretq_u8_u32(vzip2q_u32(vreinterpretq_u32_u8(a.v), vreinterpretq_u32_u8(b.v)));
  }
  [[gnu::always_inline]] static U single_column(U first, U second, int which) {
    const uint32x4_t a = vreinterpretq_u32_u8(first.v);
    const uint32x4_t b = vreinterpretq_u32_u8(second.v);
    return {vreinterpretq_u8_u32(which == 0 ? vuzp1q_u32(a, b) : vuzp2q_u32(a, b))};
  }
  // 8 activations of each of two tokens
  [[gnu::always_inline]] static U token_pair(const int8_t* a, const int8_t* b) {
    return {vreinterpretq_u8_s8(vcombine_s8(vld1_s8(a), vld1_s8(b)))};
  }
  // acc + the products of two rows with two tokens: row 0 with both, then row 1
  [[gnu::always_inline]] static I matrix_dot(const I& acc, U w, U x) {
    return from_signed(vmmlaq_s32(to_signed(acc), vreinterpretq_s8_u8(w.v), vreinterpretq_s8_u8(x.v)));
  }
  // Of rows 0 and 1 and of rows 2 and 3, each with two tokens: the four rows with the first, and with the second.
  [[gnu::always_inline]] static void split_tokens(const I& a, const I& b, I& first, I& second) {
    first.v[0] = vuzp1q_u32(a.v[0], b.v[0]);
    second.v[0] = vuzp2q_u32(a.v[0], b.v[0]);
  }
  [[gnu::always_inline]] static I add_words(const I& a, const I& b) {
    return {{ vaddq_u32(a.v[0], b.v[0]) }};
  }
#endif

  [[gnu::always_inline]] static void load_transposed(const uint8_t* base, size_t stride, U out[4]) {
    const auto row = [&](size_t i) { return vreinterpretq_u32_u8(vld1q_u8(base + i * stride)); };
    const uint32x4_t low = vzip1q_u32(row(0), row(2));
    const uint32x4_t high = vzip2q_u32(row(0), row(2));
    const uint32x4_t next_low = vzip1q_u32(row(1), row(3));
    const uint32x4_t next_high = vzip2q_u32(row(1), row(3));
    out[0].v = vreinterpretq_u8_u32(vzip1q_u32(low, next_low));
    out[1].v = vreinterpretq_u8_u32(vzip2q_u32(low, next_low));
    out[2].v = vreinterpretq_u8_u32(vzip1q_u32(high, next_high));
    out[3].v = vreinterpretq_u8_u32(vzip2q_u32(high, next_high));
  }
  [[gnu::always_inline]] static F low_half(const I& a) { return {{One::half_to_float(vmovn_u32(a.v[0]))}}; }
  [[gnu::always_inline]] static I load_words(const uint8_t* base, size_t stride) {
    const auto row = [&](size_t i) { return vreinterpretq_u32_u8(vld1q_u8(base + i * stride)); };
    return {{vzip1q_u32(vzip1q_u32(row(0), row(2)), vzip1q_u32(row(1), row(3)))}};
  }
  [[gnu::always_inline]] static I gather_words(const uint8_t* base, size_t stride) {
    uint32_t x[4];
    for (size_t i = 0; i < 4; ++i) std::memcpy(&x[i], base + i * stride, 4);
    return {{uint32x4_t{x[0], x[1], x[2], x[3]}}};
  }
  [[gnu::always_inline]] static F gather_half(const uint8_t* base, size_t stride) {
    uint16_t x[4];
    for (size_t i = 0; i < 4; ++i) std::memcpy(&x[i], base + i * stride, 2);
    return {{One::half_to_float(uint16x4_t{x[0], x[1], x[2], x[3]})}};
  }

 private:
  [[gnu::always_inline]] static int32x4_t to_signed(const I& a) { return vreinterpretq_s32_u32(a.v[0]); }
  [[gnu::always_inline]] static I from_signed(int32x4_t a) { return {{vreinterpretq_u32_s32(a)}}; }
};

// 16 lanes, for all kernels but the int8 products.
struct Neon : NeonVectors<4> {
#if defined(__ARM_FEATURE_MATMUL_INT8)
  static constexpr const char* kName = "neon_i8mm";
#else
  static constexpr const char* kName = "neon_dotprod";
#endif
  using RowVectors = NeonRows;
  static constexpr int kTokens = NeonRows::kTokens;
  static constexpr int kFloatRows = 2;
  static constexpr int kFloatTokens = 2;
  static constexpr int kKvVectors = 1;

  [[gnu::always_inline]] static F load_i8(const void* p) {
    const int8x16_t raw = vld1q_s8(static_cast<const int8_t*>(p));
    const int16x8_t low = vmovl_s8(vget_low_s8(raw));
    const int16x8_t high = vmovl_high_s8(raw);
    return {{vcvtq_f32_s32(vmovl_s16(vget_low_s16(low))), vcvtq_f32_s32(vmovl_high_s16(low)),
             vcvtq_f32_s32(vmovl_s16(vget_low_s16(high))), vcvtq_f32_s32(vmovl_high_s16(high))}};
  }
  [[gnu::always_inline]] static F load_nibbles_low(const void* p) {
    return bytes_to_float(vandq_u8(load16(p), vdupq_n_u8(15)));
  }
  [[gnu::always_inline]] static F load_nibbles_high(const void* p) { return bytes_to_float(vshrq_n_u8(load16(p), 4)); }
  [[gnu::always_inline]] static F load_e4m3(const void* p) {
    const uint8x16_t raw = load16(p);
    const uint16x8_t low = vmovl_u8(vget_low_u8(raw));
    const uint16x8_t high = vmovl_high_u8(raw);
    return {{One::e4m3(vget_low_u16(low)), One::e4m3(vget_high_u16(low)), One::e4m3(vget_low_u16(high)),
             One::e4m3(vget_high_u16(high))}};
  }

  [[gnu::always_inline]] static F abs(const F& a) {
    return each<F>([&](int i) { return vabsq_f32(a.v[i]); });
  }
  [[gnu::always_inline]] static F zero_below(const F& value, const F& x, float limit) {
    return each<F>([&](int i) {
      const uint32x4_t mask = vcgeq_f32(x.v[i], vdupq_n_f32(limit));
      return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(value.v[i]), mask));
    });
  }
  [[gnu::always_inline]] static F round(const F& a) {
    return each<F>([&](int i) { return vrndnq_f32(a.v[i]); });
  }
  [[gnu::always_inline]] static float reduce_add(const F& a) {
    const float32x4_t h4 = vaddq_f32(vaddq_f32(a.v[0], a.v[2]), vaddq_f32(a.v[1], a.v[3]));
    const float32x2_t h2 = vadd_f32(vget_low_f32(h4), vget_high_f32(h4));
    return vget_lane_f32(h2, 0) + vget_lane_f32(h2, 1);
  }
  [[gnu::always_inline]] static float reduce_max(const F& a) {
    const float32x4_t h4 = One::max(One::max(a.v[0], a.v[2]), One::max(a.v[1], a.v[3]));
    const float32x4_t h2 = One::max(h4, vextq_f32(h4, h4, 2));
    return vgetq_lane_f32(One::max(h2, vextq_f32(h2, h2, 1)), 0);
  }
  [[gnu::always_inline]] static float first(const F& a) { return vgetq_lane_f32(a.v[0], 0); }

  [[gnu::always_inline]] static void store_i8(int8_t* p, const F& a) {
    const int16x8_t low = vcombine_s16(vqmovn_s32(vcvtq_s32_f32(a.v[0])), vqmovn_s32(vcvtq_s32_f32(a.v[1])));
    const int16x8_t high = vcombine_s16(vqmovn_s32(vcvtq_s32_f32(a.v[2])), vqmovn_s32(vcvtq_s32_f32(a.v[3])));
    vst1q_s8(p, vcombine_s8(vqmovn_s16(low), vqmovn_s16(high)));
  }

 private:
  [[gnu::always_inline]] static uint8x16_t load16(const void* p) { return vld1q_u8(static_cast<const uint8_t*>(p)); }
  [[gnu::always_inline]] static F bytes_to_float(uint8x16_t raw) {
    const uint16x8_t low = vmovl_u8(vget_low_u8(raw));
    const uint16x8_t high = vmovl_high_u8(raw);
    return {{vcvtq_f32_u32(vmovl_u16(vget_low_u16(low))), vcvtq_f32_u32(vmovl_high_u16(low)),
             vcvtq_f32_u32(vmovl_u16(vget_low_u16(high))), vcvtq_f32_u32(vmovl_high_u16(high))}};
  }
};

}  // namespace
}  // namespace emelex::cpu
