#pragma once

#include <cstddef>

// Blocks of 32 values with one scale, as GGUF lays them out:
//   Q4_0  f16 scale, 16 bytes                            x = (q - 8) * scale
//   Q4_1  f16 scale, f16 minimum, 16 bytes               x = q * scale + minimum
//   Q5_0  f16 scale, 32 fifth bits, 16 bytes             x = (q - 16) * scale
//   Q5_1  f16 scale, f16 minimum, 32 fifth bits, 16 bytes
//   Q8_0  f16 scale, 32 signed bytes                     x = q * scale
// Of a byte with two 4-bit values, byte i holds value i in its low half and value i + 16 in its high half.
namespace emelex {

void dequantize_q4_0(const std::byte* block, float* to);
void dequantize_q4_1(const std::byte* block, float* to);
void dequantize_q5_0(const std::byte* block, float* to);
void dequantize_q5_1(const std::byte* block, float* to);
void dequantize_q8_0(const std::byte* block, float* to);

// By ggml's reference rounding: the farthest values become the ends of the range.
void quantize_q4_0(const float* from, std::byte* to);
void quantize_q4_1(const float* from, std::byte* to);
void quantize_q5_0(const float* from, std::byte* to);
void quantize_q5_1(const float* from, std::byte* to);
void quantize_q8_0(const float* from, std::byte* to);

}  // namespace emelex
