#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

// The 16-lane vectors as pairs of AVX2 registers (with FMA and F16C). What each function means: simd/scalar.h.

namespace emelex::cpu {
namespace {

struct Avx2 {
  static constexpr const char* kName = "avx2";
  using RowVectors = Avx2;
  static constexpr int kRows = 16;
  static constexpr int kTokens = 2;
  static constexpr int kRowGroups = 1;
  static constexpr int kFileGroups = 1;
  static constexpr int kStreams = 1;
  static constexpr bool kTiles = false;
  static constexpr bool kSignedWeights = false;
  static constexpr bool kTokenPairs = false;
  static constexpr bool kTwoDotChains = false;
  static constexpr bool kAlwaysUnpacks = false;
  static constexpr int kPlainGroups = 1;
  static constexpr int kPlainTokens = 4;
  static constexpr int kFloatRows = 2;
  static constexpr int kFloatTokens = 2;
  static constexpr int kKvVectors = 4;

  struct F {
    __m256 lo, hi;
  };
  struct I {
    __m256i lo, hi;
  };
  struct U {
    __m256i lo, hi;
  };

  [[gnu::always_inline]] static F set(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
  [[gnu::always_inline]] static F zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
  [[gnu::always_inline]] static F load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
  [[gnu::always_inline]] static void store(float* p, F a) {
    _mm256_storeu_ps(p, a.lo);
    _mm256_storeu_ps(p + 8, a.hi);
  }
  [[gnu::always_inline]] static __m128i load16(const void* p) {
    return _mm_loadu_si128(static_cast<const __m128i*>(p));
  }
  [[gnu::always_inline]] static F load(const uint16_t* p) {
    return {_mm256_cvtph_ps(load16(p)), _mm256_cvtph_ps(load16(p + 8))};
  }
  [[gnu::always_inline]] static void store(uint16_t* p, F a) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(a.lo, _MM_FROUND_TO_NEAREST_INT));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 8), _mm256_cvtps_ph(a.hi, _MM_FROUND_TO_NEAREST_INT));
  }
  [[gnu::always_inline]] static __m256 widen_bf16(__m128i raw) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(raw), 16));
  }
  [[gnu::always_inline]] static F load_bf16(const uint16_t* p) {
    return {widen_bf16(load16(p)), widen_bf16(load16(p + 8))};
  }
  [[gnu::always_inline]] static F load_i8(const void* p) {
    const __m128i raw = load16(p);
    return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(raw)),
            _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(raw, 8)))};
  }
  [[gnu::always_inline]] static F load_nibbles_low(const void* p) {
    return bytes_to_float(_mm_and_si128(load16(p), _mm_set1_epi8(15)));
  }
  [[gnu::always_inline]] static F load_nibbles_high(const void* p) {
    return bytes_to_float(_mm_and_si128(_mm_srli_epi16(load16(p), 4), _mm_set1_epi8(15)));
  }

  [[gnu::always_inline]] static F add(F a, F b) { return {_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)}; }
  [[gnu::always_inline]] static F sub(F a, F b) { return {_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)}; }
  [[gnu::always_inline]] static F mul(F a, F b) { return {_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)}; }
  [[gnu::always_inline]] static F div(F a, F b) { return {_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)}; }
  [[gnu::always_inline]] static F max(F a, F b) { return {_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)}; }
  [[gnu::always_inline]] static F min(F a, F b) { return {_mm256_min_ps(a.lo, b.lo), _mm256_min_ps(a.hi, b.hi)}; }
  [[gnu::always_inline]] static F fma(F a, F b, F c) {
    return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
  }
  [[gnu::always_inline]] static F abs(F a) {
    const __m256 mask = _mm256_castsi256_ps(_mm256_set1_epi32(0x7FFFFFFF));
    return {_mm256_and_ps(a.lo, mask), _mm256_and_ps(a.hi, mask)};
  }
  [[gnu::always_inline]] static F zero_below(F value, F x, float limit) {
    const __m256 l = _mm256_set1_ps(limit);
    return {_mm256_and_ps(value.lo, _mm256_cmp_ps(x.lo, l, _CMP_GE_OQ)),
            _mm256_and_ps(value.hi, _mm256_cmp_ps(x.hi, l, _CMP_GE_OQ))};
  }
  [[gnu::always_inline]] static F round(F a) {
    constexpr int kMode = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
    return {_mm256_round_ps(a.lo, kMode), _mm256_round_ps(a.hi, kMode)};
  }
  [[gnu::always_inline]] static __m256 pow2(__m256 n) {
    const __m256i biased = _mm256_add_epi32(_mm256_cvttps_epi32(n), _mm256_set1_epi32(127));
    return _mm256_castsi256_ps(_mm256_slli_epi32(biased, 23));
  }
  [[gnu::always_inline]] static F pow2(F n) { return {pow2(n.lo), pow2(n.hi)}; }
  [[gnu::always_inline]] static float reduce_add(F a) {
    const __m256 h8 = _mm256_add_ps(a.lo, a.hi);
    const __m128 h4 = _mm_add_ps(_mm256_castps256_ps128(h8), _mm256_extractf128_ps(h8, 1));
    const __m128 h2 = _mm_add_ps(h4, _mm_movehl_ps(h4, h4));
    return _mm_cvtss_f32(_mm_add_ss(h2, _mm_movehdup_ps(h2)));
  }
  [[gnu::always_inline]] static float reduce_max(F a) {
    const __m256 h8 = _mm256_max_ps(a.lo, a.hi);
    const __m128 h4 = _mm_max_ps(_mm256_castps256_ps128(h8), _mm256_extractf128_ps(h8, 1));
    const __m128 h2 = _mm_max_ps(h4, _mm_movehl_ps(h4, h4));
    return _mm_cvtss_f32(_mm_max_ss(h2, _mm_movehdup_ps(h2)));
  }

  [[gnu::always_inline]] static float first(F a) { return _mm256_cvtss_f32(a.lo); }

  [[gnu::always_inline]] static I set_i(int32_t x) { return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
  [[gnu::always_inline]] static I times_256(I a) { return {_mm256_slli_epi32(a.lo, 8), _mm256_slli_epi32(a.hi, 8)}; }
  template <int kShift>
  [[gnu::always_inline]] static I sub_shifted(I a, int32_t x) {
    const __m256i shifted = _mm256_slli_epi32(_mm256_set1_epi32(x), kShift);
    return {_mm256_sub_epi32(a.lo, shifted), _mm256_sub_epi32(a.hi, shifted)};
  }
  [[gnu::always_inline]] static I sub_scaled(I a, int32_t x, int factor) {
    const __m256i shift = _mm256_set1_epi32(__builtin_ctz(static_cast<unsigned>(factor)));
    const __m256i shifted = _mm256_sllv_epi32(_mm256_set1_epi32(x), shift);
    return {_mm256_sub_epi32(a.lo, shifted), _mm256_sub_epi32(a.hi, shifted)};
  }
  [[gnu::always_inline]] static F to_float(I a) { return {_mm256_cvtepi32_ps(a.lo), _mm256_cvtepi32_ps(a.hi)}; }
  [[gnu::always_inline]] static void store_i8(int8_t* p, F a) {
    const __m256i lo = _mm256_cvtps_epi32(a.lo);
    const __m256i hi = _mm256_cvtps_epi32(a.hi);
    const __m128i lo16 = _mm_packs_epi32(_mm256_castsi256_si128(lo), _mm256_extracti128_si256(lo, 1));
    const __m128i hi16 = _mm_packs_epi32(_mm256_castsi256_si128(hi), _mm256_extracti128_si256(hi, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(lo16, hi16));
  }

  [[gnu::always_inline]] static U load_u(const void* p) {
    const auto* v = static_cast<const __m256i*>(p);
    return {_mm256_loadu_si256(v), _mm256_loadu_si256(v + 1)};
  }
  [[gnu::always_inline]] static void store_u(void* p, U a) {
    auto* v = static_cast<__m256i*>(p);
    _mm256_storeu_si256(v, a.lo);
    _mm256_storeu_si256(v + 1, a.hi);
  }
  [[gnu::always_inline]] static void read_after(F loaded, const std::byte*& at) {
    asm("" : "+r"(at) : "x"(loaded.lo), "x"(loaded.hi));
  }
  [[gnu::always_inline]] static void read_after(U loaded, const std::byte*& at) {
    asm("" : "+r"(at) : "x"(loaded.lo), "x"(loaded.hi));
  }
  [[gnu::always_inline]] static U broadcast4(const void* p) {
    int32_t x;
    std::memcpy(&x, p, 4);
    return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)};
  }
  using X = U;
  [[gnu::always_inline]] static X activations(const int8_t* p, int g) { return broadcast4(p + 4 * g); }
  [[gnu::always_inline]] static U low_nibbles(U a) {
    const __m256i mask = _mm256_set1_epi8(15);
    return {_mm256_and_si256(a.lo, mask), _mm256_and_si256(a.hi, mask)};
  }
  [[gnu::always_inline]] static U high_nibbles(U a) {
    return low_nibbles({_mm256_srli_epi16(a.lo, 4), _mm256_srli_epi16(a.hi, 4)});
  }
  [[gnu::always_inline]] static U flip_sign(U a) {
    const __m256i mask = _mm256_set1_epi8(static_cast<char>(0x80));
    return {_mm256_xor_si256(a.lo, mask), _mm256_xor_si256(a.hi, mask)};
  }
  [[gnu::always_inline]] static U add_bytes(U a, U b) {
    return {_mm256_add_epi8(a.lo, b.lo), _mm256_add_epi8(a.hi, b.hi)};
  }
  [[gnu::always_inline]] static U or_(U a, U b) { return {_mm256_or_si256(a.lo, b.lo), _mm256_or_si256(a.hi, b.hi)}; }
  [[gnu::always_inline]] static U field(U a, int shift, uint8_t mask) {
    const __m128i n = _mm_cvtsi32_si128(shift);
    const __m256i m = _mm256_set1_epi8(static_cast<char>(mask));
    return {_mm256_and_si256(_mm256_srl_epi16(a.lo, n), m), _mm256_and_si256(_mm256_srl_epi16(a.hi, n), m)};
  }
  [[gnu::always_inline]] static U or_field(U low, U a, int shift, uint8_t mask) {
    const U up = shift < 0 ? shift_up(a, -shift) : a;
    return or_(low, field(up, shift < 0 ? 0 : shift, mask));
  }
  [[gnu::always_inline]] static U shift_up(U a, int shift) {
    const __m128i n = _mm_cvtsi32_si128(shift);
    return {_mm256_sll_epi16(a.lo, n), _mm256_sll_epi16(a.hi, n)};
  }
  [[gnu::always_inline]] static U lookup(const uint8_t table[16], U index) {
    const __m256i t = _mm256_broadcastsi128_si256(load16(table));
    return {_mm256_shuffle_epi8(t, index.lo), _mm256_shuffle_epi8(t, index.hi)};
  }
  [[gnu::always_inline]] static I words(U a) { return {a.lo, a.hi}; }
  [[gnu::always_inline]] static I load_bytes(const void* p) {
    const __m128i raw = load16(p);
    return {_mm256_cvtepu8_epi32(raw), _mm256_cvtepu8_epi32(_mm_srli_si128(raw, 8))};
  }
  [[gnu::always_inline]] static I load_signed_bytes(const void* p) {
    const __m128i raw = load16(p);
    return {_mm256_cvtepi8_epi32(raw), _mm256_cvtepi8_epi32(_mm_srli_si128(raw, 8))};
  }
  [[gnu::always_inline]] static I bits(I a, int shift, int32_t mask) {
    const __m128i n = _mm_cvtsi32_si128(shift);
    const __m256i m = _mm256_set1_epi32(mask);
    return {_mm256_and_si256(_mm256_srl_epi32(a.lo, n), m), _mm256_and_si256(_mm256_srl_epi32(a.hi, n), m)};
  }
  [[gnu::always_inline]] static I shift_words(I a, int shift) {
    const __m128i n = _mm_cvtsi32_si128(shift);
    return {_mm256_sll_epi32(a.lo, n), _mm256_sll_epi32(a.hi, n)};
  }
  [[gnu::always_inline]] static I or_words(I a, I b) {
    return {_mm256_or_si256(a.lo, b.lo), _mm256_or_si256(a.hi, b.hi)};
  }
  [[gnu::always_inline]] static I signed_byte(I a, int byte) {
    const I up = shift_words(a, 24 - 8 * byte);
    return {_mm256_srai_epi32(up.lo, 24), _mm256_srai_epi32(up.hi, 24)};
  }
  [[gnu::always_inline]] static U spread_bits(I a, int shift) {
    // Copies of the four bits so that each lands on the lowest bit of a byte.
    const I four = bits(a, shift, 15);
    const __m256i copies = _mm256_set1_epi32(0x00204081);
    const __m256i one = _mm256_set1_epi8(1);
    return {_mm256_and_si256(_mm256_mullo_epi32(four.lo, copies), one),
            _mm256_and_si256(_mm256_mullo_epi32(four.hi, copies), one)};
  }
  template <int kBits>
  [[gnu::always_inline]] static __m256i spread(__m256i a) {
    // Fields 2 and 3 to the upper half of the word, then the second field of each half to its second byte.
    const __m256i halves = _mm256_blend_epi16(a, _mm256_slli_epi32(a, 16 - 2 * kBits), 0xAA);
    const __m256i even = _mm256_and_si256(halves, _mm256_set1_epi16((1 << kBits) - 1));
    const __m256i odd = _mm256_slli_epi16(halves, 8 - kBits);
    return _mm256_or_si256(even, _mm256_and_si256(odd, _mm256_set1_epi16(((1 << kBits) - 1) << 8)));
  }
  template <int kBits>
  [[gnu::always_inline]] static U spread(I a) {
    return {spread<kBits>(a.lo), spread<kBits>(a.hi)};
  }
  [[gnu::always_inline]] static void spread_nibbles(__m256i a, __m256i& first, __m256i& second) {
    const __m256i mask = _mm256_set1_epi8(15);
    const __m256i even = _mm256_and_si256(a, mask);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi16(a, 4), mask);
    const __m256 low = _mm256_castsi256_ps(_mm256_unpacklo_epi8(even, odd));  // both words of two lanes
    const __m256 high = _mm256_castsi256_ps(_mm256_unpackhi_epi8(even, odd));
    first = _mm256_castps_si256(_mm256_shuffle_ps(low, high, 0x88));
    second = _mm256_castps_si256(_mm256_shuffle_ps(low, high, 0xDD));
  }
  [[gnu::always_inline]] static void spread_nibbles(U a, U& first, U& second) {
    spread_nibbles(a.lo, first.lo, second.lo);
    spread_nibbles(a.hi, first.hi, second.hi);
  }
  template <int kShift>
  [[gnu::always_inline]] static I word_at(I low, I high) {
    return {_mm256_or_si256(_mm256_srli_epi32(low.lo, kShift), _mm256_slli_epi32(high.lo, 32 - kShift)),
            _mm256_or_si256(_mm256_srli_epi32(low.hi, kShift), _mm256_slli_epi32(high.hi, 32 - kShift))};
  }
  [[gnu::always_inline]] static F as_float(I a) { return {_mm256_castsi256_ps(a.lo), _mm256_castsi256_ps(a.hi)}; }
  [[gnu::always_inline]] static F e4m3(__m256i words) {  // of 16 bits
    const __m256i all_ones = _mm256_set1_epi16(0x7F);
    const __m256i magnitude = _mm256_and_si256(words, all_ones);
    const __m256i sign = _mm256_slli_epi16(_mm256_andnot_si256(all_ones, words), 8);
    const __m256i nan = _mm256_and_si256(_mm256_cmpeq_epi16(magnitude, all_ones), _mm256_set1_epi16(0x7E00));
    const __m256i half = _mm256_or_si256(_mm256_or_si256(_mm256_slli_epi16(magnitude, 7), sign), nan);
    return mul(set(256.0F), half_to_float(half));
  }
  [[gnu::always_inline]] static F e4m3(I a) { return e4m3(low_halves(a)); }
  [[gnu::always_inline]] static F load_e4m3(const void* p) { return e4m3(_mm256_cvtepu8_epi16(load16(p))); }
  [[gnu::always_inline]] static void halves(I a, F& low, F& high) {
    const __m256i mask = _mm256_set1_epi32(0xFFFF);
    low = half_to_float(low_halves({_mm256_and_si256(a.lo, mask), _mm256_and_si256(a.hi, mask)}));
    high = half_to_float(low_halves({_mm256_srli_epi32(a.lo, 16), _mm256_srli_epi32(a.hi, 16)}));
  }
  [[gnu::always_inline]] static void store_halves(void* low, void* high, I a) {
    const __m256i mask = _mm256_set1_epi32(0xFFFF);
    _mm256_storeu_si256(static_cast<__m256i*>(low),
                        low_halves({_mm256_and_si256(a.lo, mask), _mm256_and_si256(a.hi, mask)}));
    _mm256_storeu_si256(static_cast<__m256i*>(high),
                        low_halves({_mm256_srli_epi32(a.lo, 16), _mm256_srli_epi32(a.hi, 16)}));
  }
  [[gnu::always_inline]] static I gather_words(const uint8_t* base, size_t stride) {
    return {gather_words8(base, stride), gather_words8(base + 8 * stride, stride)};
  }
  [[gnu::always_inline]] static __m256i dot_small(__m256i acc, __m256i u, __m256i s) {
    // Pairs of products fit in 16 bits only while u is below 128: 2 · 127 · 128 < 2¹⁵.
    return _mm256_add_epi32(acc, _mm256_madd_epi16(_mm256_maddubs_epi16(u, s), _mm256_set1_epi16(1)));
  }
  [[gnu::always_inline]] static I dot_small(I acc, U u, U s) {
    return {dot_small(acc.lo, u.lo, s.lo), dot_small(acc.hi, u.hi, s.hi)};
  }
  [[gnu::always_inline]] static __m256i dot(__m256i acc, __m256i u, __m256i s) {
    // The top bit apart, so that no pair of products overflows 16 bits: -2¹⁵ = 2 · 128 · -128, 2 · 128 · 127 < 2¹⁵.
    const __m256i top = _mm256_set1_epi8(static_cast<char>(0x80));
    acc = dot_small(acc, _mm256_andnot_si256(top, u), s);
    return dot_small(acc, _mm256_and_si256(top, u), s);
  }
  [[gnu::always_inline]] static I dot(I acc, U u, U s) { return {dot(acc.lo, u.lo, s.lo), dot(acc.hi, u.hi, s.hi)}; }

  [[gnu::always_inline]] static void load_transposed(const uint8_t* base, size_t stride, U out[4]) {
    __m256i half[4];
    load_transposed8(base, stride, half);
    for (int i = 0; i < 4; ++i) out[i].lo = half[i];
    load_transposed8(base + 8 * stride, stride, half);
    for (int i = 0; i < 4; ++i) out[i].hi = half[i];
  }
  [[gnu::always_inline]] static I load_words(const uint8_t* base, size_t stride) { return gather_words(base, stride); }
  [[gnu::always_inline]] static F low_half(I a) { return half_to_float(low_halves(bits(a, 0, 0xFFFF))); }
  [[gnu::always_inline]] static F gather_half(const uint8_t* base, size_t stride) {
    uint16_t raw[16];
    for (size_t i = 0; i < 16; ++i) std::memcpy(&raw[i], base + i * stride, 2);
    return load(raw);
  }

 private:
  [[gnu::always_inline]] static F half_to_float(__m256i a) {
    return {_mm256_cvtph_ps(_mm256_castsi256_si128(a)), _mm256_cvtph_ps(_mm256_extracti128_si256(a, 1))};
  }
  // 16 words below 2¹⁶ as 16 bits each.
  [[gnu::always_inline]] static __m256i low_halves(I a) {
    return _mm256_permute4x64_epi64(_mm256_packus_epi32(a.lo, a.hi), 0xD8);
  }
  // One by one into a register: stores would have to reach the cache before they could be loaded as one.
  [[gnu::always_inline]] static __m256i gather_words8(const uint8_t* p, size_t stride) {
    const auto word = [&](size_t i) {
      int32_t x;
      std::memcpy(&x, p + i * stride, 4);
      return x;
    };
    return _mm256_setr_epi32(word(0), word(1), word(2), word(3), word(4), word(5), word(6), word(7));
  }
  [[gnu::always_inline]] static F bytes_to_float(__m128i raw) {
    return {_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(raw)),
            _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_srli_si128(raw, 8)))};
  }
  [[gnu::always_inline]] static void load_transposed8(const uint8_t* base, size_t stride, __m256i out[4]) {
    // 128-bit lane j of part[i] is row 4j + i; transposing 4 × 4 words inside the lanes then puts the rows in order.
    __m256i part[4];
    for (size_t i = 0; i < 4; ++i) {
      const uint8_t* row = base + i * stride;
      part[i] = _mm256_inserti128_si256(_mm256_castsi128_si256(load16(row)), load16(row + 4 * stride), 1);
    }
    const __m256i ab_low = _mm256_unpacklo_epi32(part[0], part[1]);
    const __m256i ab_high = _mm256_unpackhi_epi32(part[0], part[1]);
    const __m256i cd_low = _mm256_unpacklo_epi32(part[2], part[3]);
    const __m256i cd_high = _mm256_unpackhi_epi32(part[2], part[3]);
    out[0] = _mm256_unpacklo_epi64(ab_low, cd_low);
    out[1] = _mm256_unpackhi_epi64(ab_low, cd_low);
    out[2] = _mm256_unpacklo_epi64(ab_high, cd_high);
    out[3] = _mm256_unpackhi_epi64(ab_high, cd_high);
  }
};

}  // namespace
}  // namespace emelex::cpu
