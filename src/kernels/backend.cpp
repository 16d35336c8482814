#include "kernels/backend.h"

#include <mlx/transforms.h>

#include "base/strings.h"
#include "emelex/error.h"

namespace emelex {
namespace {

class NormedLinear : public Linear {
 public:
  NormedLinear(std::unique_ptr<Norm> norm, std::unique_ptr<Linear> linear)
      : norm_(std::move(norm)), linear_(std::move(linear)) {}

  std::vector<mx::array> operator()(const mx::array& x, const Batch& batch) const override {
    return (*linear_)((*norm_)(x, batch), batch);
  }
  mx::array add_to(const mx::array& residual, const mx::array& x, const Batch& batch) const override {
    return linear_->add_to(residual, (*norm_)(x, batch), batch);
  }

 private:
  std::unique_ptr<Norm> norm_;
  std::unique_ptr<Linear> linear_;
};

class ActivatedLinear : public Linear {
 public:
  ActivatedLinear(Backend& backend, Activation activation, std::unique_ptr<Linear> linear)
      : backend_(&backend), activation_(activation), linear_(std::move(linear)) {}

  std::vector<mx::array> operator()(const mx::array& x, const Batch& batch) const override {
    return {backend_->activate(activation_, (*linear_)(x, batch))};
  }
  mx::array add_to(const mx::array& residual, const mx::array& x, const Batch& batch) const override {
    return backend_->add(residual, (*this)(x, batch)[0]);
  }

 private:
  Backend* backend_;
  Activation activation_;
  std::unique_ptr<Linear> linear_;
};

}  // namespace

void check_activation(const Product& product) {
  if (!product.activation) return;
  if (product.matrices.size() == 2) return;
  if (product.matrices.size() == 1 && product.activation == Activation::gelu) return;
  throw Error(ErrorCode::internal, str_cat("[kernels] expected gate and up to be two matrices, got ",
                                           product.matrices.size(), " with ", product.matrices.front().weight->name));
}

mx::array Backend::activate(Activation activation, const std::vector<mx::array>& results) {
  return results.size() == 1 ? gelu(results[0]) : gated(activation, results[0], results[1]);
}

std::unique_ptr<Linear> Backend::product(const Product& product) {
  return activated(product, normed(product, linear(product.matrices)));
}

std::unique_ptr<Linear> Backend::normed(const Product& product, std::unique_ptr<Linear> linear) {
  if (!product.norm) return linear;
  return std::make_unique<NormedLinear>(norm(*product.norm), std::move(linear));
}

std::unique_ptr<Linear> Backend::activated(const Product& product, std::unique_ptr<Linear> linear) {
  check_activation(product);
  if (!product.activation) return linear;
  return std::make_unique<ActivatedLinear>(*this, *product.activation, std::move(linear));
}

void Backend::compute(const StepPtr& step, const KvMemory& memory, const Forward& forward) {
  last_.clear();
  const BatchPtr batch = prepare(step, memory);
  auto result = forward(*batch);
  mx::eval(result);
  if (!step->outputs.empty()) last_.push_back(result);
}

std::span<float> Backend::logits() {
  if (last_.empty()) return {};
  return {last_.front().data<float>(), last_.front().size()};
}

std::span<const int32_t> Backend::likeliest() {
  likeliest_.clear();
  if (last_.empty()) return likeliest_;
  const auto columns = static_cast<size_t>(last_.front().shape(-1));
  const std::span<const float> all = logits();
  for (size_t at = 0; at < all.size(); at += columns) likeliest_.push_back(likeliest_of(all.subspan(at, columns)));
  return likeliest_;
}

}  // namespace emelex
