#pragma once

#include "kernels/route.h"

namespace emelex {

// One of a decoder's layers.
class Block {
 public:
  virtual ~Block() = default;
  // x [tokens, dim] → the same shape, with the residual
  virtual mx::array operator()(const mx::array& x, KvStore& cache, const StepPtr& step) const = 0;
  virtual int window() const = 0;  // of its attention; 0: none
};

}  // namespace emelex
