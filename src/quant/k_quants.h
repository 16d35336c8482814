#pragma once

#include <cstddef>

#include "quant/bytes.h"

// The K-quants: 256 values in groups, each group with its own small integer scale (and minimum), which a float16 scale
// (and another for the minima) makes a number.
//   Q2_K  16 groups of 16  x = d·scale·q - dmin·minimum    q 2 bits; scale and minimum 4 bits
//   Q3_K  16 groups of 16  x = d·scale·q                   q -4 to 3; scale -32 to 31
//   Q4_K   8 groups of 32  x = d·scale·q - dmin·minimum    q 4 bits; scale and minimum 6 bits
//   Q5_K   8 groups of 32  the same with q of 5 bits
//   Q6_K  16 groups of 16  x = d·scale·q                   q -32 to 31; scale -128 to 127
// Layouts: the block structs of https://github.com/ggml-org/llama.cpp/blob/master/ggml/src/ggml-common.h
namespace emelex {

inline constexpr int kSuperBlock = 256;

void dequantize_q2_k(const std::byte* block, float* to);
void dequantize_q3_k(const std::byte* block, float* to);
void dequantize_q4_k(const std::byte* block, float* to);
void dequantize_q5_k(const std::byte* block, float* to);
void dequantize_q6_k(const std::byte* block, float* to);

// With scales and minima searched for; see quantize.h for `importance`. `to` is zeroed before.
void quantize_q2_k(const float* from, const float* importance, std::byte* to);
void quantize_q3_k(const float* from, const float* importance, std::byte* to);
void quantize_q4_k(const float* from, const float* importance, std::byte* to);
void quantize_q5_k(const float* from, const float* importance, std::byte* to);
void quantize_q6_k(const float* from, const float* importance, std::byte* to);

// Where the bits of one of 256 values lie: a byte and the lowest bit in it.
struct BitPlace {
  int byte;
  int shift;
};
// 64 bytes of 2 bits: each 32 bytes hold 4 runs of 32 values.
inline BitPlace two_bit_place(int i) { return {i / 128 * 32 + i % 32, i / 32 % 4 * 2}; }
// 128 bytes of 4 bits: each 32 bytes hold 2 runs of 32 values. Q6_K pairs runs that are 64 apart instead.
inline BitPlace four_bit_place(int i) { return {i / 64 * 32 + i % 32, i / 32 % 2 * 4}; }
inline BitPlace q6_low_place(int i) { return {i / 128 * 64 + i % 64, i / 64 % 2 * 4}; }
// 32 bytes of 1 bit: 8 runs of 32 values.
inline BitPlace one_bit_place(int i) { return {i % 32, i / 32}; }

inline int bits_at(const std::byte* from, BitPlace place, int bits) {
  return bits_at(from + place.byte, place.shift, bits);
}
inline void add_bits(std::byte* to, BitPlace place, int value) { add_bits(to + place.byte, place.shift, value); }

}  // namespace emelex
