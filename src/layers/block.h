#pragma once

#include "kernels/backend.h"

namespace emelex {

// One of a decoder's layers.
class Block {
 public:
  virtual ~Block() = default;
  // x [tokens, dim] → the same shape, with the residual
  virtual mx::array operator()(const mx::array& x, const Batch& batch) const = 0;
  // What it needs of the cache; asked before the cache is made.
  virtual LayerMemory memory() const = 0;
};

}  // namespace emelex
