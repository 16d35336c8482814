#pragma once

#include <memory>

#include "layers/mlp.h"

namespace emelex {

// A mixture of experts in the place of an MLP (Shazeer et al., arXiv:1701.06538): a linear router gives each token a
// score for each expert, and the experts with the highest compute it.
class Mixture : public Mlp {
 public:
  Mixture(Route& route, std::unique_ptr<Linear> router, std::unique_ptr<Experts> experts)
      : route_(&route), router_(std::move(router)), experts_(std::move(experts)) {}

  mx::array operator()(const mx::array& x) const override { return (*experts_)(x, (*router_)(x)[0]); }
  mx::array add_to(const mx::array& residual, const mx::array& x) const override {
    return route_->add(residual, (*this)(x));
  }

 private:
  Route* route_;
  std::unique_ptr<Linear> router_;
  std::unique_ptr<Experts> experts_;
};

}  // namespace emelex
