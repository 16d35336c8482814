#include "layers/mlp.h"

namespace emelex {

SwigluMlp::SwigluMlp(Route& route, const MlpWeights& weights)
    : route_(&route), gate_up_(route.linear({weights.gate, weights.up})), down_(route.linear({weights.down})) {}

mx::array SwigluMlp::operator()(const mx::array& residual, const mx::array& x) const {
  const auto gate_up = (*gate_up_)(x);
  return down_->add_to(residual, route_->swiglu(gate_up[0], gate_up[1]));
}

}  // namespace emelex
