#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/simd/avx512.h"

// What AVX-512 has for bfloat16 (BF16). Numbers below the least normal float count as zero, of operands and of results.

namespace emelex::cpu {
namespace {

struct Avx512Bf16 : Avx512 {
  // acc + the products of two columns of each row with those of a token, the second column first
  [[gnu::always_inline]] static F bf16_dot(F acc, U w, U x) {
    return _mm512_dpbf16_ps(acc, __builtin_bit_cast(__m512bh, w.v), __builtin_bit_cast(__m512bh, x.v));
  }

  static void round_row(const float* x, int n, uint16_t* out) {
    for (int i = 0; i < n; i += kLanes) {
      const int rest = n - i < kLanes ? n - i : kLanes;
      const auto some = static_cast<__mmask16>((1U << static_cast<unsigned>(rest)) - 1);
      const __m256bh rounded = _mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(some, x + i));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i), __builtin_bit_cast(__m256i, rounded));
    }
  }
};

}  // namespace
}  // namespace emelex::cpu
