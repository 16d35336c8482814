#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>

#include "quant/half.h"

// What the searches for scales share: a block's values made safe to compute with, and sums in fixed lanes, so that
// every machine finds the same scales.
namespace emelex {

using Float4 = float __attribute__((vector_size(16)));

inline Float4 load4(const float* from) {
  Float4 result;
  std::memcpy(&result, from, sizeof(result));
  return result;
}
inline Float4 all4(float x) { return Float4{x, x, x, x}; }
inline float sum4(Float4 x) { return (x[0] + x[1]) + (x[2] + x[3]); }
inline Float4 clamp4(Float4 x, Float4 least, Float4 most) {
  x = x < least ? least : x;
  return x > most ? most : x;
}
// To the nearest integer, ties to even, for |x| below 2^22: the sum has no bits left for fractions.
inline Float4 round4(Float4 x) { return (x + all4(0x1.8p23F)) - all4(0x1.8p23F); }

// The values of a block and how much each one's squared error counts, above 0 and at most 1.
template <int kSize>
struct WeightedBlock {
  alignas(16) float x[kSize];
  alignas(16) float w[kSize];

  // A NaN counts as 0. Magnitudes beyond what any type holds, or too small to be squared, become ones that are not.
  // `importance` is nullptr where all count the same.
  WeightedBlock(const float* from, const float* importance) {
    float most = 0;
    for (int i = 0; i < kSize; ++i) {
      const bool tiny = !(std::abs(from[i]) > 1e-15F);
      x[i] = tiny ? 0.0F : std::clamp(from[i], -1e9F, 1e9F);
      w[i] = 1.0F;
      if (importance != nullptr) most = std::max(most, importance[i]);
    }
    if (!(most > 0)) return;
    for (int i = 0; i < kSize; ++i) w[i] = std::max(importance[i] / most, 1e-6F);
  }
};

// The nearest float16 that is neither 0, unless x is, nor infinite.
inline float usable_half(float x) {
  const float half = half_to_float(float_to_half(x));
  if (half == 0.0F && x != 0.0F) return std::copysign(0x1p-24F, x);
  return std::clamp(half, -65504.0F, 65504.0F);
}

}  // namespace emelex
