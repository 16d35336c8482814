#pragma once

#include <cstddef>

#include "kernels/cpu/kernel_table.h"

namespace emelex::cpu {
namespace {

// Writes lanes [from, to) of one token's products with a group of S::kRows rows, which begin at `row`.
template <class S>
inline void write_rows(const MatmulArgs& args, int token, int row, int from, int to, typename S::F products) {
  const size_t at = static_cast<size_t>(token) * static_cast<size_t>(args.rows) + static_cast<size_t>(row);
  if (from == 0 && to == S::kRows) {
    if (args.residual != nullptr) products = S::add(S::load(args.residual + at), products);
    S::store(args.out + at, products);
    return;
  }
  float lanes[S::kRows];
  S::store(lanes, products);
  for (int i = from; i < to; ++i) {
    const size_t j = at + static_cast<size_t>(i);
    args.out[j] = args.residual != nullptr ? args.residual[j] + lanes[i] : lanes[i];
  }
}

}  // namespace
}  // namespace emelex::cpu
