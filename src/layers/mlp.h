#pragma once

#include <memory>

#include "kernels/backend.h"

namespace emelex {

// x [tokens, dim], which the MLP normalizes where the architecture does so.
class Mlp {
 public:
  virtual ~Mlp() = default;
  // → mlp(x)
  virtual mx::array operator()(const mx::array& x, const Batch& batch) const = 0;
  // → residual + mlp(x)
  virtual mx::array add_to(const mx::array& residual, const mx::array& x, const Batch& batch) const = 0;
};

// down(hidden(x)), where `hidden` ends in an activation: SwiGLU, GeGLU (Shazeer, arXiv:2002.05202), or GELU alone.
class DenseMlp : public Mlp {
 public:
  // hidden: dim → hidden_dim, down: hidden_dim → dim
  DenseMlp(std::unique_ptr<Linear> hidden, std::unique_ptr<Linear> down)
      : hidden_(std::move(hidden)), down_(std::move(down)) {}

  mx::array operator()(const mx::array& x, const Batch& batch) const override {
    return (*down_)((*hidden_)(x, batch)[0], batch)[0];
  }
  mx::array add_to(const mx::array& residual, const mx::array& x, const Batch& batch) const override {
    return down_->add_to(residual, (*hidden_)(x, batch)[0], batch);
  }

 private:
  std::unique_ptr<Linear> hidden_;
  std::unique_ptr<Linear> down_;
};

}  // namespace emelex
