#include "quant/iq_quants.h"

#include <bit>

#include "quant/bytes.h"
#include "quant/iq_grids.h"

namespace emelex {
namespace {

// 4 or 8 values of a grid, negated where the bits of `signs` are set.
template <size_t kValues>
void put_signed(const GridPoint<kValues>& point, int signs, float scale, float* to) {
  for (size_t i = 0; i < kValues; ++i) {
    const float x = scale * static_cast<float>(point[i]);
    to[i] = ((signs >> i) & 1) != 0 ? -x : x;
  }
}

// Seven signs stand for eight: the number of negative values is even.
int with_eighth_sign(uint32_t seven) { return static_cast<int>(seven | ((std::popcount(seven) & 1U) << 7)); }

float iq2_scale(float d, int s) { return d * (0.5F + static_cast<float>(s)) * 0.25F; }

void put_shifted(const GridPoint<8>& point, bool minus, float scale, float* to) {
  const float shift = minus ? -0.125F : 0.125F;
  for (size_t i = 0; i < 8; ++i) to[i] = scale * (static_cast<float>(point[i]) + shift);
}

}  // namespace

// d; for each 32 values four grid indices, then 4 × 7 signs and the scale.
void dequantize_iq2_xxs(const std::byte* block, float* to) {
  const float d = half_at(block);
  for (int group = 0; group < 8; ++group) {
    const std::byte* indices = block + 2 + 8 * group;
    const uint32_t signs = uint32_at(indices + 4);
    const float scale = iq2_scale(d, static_cast<int>(signs >> 28));
    for (int k = 0; k < 4; ++k, to += 8) {
      put_signed(iq2_xxs_grid()[byte_at(indices + k)], with_eighth_sign((signs >> (7 * k)) & 127), scale, to);
    }
  }
}

// d; for each 8 values 9 bits of grid place and 7 signs; scales.
void dequantize_iq2_xs(const std::byte* block, float* to) {
  const float d = half_at(block);
  for (int k = 0; k < 32; ++k, to += 8) {
    const uint32_t place = uint16_at(block + 2 + 2 * k);
    const float scale = iq2_scale(d, bits_at(block + 66 + k / 4, k / 2 % 2 * 4, 4));
    put_signed(iq2_xs_grid()[place & 511], with_eighth_sign(place >> 9), scale, to);
  }
}

// d; grid indices; signs; the indices' upper two bits; scales.
void dequantize_iq2_s(const std::byte* block, float* to) {
  const float d = half_at(block);
  for (int k = 0; k < 32; ++k, to += 8) {
    const int place = byte_at(block + 2 + k) | (bits_at(block + 66 + k / 4, k % 4 * 2, 2) << 8);
    const float scale = iq2_scale(d, bits_at(block + 74 + k / 4, k / 2 % 2 * 4, 4));
    put_signed(iq2_s_grid()[static_cast<size_t>(place)], byte_at(block + 34 + k), scale, to);
  }
}

// d; grid indices of 4 values; for each 32 values 4 × 7 signs and the scale.
void dequantize_iq3_xxs(const std::byte* block, float* to) {
  const float d = half_at(block);
  for (int k = 0; k < 64; ++k, to += 4) {
    const uint32_t signs = uint32_at(block + 66 + k / 8 * 4);
    const float scale = d * (0.5F + static_cast<float>(signs >> 28)) * 0.5F;
    const int eight = with_eighth_sign((signs >> (7 * (k / 2 % 4))) & 127);
    put_signed(iq3_xxs_grid()[byte_at(block + 2 + k)], eight >> (k % 2 * 4), scale, to);
  }
}

// d; grid indices of 4 values; the indices' ninth bits; signs; scales.
void dequantize_iq3_s(const std::byte* block, float* to) {
  const float d = half_at(block);
  for (int k = 0; k < 64; ++k, to += 4) {
    const int place = byte_at(block + 2 + k) | (bits_at(block + 66 + k / 8, k % 8, 1) << 8);
    const float scale = d * static_cast<float>(1 + 2 * bits_at(block + 106 + k / 16, k / 8 % 2 * 4, 4));
    const int signs = bits_at(block + 74 + k / 2, k % 2 * 4, 4);
    put_signed(iq3_s_grid()[static_cast<size_t>(place)], signs, scale, to);
  }
}

// d; grid indices; for each 32 values the indices' upper three bits, the scale, and the direction of the shift.
void dequantize_iq1_s(const std::byte* block, float* to) {
  const float d = half_at(block);
  for (int k = 0; k < 32; ++k, to += 8) {
    const int high = uint16_at(block + 34 + k / 4 * 2);
    const int place = byte_at(block + 2 + k) | (((high >> (k % 4 * 3)) & 7) << 8);
    const float scale = d * static_cast<float>(1 + 2 * ((high >> 12) & 7));
    put_shifted(iq1_grid()[static_cast<size_t>(place)], (high & 0x8000) != 0, scale, to);
  }
}

// Grid indices; for each 8 values the indices' upper three bits and the direction of the shift; four 16-bit words, each
// with four scales and, above them, 4 of d's 16 bits.
void dequantize_iq1_m(const std::byte* block, float* to) {
  const std::byte* words = block + 48;
  int d_bits = 0;
  for (int i = 0; i < 4; ++i) d_bits |= bits_at(words + 2 * i + 1, 4, 4) << (4 * i);
  const float d = half_to_float(static_cast<uint16_t>(d_bits));
  for (int k = 0; k < 32; ++k, to += 8) {
    const int high = bits_at(block + 32 + k / 2, k % 2 * 4, 4);
    const int place = byte_at(block + k) | ((high & 7) << 8);
    const float scale = d * static_cast<float>(1 + 2 * ((uint16_at(words + k / 8 * 2) >> (k / 2 % 4 * 3)) & 7));
    put_shifted(iq1_grid()[static_cast<size_t>(place)], (high & 8) != 0, scale, to);
  }
}

}  // namespace emelex
