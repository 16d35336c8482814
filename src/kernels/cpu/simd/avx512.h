#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

// The 16-lane vectors as AVX-512 registers (F, BW, DQ, VL and VNNI). What each function means: simd/scalar.h.

namespace emelex::cpu {
namespace {

struct Avx512 {
  static constexpr const char* kName = "avx512";
  using RowVectors = Avx512;
  static constexpr int kRows = 16;
  static constexpr int kTokens = 4;
  static constexpr int kRowGroups = 2;
  static constexpr int kFileGroups = 1;
  static constexpr int kStreams = 4;
  static constexpr bool kTiles = true;
  static constexpr bool kSignedWeights = false;
  static constexpr bool kTokenPairs = false;
  static constexpr bool kTwoDotChains = true;
  static constexpr bool kAlwaysUnpacks = false;
  static constexpr int kPlainGroups = 4;
  static constexpr int kPlainTokens = 4;
  static constexpr int kFloatRows = 4;
  static constexpr int kFloatTokens = 4;
  static constexpr int kKvVectors = 4;

  using F = __m512;
  using I = __m512i;
  struct U {
    __m512i v;
  };

  [[gnu::always_inline]] static F set(float x) { return _mm512_set1_ps(x); }
  [[gnu::always_inline]] static F zero() { return _mm512_setzero_ps(); }
  [[gnu::always_inline]] static F load(const float* p) { return _mm512_loadu_ps(p); }
  [[gnu::always_inline]] static void store(float* p, F a) { _mm512_storeu_ps(p, a); }
  [[gnu::always_inline]] static F load(const uint16_t* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  [[gnu::always_inline]] static void store(uint16_t* p, F a) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                        _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  }
  [[gnu::always_inline]] static F load_bf16(const uint16_t* p) {
    const __m256i raw = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(raw), 16));
  }
  [[gnu::always_inline]] static __m128i load16(const void* p) {
    return _mm_loadu_si128(static_cast<const __m128i*>(p));
  }
  [[gnu::always_inline]] static F load_i8(const void* p) { return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(load16(p))); }
  [[gnu::always_inline]] static F load_nibbles_low(const void* p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_and_si128(load16(p), _mm_set1_epi8(15))));
  }
  [[gnu::always_inline]] static F load_nibbles_high(const void* p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_and_si128(_mm_srli_epi16(load16(p), 4), _mm_set1_epi8(15))));
  }

  [[gnu::always_inline]] static F add(F a, F b) { return _mm512_add_ps(a, b); }
  [[gnu::always_inline]] static F sub(F a, F b) { return _mm512_sub_ps(a, b); }
  [[gnu::always_inline]] static F mul(F a, F b) { return _mm512_mul_ps(a, b); }
  [[gnu::always_inline]] static F div(F a, F b) { return _mm512_div_ps(a, b); }
  [[gnu::always_inline]] static F max(F a, F b) { return _mm512_max_ps(a, b); }
  [[gnu::always_inline]] static F min(F a, F b) { return _mm512_min_ps(a, b); }
  [[gnu::always_inline]] static F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
  [[gnu::always_inline]] static F abs(F a) { return _mm512_abs_ps(a); }
  [[gnu::always_inline]] static F zero_below(F value, F x, float limit) {
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, set(limit), _CMP_GE_OQ), value);
  }
  [[gnu::always_inline]] static F round(F a) {
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  [[gnu::always_inline]] static F pow2(F n) {
    const __m512i biased = _mm512_add_epi32(_mm512_cvttps_epi32(n), _mm512_set1_epi32(127));
    return _mm512_castsi512_ps(_mm512_slli_epi32(biased, 23));
  }
  [[gnu::always_inline]] static float reduce_add(F a) {
    const __m256 h8 = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    const __m128 h4 = _mm_add_ps(_mm256_castps256_ps128(h8), _mm256_extractf128_ps(h8, 1));
    const __m128 h2 = _mm_add_ps(h4, _mm_movehl_ps(h4, h4));
    return _mm_cvtss_f32(_mm_add_ss(h2, _mm_movehdup_ps(h2)));
  }
  [[gnu::always_inline]] static float reduce_max(F a) { return _mm512_reduce_max_ps(a); }

  [[gnu::always_inline]] static float first(F a) { return _mm512_cvtss_f32(a); }

  [[gnu::always_inline]] static I set_i(int32_t x) { return _mm512_set1_epi32(x); }
  [[gnu::always_inline]] static I times_256(I a) { return _mm512_slli_epi32(a, 8); }
  template <int kShift>
  [[gnu::always_inline]] static I sub_shifted(I a, int32_t x) {
    return _mm512_sub_epi32(a, _mm512_slli_epi32(_mm512_set1_epi32(x), kShift));
  }
  [[gnu::always_inline]] static I sub_scaled(I a, int32_t x, int factor) {
    const __m512i shift = _mm512_set1_epi32(__builtin_ctz(static_cast<unsigned>(factor)));
    return _mm512_sub_epi32(a, _mm512_sllv_epi32(_mm512_set1_epi32(x), shift));
  }
  [[gnu::always_inline]] static I add_words(I a, I b) { return _mm512_add_epi32(a, b); }
  [[gnu::always_inline]] static F to_float(I a) { return _mm512_cvtepi32_ps(a); }
  [[gnu::always_inline]] static void store_i8(int8_t* p, F a) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(a)));
  }

  [[gnu::always_inline]] static U load_u(const void* p) { return {_mm512_loadu_si512(p)}; }
  [[gnu::always_inline]] static void store_u(void* p, U a) { _mm512_storeu_si512(p, a.v); }
  [[gnu::always_inline]] static void read_after(F loaded, const std::byte*& at) { asm("" : "+r"(at) : "v"(loaded)); }
  [[gnu::always_inline]] static void read_after(U loaded, const std::byte*& at) { asm("" : "+r"(at) : "v"(loaded.v)); }
  [[gnu::always_inline]] static U broadcast4(const void* p) {
    int32_t x;
    std::memcpy(&x, p, 4);
    return {_mm512_set1_epi32(x)};
  }
  using X = U;
  [[gnu::always_inline]] static X activations(const int8_t* p, int g) { return broadcast4(p + 4 * g); }
  [[gnu::always_inline]] static U low_nibbles(U a) { return {_mm512_and_si512(a.v, _mm512_set1_epi8(15))}; }
  [[gnu::always_inline]] static U high_nibbles(U a) {
    return {_mm512_and_si512(_mm512_srli_epi16(a.v, 4), _mm512_set1_epi8(15))};
  }
  [[gnu::always_inline]] static U flip_sign(U a) {
    return {_mm512_xor_si512(a.v, _mm512_set1_epi8(static_cast<char>(0x80)))};
  }
  [[gnu::always_inline]] static U add_bytes(U a, U b) { return {_mm512_add_epi8(a.v, b.v)}; }
  [[gnu::always_inline]] static U or_(U a, U b) { return {_mm512_or_si512(a.v, b.v)}; }
  [[gnu::always_inline]] static U field(U a, int shift, uint8_t mask) {
    return {
        _mm512_and_si512(_mm512_srl_epi16(a.v, _mm_cvtsi32_si128(shift)), _mm512_set1_epi8(static_cast<char>(mask)))};
  }
  [[gnu::always_inline]] static U or_field(U low, U a, int shift, uint8_t mask) {
    // What a rotation brings in from the word's other bytes is masked.
    const __m512i moved = _mm512_rorv_epi32(a.v, _mm512_set1_epi32(shift));
    return {_mm512_ternarylogic_epi32(low.v, moved, _mm512_set1_epi8(static_cast<char>(mask)), 0xF8)};
  }
  [[gnu::always_inline]] static U shift_up(U a, int shift) { return {_mm512_sll_epi16(a.v, _mm_cvtsi32_si128(shift))}; }
  [[gnu::always_inline]] static U lookup(const uint8_t table[16], U index) {
    return {_mm512_shuffle_epi8(_mm512_broadcast_i32x4(load16(table)), index.v)};
  }
  [[gnu::always_inline]] static I words(U a) { return a.v; }
  [[gnu::always_inline]] static I load_bytes(const void* p) { return _mm512_cvtepu8_epi32(load16(p)); }
  [[gnu::always_inline]] static I load_signed_bytes(const void* p) { return _mm512_cvtepi8_epi32(load16(p)); }
  [[gnu::always_inline]] static I bits(I a, int shift, int32_t mask) {
    return _mm512_and_si512(_mm512_srl_epi32(a, _mm_cvtsi32_si128(shift)), _mm512_set1_epi32(mask));
  }
  [[gnu::always_inline]] static I shift_words(I a, int shift) { return _mm512_sll_epi32(a, _mm_cvtsi32_si128(shift)); }
  [[gnu::always_inline]] static I or_words(I a, I b) { return _mm512_or_si512(a, b); }
  [[gnu::always_inline]] static I signed_byte(I a, int byte) {
    return _mm512_srai_epi32(_mm512_sll_epi32(a, _mm_cvtsi32_si128(24 - 8 * byte)), 24);
  }
  [[gnu::always_inline]] static U spread_bits(I a, int shift) {
    // Copies of the four bits so that each lands on the lowest bit of a byte.
    const __m512i copies = _mm512_mullo_epi32(bits(a, shift, 15), _mm512_set1_epi32(0x00204081));
    return {_mm512_and_si512(copies, _mm512_set1_epi8(1))};
  }
  // mask ? a : b, bit by bit
  [[gnu::always_inline]] static __m512i select(__m512i mask, __m512i a, __m512i b) {
    return _mm512_ternarylogic_epi32(mask, a, b, 0xCA);
  }
  template <int kBits>
  [[gnu::always_inline]] static U spread(I a) {
    // Fields 2 and 3 to the upper half of the word, then the second field of each half to its second byte.
    const __m512i upper = _mm512_slli_epi32(a, 16 - 2 * kBits);
    const __m512i halves = select(_mm512_set1_epi32(static_cast<int32_t>(0xFFFF0000)), upper, a);
    const __m512i odd = _mm512_slli_epi16(halves, 8 - kBits);
    const __m512i bytes = select(_mm512_set1_epi16(static_cast<int16_t>(0xFF00)), odd, halves);
    return {_mm512_and_si512(bytes, _mm512_set1_epi8((1 << kBits) - 1))};
  }
  [[gnu::always_inline]] static void spread_nibbles(U a, U& first, U& second) {
    const __m512i mask = _mm512_set1_epi8(15);
    const __m512i even = _mm512_and_si512(a.v, mask);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi16(a.v, 4), mask);
    const __m512 low = _mm512_castsi512_ps(_mm512_unpacklo_epi8(even, odd));  // both words of two lanes
    const __m512 high = _mm512_castsi512_ps(_mm512_unpackhi_epi8(even, odd));
    first.v = _mm512_castps_si512(_mm512_shuffle_ps(low, high, 0x88));
    second.v = _mm512_castps_si512(_mm512_shuffle_ps(low, high, 0xDD));
  }
  template <int kShift>
  [[gnu::always_inline]] static I word_at(I low, I high) {
    return _mm512_or_si512(_mm512_srli_epi32(low, kShift), _mm512_slli_epi32(high, 32 - kShift));
  }
  [[gnu::always_inline]] static F as_float(I a) { return _mm512_castsi512_ps(a); }
  [[gnu::always_inline]] static F e4m3(__m256i words) {  // of 16 bits
    const __m256i all_ones = _mm256_set1_epi16(0x7F);
    const __m256i magnitude = _mm256_and_si256(words, all_ones);
    const __m256i sign = _mm256_slli_epi16(_mm256_andnot_si256(all_ones, words), 8);
    const __m256i nan = _mm256_and_si256(_mm256_cmpeq_epi16(magnitude, all_ones), _mm256_set1_epi16(0x7E00));
    const __m256i half = _mm256_or_si256(_mm256_or_si256(_mm256_slli_epi16(magnitude, 7), sign), nan);
    return _mm512_mul_ps(_mm512_set1_ps(256.0F), _mm512_cvtph_ps(half));
  }
  [[gnu::always_inline]] static F e4m3(I a) { return e4m3(_mm512_cvtepi32_epi16(a)); }
  [[gnu::always_inline]] static F load_e4m3(const void* p) { return e4m3(_mm256_cvtepu8_epi16(load16(p))); }
  [[gnu::always_inline]] static void halves(I a, F& low, F& high) {
    low = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(a));
    high = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32(a, 16)));
  }
  [[gnu::always_inline]] static void store_halves(void* low, void* high, I a) {
    _mm256_storeu_si256(static_cast<__m256i*>(low), _mm512_cvtepi32_epi16(a));
    _mm256_storeu_si256(static_cast<__m256i*>(high), _mm512_cvtepi32_epi16(_mm512_srli_epi32(a, 16)));
  }
  [[gnu::always_inline]] static I gather_words(const uint8_t* base, size_t stride) {
    int32_t raw[16];
    for (size_t i = 0; i < 16; ++i) std::memcpy(&raw[i], base + i * stride, 4);
    return _mm512_loadu_si512(raw);
  }
  [[gnu::always_inline]] static I dot(I acc, U u, U s) { return _mm512_dpbusd_epi32(acc, u.v, s.v); }
  [[gnu::always_inline]] static I dot_small(I acc, U u, U s) { return dot(acc, u, s); }

  // 128-bit lane j of part[i] is the 16 bytes at row 4j + i, so that transposing 4 × 4 words inside the lanes puts the
  // rows in order.
  [[gnu::always_inline]] static void load_rows(const uint8_t* base, size_t stride, __m512i part[4]) {
    // Kept from the compiler, which would hold 16 row pointers and spill them.

    const uint8_t* base4 = base + 4 * stride;
    const uint8_t* base8 = base + 8 * stride;
    const uint8_t* base12 = base4 + 8 * stride;
    asm("" : "+r"(base4), "+r"(base8), "+r"(base12));
    for (size_t i = 0; i < 4; ++i) {
      const size_t at = i * stride;
      __m512i v = _mm512_castsi128_si512(load16(base + at));
      v = _mm512_mask_broadcast_i32x4(v, 0x00F0, load16(base4 + at));
      v = _mm512_mask_broadcast_i32x4(v, 0x0F00, load16(base8 + at));
      part[i] = _mm512_mask_broadcast_i32x4(v, 0xF000, load16(base12 + at));
    }
  }
  [[gnu::always_inline]] static void load_transposed(const uint8_t* base, size_t stride, U out[4]) {
    __m512i part[4];
    load_rows(base, stride, part);
    const __m512i ab_low = _mm512_unpacklo_epi32(part[0], part[1]);
    const __m512i ab_high = _mm512_unpackhi_epi32(part[0], part[1]);
    const __m512i cd_low = _mm512_unpacklo_epi32(part[2], part[3]);
    const __m512i cd_high = _mm512_unpackhi_epi32(part[2], part[3]);
    out[0].v = _mm512_unpacklo_epi64(ab_low, cd_low);
    out[1].v = _mm512_unpackhi_epi64(ab_low, cd_low);
    out[2].v = _mm512_unpacklo_epi64(ab_high, cd_high);
    out[3].v = _mm512_unpackhi_epi64(ab_high, cd_high);
  }
  [[gnu::always_inline]] static I load_words(const uint8_t* base, size_t stride) {
    __m512i part[4];
    load_rows(base, stride, part);
    return _mm512_unpacklo_epi64(_mm512_unpacklo_epi32(part[0], part[1]), _mm512_unpacklo_epi32(part[2], part[3]));
  }
  [[gnu::always_inline]] static F low_half(I a) { return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(a)); }
  [[gnu::always_inline]] static F gather_half(const uint8_t* base, size_t stride) {
    // One by one: a gather would read 4 bytes, past the end of the last row.
    __m256i h = _mm256_setzero_si256();
    uint16_t raw[16];
    for (size_t i = 0; i < 16; ++i) std::memcpy(&raw[i], base + i * stride, 2);
    std::memcpy(&h, raw, 32);
    return _mm512_cvtph_ps(h);
  }
};

}  // namespace
}  // namespace emelex::cpu
