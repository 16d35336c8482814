#include "quant/codebook_quants.h"

#include "quant/bytes.h"

namespace emelex {
namespace {

// 32 values: byte i holds value i in its low half and value i + 16 in its high half.
void dequantize_group(const std::byte* pairs, float scale, const int8_t (&values)[16], float* to) {
  for (int i = 0; i < 32; ++i) to[i] = scale * static_cast<float>(values[bits_at(pairs + i % 16, i / 16 * 4, 4)]);
}

}  // namespace

// The two least are subnormal: 2^-128 and 2^-127.
float mxfp4_scale(uint8_t exponent) {
  if (exponent < 2) return float_from_bits(0x00200000U << exponent);
  return float_from_bits(static_cast<uint32_t>(exponent - 1) << 23);
}

void dequantize_iq4_nl(const std::byte* block, float* to) {
  dequantize_group(block + 2, half_at(block), kIq4Values, to);
}

void dequantize_iq4_xs(const std::byte* block, float* to) {
  const float d = half_at(block);
  const int high = uint16_at(block + 2);
  for (int j = 0; j < 8; ++j) {
    const int scale = bits_at(block + 4 + j / 2, j % 2 * 4, 4) | (((high >> (2 * j)) & 3) << 4);
    dequantize_group(block + 8 + 16 * j, d * static_cast<float>(scale - 32), kIq4Values, to + 32 * j);
  }
}

void dequantize_mxfp4(const std::byte* block, float* to) {
  dequantize_group(block + 1, mxfp4_scale(byte_at(block)), kMxfp4Values, to);
}

}  // namespace emelex
