#pragma once

#include <cstddef>

// 256 values of -1, 0 and 1 times one f16 scale.
//   TQ1_0  52 bytes of base-3 digits, f16 scale
//   TQ2_0  64 bytes of 2 bits (value + 1), f16 scale
// A byte of TQ1_0 holds the fraction 0.d1d2d3d4d5 in base 3, times 256 and rounded up: times 3, the part above the byte
// is the first digit.
namespace emelex {

// A run of TQ1_0's bytes: their first digits come first, then their second digits, and so on.
struct DigitRun {
  int first_byte;
  int bytes;
  int digits;  // in a byte
};
inline constexpr DigitRun kDigitRuns[] = {{0, 32, 5}, {32, 16, 5}, {48, 4, 4}};

void dequantize_tq1_0(const std::byte* block, float* to);
void dequantize_tq2_0(const std::byte* block, float* to);

// With the scale of the least error; see quantize.h for `importance`. `to` is zeroed before.
void quantize_tq1_0(const float* from, const float* importance, std::byte* to);
void quantize_tq2_0(const float* from, const float* importance, std::byte* to);

}  // namespace emelex
