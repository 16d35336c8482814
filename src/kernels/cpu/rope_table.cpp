#include "kernels/cpu/rope_table.h"

#include <cmath>

namespace emelex::cpu {

void RopeTable::add(const Rope& rope, bool long_rope, int position) {
  if (dim_ == 0) return;
  const auto half = static_cast<size_t>(dim_ / 2);
  values_.resize(values_.size() + 2 * half);
  float* out = values_.data() + values_.size() - 2 * half;
  const std::vector<float>& frequencies = rope.frequencies(long_rope);
  for (size_t i = 0; i < half; ++i) {
    // In double, since at large positions a float's angle is off by more than a float's cosine.
    const double angle = static_cast<double>(position) * static_cast<double>(frequencies[i]);
    out[i] = rope.scale * static_cast<float>(std::cos(angle));
    out[half + i] = rope.scale * static_cast<float>(std::sin(angle));
  }
}

}  // namespace emelex::cpu
