#include "base/likeliest.h"

#include <algorithm>
#include <iterator>
#include <limits>

namespace emelex {

// In runs whose maxima a compiler finds several at a time: one by one, a vocabulary takes as long as a part of a step.
int32_t likeliest_of(std::span<const float> logits) {
  constexpr size_t kRun = 32;
  constexpr float kMost = std::numeric_limits<float>::max();
  constexpr float kImpossible = -std::numeric_limits<float>::infinity();
  float most[kRun];
  std::fill(std::begin(most), std::end(most), kImpossible);
  // A comparison with NaN is false.
  const auto larger = [](float a, float b) { return a < b ? b : a; };
  size_t at = 0;
  for (; at + kRun <= logits.size(); at += kRun) {
    for (size_t i = 0; i < kRun; ++i) most[i] = larger(most[i], logits[at + i]);
  }
  for (; at < logits.size(); ++at) most[0] = larger(most[0], logits[at]);
  const float largest = std::min(*std::max_element(std::begin(most), std::end(most)), kMost);
  if (largest == kImpossible) return kNoToken;
  const auto found = std::find_if(logits.begin(), logits.end(), [&](float logit) { return logit >= largest; });
  return static_cast<int32_t>(found - logits.begin());
}

}  // namespace emelex
