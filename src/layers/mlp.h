#pragma once

#include <memory>

#include "kernels/route.h"

namespace emelex {

// x [tokens, dim], already normalized where the architecture does so.
class Mlp {
 public:
  virtual ~Mlp() = default;
  virtual mx::array operator()(const mx::array& x) const = 0;                         // → mlp(x)
  virtual mx::array add_to(const mx::array& residual, const mx::array& x) const = 0;  // → residual + mlp(x)
};

// down(activation(gate x) · up x): SwiGLU, GeGLU (Shazeer, arXiv:2002.05202). `gate_up` gives both.
std::unique_ptr<Mlp> make_gated_mlp(Route& route, Activation activation, std::unique_ptr<Linear> gate_up,
                                    std::unique_ptr<Linear> down);

// down(gelu(up x))
std::unique_ptr<Mlp> make_gelu_mlp(Route& route, std::unique_ptr<Linear> up, std::unique_ptr<Linear> down);

}  // namespace emelex
