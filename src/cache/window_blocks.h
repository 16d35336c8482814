#pragma once

#include <cstdint>

#include "kernels/kv_format.h"

namespace emelex {

inline int blocks_for(int64_t tokens) { return static_cast<int>((tokens + kBlockTokens - 1) / kBlockTokens); }

// The first block that the token at `position` sees.
inline int first_seen_block(int position, int window) {
  return window > 0 && position >= window ? (position - window + 1) / kBlockTokens : 0;
}

}  // namespace emelex
