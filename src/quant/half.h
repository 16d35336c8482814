#pragma once

#include <cstdint>

// float16 and bfloat16 to float32 and back, exact on every machine: for reference code, where speed does not matter.
// The functions are static and use no library templates, because files compiled for different instruction sets
// include this: each must keep its own copy.
namespace emelex {

static constexpr uint32_t float_bits(float x) { return __builtin_bit_cast(uint32_t, x); }
static constexpr float float_from_bits(uint32_t bits) { return __builtin_bit_cast(float, bits); }

// IEEE 754 binary16. Every value has its float32; a NaN keeps its sign and payload.
static constexpr float half_to_float(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000U) << 16;
  const uint32_t exponent = (half >> 10) & 0x1FU;
  const uint32_t mantissa = half & 0x3FFU;
  if (exponent == 0) {  // zero and subnormals: multiples of 2^-24
    return float_from_bits(sign | float_bits(static_cast<float>(mantissa) * 0x1p-24F));
  }
  if (exponent == 0x1F) return float_from_bits(sign | 0x7F800000U | (mantissa << 13));
  return float_from_bits(sign | ((exponent + 112) << 23) | (mantissa << 13));
}

// Rounds to nearest, ties to even; from 65,520 up to infinity. A NaN stays one and keeps the payload's upper bits.
static constexpr uint16_t float_to_half(float x) {
  const uint32_t bits = float_bits(x);
  const uint32_t sign = (bits >> 16) & 0x8000U;
  const uint32_t magnitude = bits & 0x7FFFFFFFU;
  if (magnitude > 0x7F800000U) {
    const uint32_t payload = (magnitude >> 13) & 0x3FFU;
    return static_cast<uint16_t>(sign | 0x7C00U | (payload != 0 ? payload : 0x200U));
  }
  if (magnitude >= 0x477FF000U) return static_cast<uint16_t>(sign | 0x7C00U);
  if (magnitude < 0x38800000U) {
    // Below 2^-14 halves are multiples of 2^-24, the step of floats from 0.5 to 1: the addition rounds.
    return static_cast<uint16_t>(sign | (float_bits(float_from_bits(magnitude) + 0.5F) - float_bits(0.5F)));
  }
  const uint32_t rounded = magnitude + 0xFFFU + ((magnitude >> 13) & 1U);
  return static_cast<uint16_t>(sign | ((rounded - 0x38000000U) >> 13));
}

static constexpr float bfloat16_to_float(uint16_t bfloat16) {
  return float_from_bits(static_cast<uint32_t>(bfloat16) << 16);
}

// Rounds to nearest, ties to even. A NaN becomes a quiet one.
static constexpr uint16_t float_to_bfloat16(float x) {
  const uint32_t bits = float_bits(x);
  if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return static_cast<uint16_t>((bits >> 16) | 0x40U);
  return static_cast<uint16_t>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16);
}

}  // namespace emelex
