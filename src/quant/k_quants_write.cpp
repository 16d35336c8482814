#include "quant/k_quants.h"
#include "quant/minimum_search.h"
#include "quant/scale_search.h"

namespace emelex {
namespace {

using Block = WeightedBlock<kSuperBlock>;

constexpr LineEffort kQ2Effort = {-0.2F, 0.7F, 6, 1};
constexpr LineEffort kQ4Effort = {-0.3F, 0.8F, 5, 1};
constexpr LineEffort kQ5Effort = {-0.3F, 0.6F, 5, 1};
constexpr ScaleEffort kQ3Effort = {0.75F, 1.3F, 16, 1};
constexpr ScaleEffort kQ6Effort = {0.97F, 1.1F, 10, 2};

// The level of x, from 0 to `most`, for that scale and minimum.
int level(float x, float scale, float minimum, int most) {
  if (!(scale > 0)) return 0;
  return static_cast<int>(std::lrint(std::clamp((x + minimum) * (1.0F / scale), 0.0F, static_cast<float>(most))));
}

template <class Levels>
int signed_level(float x, float scale) {
  return Levels::code(scale == 0 ? 0.0F : x * (1.0F / scale));
}

void put_scale_and_minimum(std::byte* packed, int j, int scale, int minimum) {
  if (j < 4) {
    add_bits(packed + j, 0, scale);
    add_bits(packed + 4 + j, 0, minimum);
    return;
  }
  add_bits(packed + 4 + j, 0, scale & 15);
  add_bits(packed + 4 + j, 4, minimum & 15);
  add_bits(packed + j - 4, 6, scale >> 4);
  add_bits(packed + j, 6, minimum >> 4);
}

void put_q3_scale(std::byte* packed, int j, int scale) {
  add_bits(packed + j % 8, j / 8 * 4, (scale + 32) & 15);
  add_bits(packed + 8 + j % 4, j / 4 * 2, (scale + 32) >> 4);
}

// d, dmin and the 12 bytes of scales and minima of Q4_K and Q5_K.
void put_header(std::byte* to, const BlockLines<8>& lines) {
  put_half(to, lines.d);
  put_half(to + 2, lines.dmin);
  for (int j = 0; j < 8; ++j) put_scale_and_minimum(to + 4, j, lines.scales[j], lines.minima[j]);
}

template <int kGroups>
int level_at(const Block& block, const BlockLines<kGroups>& lines, int i, int most) {
  const int j = i / (kSuperBlock / kGroups);
  return level(block.x[i], lines.d * static_cast<float>(lines.scales[j]),
               lines.dmin * static_cast<float>(lines.minima[j]), most);
}

}  // namespace

void quantize_q2_k(const float* from, const float* importance, std::byte* to) {
  const Block block(from, importance);
  const BlockLines<16> lines = LineSearch<3, 16, 16, 15>(block, kQ2Effort).run();
  put_half(to + 80, lines.d);
  put_half(to + 82, lines.dmin);
  for (int j = 0; j < 16; ++j) put_byte(to + j, lines.scales[j] | (lines.minima[j] << 4));
  for (int i = 0; i < kSuperBlock; ++i) add_bits(to + 16, two_bit_place(i), level_at(block, lines, i, 3));
}

void quantize_q3_k(const float* from, const float* importance, std::byte* to) {
  using Levels = IntegerLevels<-4, 3>;
  const Block block(from, importance);
  const BlockScales<16> found = ScaleSearch<Levels, 16, 16, -32, 31>(block, kQ3Effort).run();
  put_half(to + 108, found.d);
  for (int j = 0; j < 16; ++j) put_q3_scale(to + 96, j, found.scales[j]);
  for (int i = 0; i < kSuperBlock; ++i) {
    const int q = signed_level<Levels>(block.x[i], found.d * static_cast<float>(found.scales[i / 16]));
    add_bits(to + 32, two_bit_place(i), q & 3);
    add_bits(to, one_bit_place(i), q >> 2);
  }
}

void quantize_q4_k(const float* from, const float* importance, std::byte* to) {
  const Block block(from, importance);
  const BlockLines<8> lines = LineSearch<15, 8, 32, 63>(block, kQ4Effort).run();
  put_header(to, lines);
  for (int i = 0; i < kSuperBlock; ++i) add_bits(to + 16, four_bit_place(i), level_at(block, lines, i, 15));
}

void quantize_q5_k(const float* from, const float* importance, std::byte* to) {
  const Block block(from, importance);
  const BlockLines<8> lines = LineSearch<31, 8, 32, 63>(block, kQ5Effort).run();
  put_header(to, lines);
  for (int i = 0; i < kSuperBlock; ++i) {
    const int q = level_at(block, lines, i, 31);
    add_bits(to + 48, four_bit_place(i), q & 15);
    add_bits(to + 16, one_bit_place(i), q >> 4);
  }
}

void quantize_q6_k(const float* from, const float* importance, std::byte* to) {
  using Levels = IntegerLevels<-32, 31>;
  const Block block(from, importance);
  const BlockScales<16> found = ScaleSearch<Levels, 16, 16, -128, 127>(block, kQ6Effort).run();
  put_half(to + 208, found.d);
  for (int j = 0; j < 16; ++j) put_byte(to + 192 + j, found.scales[j]);
  for (int i = 0; i < kSuperBlock; ++i) {
    const int q = signed_level<Levels>(block.x[i], found.d * static_cast<float>(found.scales[i / 16]));
    add_bits(to, q6_low_place(i), q & 15);
    add_bits(to + 128, two_bit_place(i), q >> 4);
  }
}

}  // namespace emelex
