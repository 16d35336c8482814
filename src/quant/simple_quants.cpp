#include "quant/simple_quants.h"

#include "quant/bytes.h"

namespace emelex {
namespace {

// Value `i` of 32: four bits in 16 bytes, and its fifth bit in four more.
int four_bits(const std::byte* pairs, int i) { return bits_at(pairs + i % 16, i / 16 * 4, 4); }
int five_bits(const std::byte* fifths, const std::byte* pairs, int i) {
  return four_bits(pairs, i) | (bits_at(fifths + i / 8, i % 8, 1) << 4);
}

}  // namespace

void dequantize_q4_0(const std::byte* block, float* to) {
  const float scale = half_at(block);
  for (int i = 0; i < 32; ++i) to[i] = static_cast<float>(four_bits(block + 2, i) - 8) * scale;
}

void dequantize_q4_1(const std::byte* block, float* to) {
  const float scale = half_at(block);
  const float minimum = half_at(block + 2);
  for (int i = 0; i < 32; ++i) to[i] = static_cast<float>(four_bits(block + 4, i)) * scale + minimum;
}

void dequantize_q5_0(const std::byte* block, float* to) {
  const float scale = half_at(block);
  for (int i = 0; i < 32; ++i) to[i] = static_cast<float>(five_bits(block + 2, block + 6, i) - 16) * scale;
}

void dequantize_q5_1(const std::byte* block, float* to) {
  const float scale = half_at(block);
  const float minimum = half_at(block + 2);
  for (int i = 0; i < 32; ++i) to[i] = static_cast<float>(five_bits(block + 4, block + 8, i)) * scale + minimum;
}

void dequantize_q8_0(const std::byte* block, float* to) {
  const float scale = half_at(block);
  for (int i = 0; i < 32; ++i) to[i] = static_cast<float>(static_cast<int8_t>(byte_at(block + 2 + i))) * scale;
}

}  // namespace emelex
