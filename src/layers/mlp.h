#pragma once

#include <memory>

#include "kernels/route.h"

namespace emelex {

// The matrices of one gated MLP. gate and up [hidden, dim], down [dim, hidden].
struct MlpWeights {
  const Tensor* gate;
  const Tensor* up;
  const Tensor* down;
};

// down(silu(gate x) · up x)
class SwigluMlp {
 public:
  SwigluMlp(Route& route, const MlpWeights& weights);

  // x [tokens, dim], already normalized → residual + mlp(x)
  mx::array operator()(const mx::array& residual, const mx::array& x) const;

 private:
  Route* route_;
  std::unique_ptr<Linear> gate_up_;
  std::unique_ptr<Linear> down_;
};

}  // namespace emelex
