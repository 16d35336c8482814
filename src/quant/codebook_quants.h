#pragma once

#include <cstddef>
#include <cstdint>

// Four bits that name one of 16 fixed values.
//   IQ4_NL  32 values: f16 scale, 16 bytes             x = scale · kIq4Values[q]
//   IQ4_XS  256 values in 8 groups of 32: f16 d, 6-bit group scales   x = d · (scale - 32) · kIq4Values[q]
//   MXFP4   32 values: an exponent, 16 bytes           x = 2^(exponent - 128) · kMxfp4Values[q]
// The OCP Microscaling Formats specification 1.0 defines MXFP4; its values are doubled here, and the power halved.
namespace emelex {

inline constexpr int8_t kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
inline constexpr int8_t kMxfp4Values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

// 2^(exponent - 128).
float mxfp4_scale(uint8_t exponent);

void dequantize_iq4_nl(const std::byte* block, float* to);
void dequantize_iq4_xs(const std::byte* block, float* to);
void dequantize_mxfp4(const std::byte* block, float* to);

// With scales searched for; see quantize.h for `importance`. `to` is zeroed before.
void quantize_iq4_nl(const float* from, const float* importance, std::byte* to);
void quantize_iq4_xs(const float* from, const float* importance, std::byte* to);
void quantize_mxfp4(const float* from, const float* importance, std::byte* to);

}  // namespace emelex
