#pragma once

#include <memory>

#include "layers/mlp.h"

namespace emelex {

// A mixture of experts in the place of an MLP (Shazeer et al., arXiv:1701.06538): a linear router gives each token a
// score for each expert, and the experts with the highest compute it.
class Mixture : public Mlp {
 public:
  Mixture(Backend& backend, std::unique_ptr<Norm> norm, std::unique_ptr<Linear> router,
          std::unique_ptr<Experts> experts)
      : backend_(&backend), norm_(std::move(norm)), router_(std::move(router)), experts_(std::move(experts)) {}

  mx::array operator()(const mx::array& x, const Batch& batch) const override {
    const auto normed = (*norm_)(x, batch);
    return (*experts_)(normed, (*router_)(normed, batch)[0], batch);
  }
  mx::array add_to(const mx::array& residual, const mx::array& x, const Batch& batch) const override {
    return backend_->add(residual, (*this)(x, batch));
  }

 private:
  Backend* backend_;
  std::unique_ptr<Norm> norm_;
  std::unique_ptr<Linear> router_;
  std::unique_ptr<Experts> experts_;
};

}  // namespace emelex
