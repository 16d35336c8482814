#include "quant/k_quants.h"

namespace emelex {
namespace {

struct ScaleAndMinimum {
  int scale;
  int minimum;
};

// Group `j` of the 8 in Q4_K's and Q5_K's 12 bytes of 6-bit numbers. The first four groups' lie in the low bits of
// bytes 0-3 (scales) and 4-7 (minima); the others have their low 4 bits in bytes 8-11 and the rest above the former.
ScaleAndMinimum scale_and_minimum(const std::byte* packed, int j) {
  if (j < 4) return {bits_at(packed + j, 0, 6), bits_at(packed + 4 + j, 0, 6)};
  return {bits_at(packed + 4 + j, 0, 4) | (bits_at(packed + j - 4, 6, 2) << 4),
          bits_at(packed + 4 + j, 4, 4) | (bits_at(packed + j, 6, 2) << 4)};
}

// Scale `j` of the 16 in Q3_K's 12 bytes: 8 bytes of low halves, then 4 of high bits.
int q3_scale(const std::byte* packed, int j) {
  return (bits_at(packed + j % 8, j / 8 * 4, 4) | (bits_at(packed + 8 + j % 4, j / 4 * 2, 2) << 4)) - 32;
}

}  // namespace

void dequantize_q2_k(const std::byte* block, float* to) {
  const std::byte* q = block + 16;
  const float d = half_at(block + 80);
  const float dmin = half_at(block + 82);
  for (int i = 0; i < kSuperBlock; ++i) {
    const float scale = d * static_cast<float>(bits_at(block + i / 16, 0, 4));
    const float minimum = dmin * static_cast<float>(bits_at(block + i / 16, 4, 4));
    to[i] = scale * static_cast<float>(bits_at(q, two_bit_place(i), 2)) - minimum;
  }
}

void dequantize_q3_k(const std::byte* block, float* to) {
  const std::byte* low = block + 32;
  const float d = half_at(block + 108);
  for (int i = 0; i < kSuperBlock; ++i) {
    const float scale = d * static_cast<float>(q3_scale(block + 96, i / 16));
    const int q = bits_at(low, two_bit_place(i), 2) + 4 * bits_at(block, one_bit_place(i), 1) - 4;
    to[i] = scale * static_cast<float>(q);
  }
}

void dequantize_q4_k(const std::byte* block, float* to) {
  const float d = half_at(block);
  const float dmin = half_at(block + 2);
  for (int i = 0; i < kSuperBlock; ++i) {
    const ScaleAndMinimum group = scale_and_minimum(block + 4, i / 32);
    const float scale = d * static_cast<float>(group.scale);
    const float minimum = dmin * static_cast<float>(group.minimum);
    to[i] = scale * static_cast<float>(bits_at(block + 16, four_bit_place(i), 4)) - minimum;
  }
}

void dequantize_q5_k(const std::byte* block, float* to) {
  const float d = half_at(block);
  const float dmin = half_at(block + 2);
  for (int i = 0; i < kSuperBlock; ++i) {
    const ScaleAndMinimum group = scale_and_minimum(block + 4, i / 32);
    const float scale = d * static_cast<float>(group.scale);
    const float minimum = dmin * static_cast<float>(group.minimum);
    const int q = bits_at(block + 48, four_bit_place(i), 4) + 16 * bits_at(block + 16, one_bit_place(i), 1);
    to[i] = scale * static_cast<float>(q) - minimum;
  }
}

void dequantize_q6_k(const std::byte* block, float* to) {
  const float d = half_at(block + 208);
  for (int i = 0; i < kSuperBlock; ++i) {
    const float scale = d * static_cast<float>(static_cast<int8_t>(byte_at(block + 192 + i / 16)));
    const int q = bits_at(block, q6_low_place(i), 4) + 16 * bits_at(block + 128, two_bit_place(i), 2) - 32;
    to[i] = scale * static_cast<float>(q);
  }
}

}  // namespace emelex
