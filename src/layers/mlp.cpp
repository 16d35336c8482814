#include "layers/mlp.h"

namespace emelex {
namespace {

// Both kinds differ in what they make of the first product.
class MlpOf : public Mlp {
 public:
  explicit MlpOf(std::unique_ptr<Linear> down) : down_(std::move(down)) {}
  mx::array operator()(const mx::array& x) const override { return (*down_)(hidden(x))[0]; }
  mx::array add_to(const mx::array& residual, const mx::array& x) const override {
    return down_->add_to(residual, hidden(x));
  }

 private:
  virtual mx::array hidden(const mx::array& x) const = 0;  // [tokens, hidden]

  std::unique_ptr<Linear> down_;
};

class GatedMlp : public MlpOf {
 public:
  GatedMlp(Route& route, Activation activation, std::unique_ptr<Linear> gate_up, std::unique_ptr<Linear> down)
      : MlpOf(std::move(down)), route_(&route), activation_(activation), gate_up_(std::move(gate_up)) {}

 private:
  mx::array hidden(const mx::array& x) const override {
    const auto gate_up = (*gate_up_)(x);
    return route_->gated(activation_, gate_up[0], gate_up[1]);
  }

  Route* route_;
  Activation activation_;
  std::unique_ptr<Linear> gate_up_;
};

class GeluMlp : public MlpOf {
 public:
  GeluMlp(Route& route, std::unique_ptr<Linear> up, std::unique_ptr<Linear> down)
      : MlpOf(std::move(down)), route_(&route), up_(std::move(up)) {}

 private:
  mx::array hidden(const mx::array& x) const override { return route_->gelu((*up_)(x)[0]); }

  Route* route_;
  std::unique_ptr<Linear> up_;
};

}  // namespace

std::unique_ptr<Mlp> make_gated_mlp(Route& route, Activation activation, std::unique_ptr<Linear> gate_up,
                                    std::unique_ptr<Linear> down) {
  return std::make_unique<GatedMlp>(route, activation, std::move(gate_up), std::move(down));
}

std::unique_ptr<Mlp> make_gelu_mlp(Route& route, std::unique_ptr<Linear> up, std::unique_ptr<Linear> down) {
  return std::make_unique<GeluMlp>(route, std::move(up), std::move(down));
}

}  // namespace emelex
