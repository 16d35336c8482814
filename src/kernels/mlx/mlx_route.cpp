#include "kernels/mlx/mlx_route.h"

#include <mlx/compile.h>
#include <mlx/fast.h>
#include <mlx/ops.h>
#include <mlx/transforms.h>

#include <algorithm>
#include <limits>
#include <map>
#include <optional>

#include "kernels/matrix_size.h"
#include "kernels/mlx/mlx_experts.h"
#include "kernels/mlx/mlx_kv_store.h"
#include "kernels/mlx/mlx_matrix.h"

namespace emelex::mlx_route {
namespace {

using MatrixPtr = std::shared_ptr<const MlxMatrix>;

// Several matrices of one type are one product, whose result is cut.
class MlxLinear : public Linear {
 public:
  MlxLinear(MlxContextPtr context, std::vector<MatrixPtr> matrices, std::vector<int> rows,
            std::vector<std::optional<mx::array>> biases)
      : context_(std::move(context)),
        matrices_(std::move(matrices)),
        rows_(std::move(rows)),
        biases_(std::move(biases)) {
    for (const MatrixPtr& matrix : matrices_) input_exponent_ = std::min(input_exponent_, matrix->input_exponent);
  }

  std::vector<mx::array> operator()(const mx::array& x) const override {
    const ProductInput input = product_input(*context_, x, input_exponent_);
    std::vector<mx::array> products;
    for (const MatrixPtr& matrix : matrices_) products.push_back(matrix->multiply(*context_, input));
    if (products.size() != rows_.size()) {
      mx::Shape cuts;
      int row = 0;
      for (size_t i = 0; i + 1 < rows_.size(); ++i) cuts.push_back(row += rows_[i]);
      products = mx::split(products.front(), cuts, 1, context_->stream);
    }
    for (size_t i = 0; i < products.size(); ++i) products[i] = with_bias(products[i], i);
    return products;
  }

  mx::array add_to(const mx::array& residual, const mx::array& x) const override {
    const ProductInput input = product_input(*context_, x, input_exponent_);
    return mx::add(residual, with_bias(matrices_.front()->multiply(*context_, input), 0), context_->stream);
  }

 private:
  mx::array with_bias(const mx::array& product, size_t i) const {
    return biases_[i] ? mx::add(product, *biases_[i], context_->stream) : product;
  }

  MlxContextPtr context_;
  std::vector<MatrixPtr> matrices_;               // one, or as many as there are rows_
  std::vector<int> rows_;                         // of each matrix that was given
  std::vector<std::optional<mx::array>> biases_;  // likewise
  int input_exponent_ = std::numeric_limits<int>::max();
};

class MlxEmbedding : public Embedding {
 public:
  MlxEmbedding(MlxContextPtr context, MatrixPtr table) : context_(std::move(context)), table_(std::move(table)) {}

  mx::array operator()(const StepPtr& step) const override {
    const mx::array ids(step->tokens.data(), {step->size()}, mx::int32);
    return table_->take(*context_, ids);
  }

 private:
  MlxContextPtr context_;
  MatrixPtr table_;
};

class MlxNorm : public Norm {
 public:
  // `centered`: LayerNorm, else RMSNorm.
  MlxNorm(MlxContextPtr context, const Tensor& weight, const Tensor* bias, float eps, bool centered)
      : context_(std::move(context)), weight_(plain_array(weight)), eps_(eps), centered_(centered) {
    if (bias != nullptr) bias_ = plain_array(*bias);
  }

  mx::array operator()(const mx::array& x) const override {
    const auto size = static_cast<int>(weight_.size());
    if (x.shape(1) == size) return normalized(x);
    const auto runs = mx::reshape(x, {x.shape(0), -1, size}, context_->stream);
    return mx::reshape(normalized(runs), x.shape(), context_->stream);
  }

 private:
  mx::array normalized(const mx::array& x) const {
    if (!centered_) return mx::fast::rms_norm(x, weight_, eps_, context_->stream);
    return mx::fast::layer_norm(x, weight_, bias_, eps_, context_->stream);
  }

  MlxContextPtr context_;
  mx::array weight_;
  std::optional<mx::array> bias_;
  float eps_;
  bool centered_;
};

MlxContextPtr make_context(mx::Device::DeviceType device, mx::Dtype dtype) {
  MlxContext context{mx::default_stream(device), device == mx::Device::gpu, dtype};
  add_scaling(context);
  return std::make_shared<const MlxContext>(std::move(context));
}

class MlxRoute : public Route {
 public:
  MlxRoute(mx::Device::DeviceType device, mx::Dtype dtype) : context_(make_context(device, dtype)) {
    swiglu_ = [stream = context_->stream](const std::vector<mx::array>& in) -> std::vector<mx::array> {
      return {mx::multiply(mx::multiply(in[0], mx::sigmoid(in[0], stream), stream), in[1], stream)};
    };
    gelu_ = [stream = context_->stream](const std::vector<mx::array>& in) -> std::vector<mx::array> {
      // x · sigmoid(2u) is x / 2 · (1 + tanh u).
      const auto& x = in[0];
      const auto cube = mx::multiply(mx::multiply(x, x, stream), x, stream);
      const auto number = [&](float value) { return mx::array(value, x.dtype()); };
      const auto sum = mx::add(x, mx::multiply(number(0.044715F), cube, stream), stream);
      const auto twice = mx::multiply(number(1.59576912F), sum, stream);  // 2 √(2/π)
      return {mx::multiply(x, mx::sigmoid(twice, stream), stream)};
    };
    // One kernel instead of several. On a CPU this would run a C++ compiler.
    if (!context_->gpu) return;
    swiglu_ = mx::compile(swiglu_, true);
    gelu_ = mx::compile(gelu_, true);
  }

  std::unique_ptr<Linear> linear(const std::vector<Matrix>& given) override {
    std::vector<const Tensor*> tensors;
    std::vector<MatrixPtr> matrices;
    std::vector<int> rows;
    std::vector<std::optional<mx::array>> biases;
    bool same = true;
    for (const Matrix& one : given) {
      tensors.push_back(one.weight);
      rows.push_back(matrix_size(*one.weight).rows);
      same = same && stored_alike(*one.weight, *given.front().weight);
      biases.push_back(one.bias == nullptr ? std::nullopt : std::optional(plain_array(*one.bias)));
    }
    if (tensors.size() > 1 && same) {
      matrices.push_back(std::make_shared<MlxMatrix>(make_matrix(*context_, tensors)));
    } else {
      for (const Tensor* tensor : tensors) matrices.push_back(matrix(*tensor));
    }
    return std::make_unique<MlxLinear>(context_, std::move(matrices), std::move(rows), std::move(biases));
  }

  std::unique_ptr<Embedding> embedding(const Tensor& table) override {
    return std::make_unique<MlxEmbedding>(context_, matrix(table));
  }
  std::unique_ptr<Norm> rms_norm(const Tensor& weight, float eps) override {
    return std::make_unique<MlxNorm>(context_, weight, nullptr, eps, false);
  }
  std::unique_ptr<Norm> layer_norm(const Tensor& weight, const Tensor* bias, float eps) override {
    return std::make_unique<MlxNorm>(context_, weight, bias, eps, true);
  }
  std::unique_ptr<Experts> experts(const ExpertsConfig& config, const ExpertMatrices& matrices) override {
    const auto gate = [this, activation = config.activation](const mx::array& g, const mx::array& u) {
      return gated(activation, g, u);
    };
    return make_mlx_experts(context_, config, matrices, gate);
  }
  std::unique_ptr<KvStore> kv_store(const KvShape& shape) override { return make_mlx_kv_store(context_, shape); }

  mx::array gated(Activation activation, const mx::array& gate, const mx::array& up) override {
    if (activation == Activation::silu) return swiglu_({gate, up}).front();
    if (activation == Activation::gelu) return mx::multiply(gelu(gate), up, context_->stream);
    return clamped_swiglu(gate, up);
  }
  mx::array gelu(const mx::array& x) override { return gelu_({x}).front(); }
  mx::array add(const mx::array& a, const mx::array& b) override { return mx::add(a, b, context_->stream); }
  mx::array scale(const mx::array& x, float factor) override {
    return mx::multiply(x, mx::array(factor, x.dtype()), context_->stream);
  }
  mx::array soft_cap(const mx::array& x, float cap) override {
    return scale(mx::tanh(scale(x, 1.0F / cap), context_->stream), cap);
  }

  mx::array output_rows(const mx::array& x, const StepPtr& step) override {
    auto rows = x;
    if (step->outputs.size() != step->tokens.size()) {
      const mx::array ids(step->outputs.data(), {static_cast<int>(step->outputs.size())}, mx::int32);
      rows = mx::take(x, ids, 0, context_->stream);
    }
    return mx::astype(rows, mx::float32, context_->stream);
  }

  std::string name() const override { return "mlx"; }
  std::string instruction_set() const override { return {}; }

 private:
  // g / (1 + e⁻ᵃᵍ) · (u + 1) is silu(a g) · (u + 1) / a.
  mx::array clamped_swiglu(const mx::array& gate, const mx::array& up) {
    const mx::Stream& stream = context_->stream;
    const auto number = [&](float value) { return mx::array(value, gate.dtype()); };
    const auto g = mx::minimum(gate, number(kGateClamp), stream);
    const auto u = mx::clip(up, number(-kGateClamp), number(kGateClamp), stream);
    return swiglu_({scale(g, kGateSteepness), scale(mx::add(u, number(1.0F), stream), 1.0F / kGateSteepness)}).front();
  }

  // One copy of a matrix that is used twice, as tied embeddings are.
  MatrixPtr matrix(const Tensor& tensor) {
    MatrixPtr& known = known_[tensor.data.data()];
    if (!known) known = std::make_shared<MlxMatrix>(make_matrix(*context_, {&tensor}));
    return known;
  }

  MlxContextPtr context_;
  MlxFunction swiglu_;
  MlxFunction gelu_;
  std::map<const std::byte*, MatrixPtr> known_;
};

}  // namespace

std::unique_ptr<Route> make_mlx_route(mx::Device::DeviceType device) {
  return make_mlx_route(device, device == mx::Device::gpu ? mx::float16 : mx::float32);
}

std::unique_ptr<Route> make_mlx_route(mx::Device::DeviceType device, mx::Dtype dtype) {
  return std::make_unique<MlxRoute>(device, dtype);
}

}  // namespace emelex::mlx_route
