#include <algorithm>
#include <cmath>
#include <numeric>

#include "quant/group_search.h"
#include "quant/k_quants.h"
#include "quant/ternary_quants.h"

namespace emelex {
namespace {

using Block = WeightedBlock<kSuperBlock>;

// The scale with the least error, exactly: the values that become ±1 are the farthest from zero, and for the first n of
// them the best scale is their mean magnitude, which takes (Σ w·|x|)² / Σ w off the error.
float ternary_scale(const Block& block) {
  int order[kSuperBlock];
  std::iota(order, order + kSuperBlock, 0);
  const auto magnitude = [&](int i) { return std::abs(block.x[i]); };
  std::sort(order, order + kSuperBlock,
            [&](int a, int b) { return magnitude(a) != magnitude(b) ? magnitude(a) > magnitude(b) : a < b; });
  double sum_x = 0;
  double sum_w = 0;
  double best_gain = 0;
  double best = 0;
  for (const int i : order) {
    sum_w += static_cast<double>(block.w[i]);
    sum_x += static_cast<double>(block.w[i]) * static_cast<double>(magnitude(i));
    if (sum_x * sum_x <= best_gain * sum_w) continue;
    best_gain = sum_x * sum_x / sum_w;
    best = sum_x / sum_w;
  }
  return usable_half(static_cast<float>(best));
}

// 0, 1 and 2 for -1, 0 and 1.
int ternary_level(float x, float scale) { return std::abs(x) > 0.5F * scale ? (x > 0 ? 2 : 0) : 1; }

}  // namespace

void quantize_tq1_0(const float* from, const float* importance, std::byte* to) {
  const Block block(from, importance);
  const float scale = ternary_scale(block);
  put_half(to + 52, scale);
  int at = 0;
  for (const DigitRun& run : kDigitRuns) {
    for (int i = 0; i < run.bytes; ++i) {
      int number = 0;
      for (int digit = 0; digit < 5; ++digit) {
        number *= 3;
        if (digit < run.digits) number += ternary_level(block.x[at + digit * run.bytes + i], scale);
      }
      put_byte(to + run.first_byte + i, (number * 256 + 242) / 243);
    }
    at += run.bytes * run.digits;
  }
}

void quantize_tq2_0(const float* from, const float* importance, std::byte* to) {
  const Block block(from, importance);
  const float scale = ternary_scale(block);
  put_half(to + 64, scale);
  for (int i = 0; i < kSuperBlock; ++i) add_bits(to, two_bit_place(i), ternary_level(block.x[i], scale));
}

}  // namespace emelex
