#pragma once

#include <vector>

#include "kernels/attention.h"

namespace emelex::cpu {

// The cosines and sines that the tokens of a step are rotated by.
class RopeTable {
 public:
  explicit RopeTable(int dim) : dim_(dim) {}

  // Adds the next token's, at `position`.
  void add(const Rope& rope, bool long_rope, int position);
  // A token's [dim]: cosines, then sines.
  const float* token(size_t i) const { return values_.data() + i * static_cast<size_t>(dim_); }

 private:
  int dim_;
  std::vector<float> values_;  // [tokens, dim]
};

}  // namespace emelex::cpu
