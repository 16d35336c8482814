#include <array>

#include "quant/bytes.h"
#include "quant/codebook_quants.h"
#include "quant/scale_search.h"

namespace emelex {
namespace {

constexpr ScaleEffort kIq4Effort = {0.85F, 1.3F, 12, 1};
constexpr ScaleEffort kIq4XsEffort = {0.85F, 1.3F, 10, 1};

// Which of kIq4Values is nearest. The middles between them are multiples of 0.5, so ⌊2y⌋ decides.
constexpr int kHalves = 256;
constexpr std::array<uint8_t, 2 * kHalves> kNearest = [] {
  std::array<uint8_t, 2 * kHalves> nearest{};
  size_t code = 0;
  for (int half = -kHalves; half < kHalves; ++half) {
    while (code < 15 && half >= kIq4Values[code] + kIq4Values[code + 1]) ++code;
    nearest[static_cast<size_t>(half + kHalves)] = static_cast<uint8_t>(code);
  }
  return nearest;
}();

struct Iq4Levels {
  static constexpr float kFarthest = 127.0F;

  static int code(float y) {
    const float halves = std::clamp(2 * y + kHalves, 0.0F, 2.0F * kHalves - 1);
    return kNearest[static_cast<size_t>(static_cast<int>(halves))];
  }

  template <int kSize>
  static LevelSums sums(const float* x, const float* w, float inverse) {
    float xq[4] = {};
    float qq[4] = {};
    for (int i = 0; i < kSize; ++i) {
      const auto q = static_cast<float>(kIq4Values[code(x[i] * inverse)]);
      xq[i % 4] += w[i] * q * x[i];
      qq[i % 4] += w[i] * q * q;
    }
    return {(xq[0] + xq[1]) + (xq[2] + xq[3]), (qq[0] + qq[1]) + (qq[2] + qq[3])};
  }
};

void put_group(std::byte* to, const float* x, float scale) {
  const float inverse = scale == 0 ? 0.0F : 1.0F / scale;
  for (int i = 0; i < 32; ++i) add_bits(to + i % 16, i / 16 * 4, Iq4Levels::code(x[i] * inverse));
}

// The nearest of the eight magnitudes 0, 0.5, 1, 1.5, 2, 3, 4, 6, doubled, as kMxfp4Values has them.
int mxfp4_code(float doubled) {
  constexpr float kMiddles[7] = {0.5F, 1.5F, 2.5F, 3.5F, 5, 7, 10};
  int code = 0;
  for (const float middle : kMiddles) code += std::abs(doubled) > middle ? 1 : 0;
  return code + (std::signbit(doubled) && code > 0 ? 8 : 0);
}

double mxfp4_error(const WeightedBlock<32>& block, float scale) {
  double error = 0;
  for (int i = 0; i < 32; ++i) {
    const float value = scale * static_cast<float>(kMxfp4Values[mxfp4_code(block.x[i] / scale)]);
    const double difference = static_cast<double>(block.x[i]) - static_cast<double>(value);
    error += static_cast<double>(block.w[i]) * difference * difference;
  }
  return error;
}

}  // namespace

void quantize_iq4_nl(const float* from, const float* importance, std::byte* to) {
  const WeightedBlock<32> block(from, importance);
  const BlockScales<1> found = ScaleSearch<Iq4Levels, 1, 32, 1, 1>(block, kIq4Effort).run();
  put_half(to, found.d);
  put_group(to + 2, block.x, found.d * static_cast<float>(found.scales[0]));
}

void quantize_iq4_xs(const float* from, const float* importance, std::byte* to) {
  const WeightedBlock<256> block(from, importance);
  const BlockScales<8> found = ScaleSearch<Iq4Levels, 8, 32, -32, 31>(block, kIq4XsEffort).run();
  put_half(to, found.d);
  uint32_t high = 0;
  for (int j = 0; j < 8; ++j) {
    const auto scale = static_cast<uint32_t>(found.scales[j] + 32);
    add_bits(to + 4 + j / 2, j % 2 * 4, static_cast<int>(scale & 15));
    high |= (scale >> 4) << (2 * j);
    put_group(to + 8 + 16 * j, block.x + 32 * j, found.d * static_cast<float>(found.scales[j]));
  }
  put_uint16(to + 2, static_cast<uint16_t>(high));
}

// The exponent that takes the farthest value to 4 or 6 or between, or one of its neighbours, whichever errs least.
void quantize_mxfp4(const float* from, const float* importance, std::byte* to) {
  const WeightedBlock<32> block(from, importance);
  float farthest = 0;
  for (const float x : block.x) farthest = std::max(farthest, std::abs(x));
  if (farthest == 0) return;
  const int middle = std::ilogb(farthest) - 2 + 127;
  int exponent = 0;
  double least_error = 1e300;
  for (int e = std::max(0, middle - 1); e <= std::min(254, middle + 1); ++e) {
    const double error = mxfp4_error(block, mxfp4_scale(static_cast<uint8_t>(e)));
    if (error >= least_error) continue;
    least_error = error;
    exponent = e;
  }
  put_byte(to, exponent);
  const float scale = mxfp4_scale(static_cast<uint8_t>(exponent));
  for (int i = 0; i < 32; ++i) add_bits(to + 1 + i % 16, i / 16 * 4, mxfp4_code(block.x[i] / scale));
}

}  // namespace emelex
