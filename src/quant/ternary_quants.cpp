#include "quant/ternary_quants.h"

#include "quant/bytes.h"
#include "quant/k_quants.h"

namespace emelex {
void dequantize_tq1_0(const std::byte* block, float* to) {
  const float scale = half_at(block + 52);
  for (const DigitRun& run : kDigitRuns) {
    int power = 1;
    for (int digit = 0; digit < run.digits; ++digit, power *= 3) {
      for (int i = 0; i < run.bytes; ++i) {
        const int fraction = (byte_at(block + run.first_byte + i) * power) & 0xFF;
        *to++ = scale * static_cast<float>(((fraction * 3) >> 8) - 1);
      }
    }
  }
}

void dequantize_tq2_0(const std::byte* block, float* to) {
  const float scale = half_at(block + 64);
  for (int i = 0; i < kSuperBlock; ++i) to[i] = scale * static_cast<float>(bits_at(block, two_bit_place(i), 2) - 1);
}

}  // namespace emelex
