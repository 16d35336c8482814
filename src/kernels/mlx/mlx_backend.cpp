#include "kernels/mlx/mlx_backend.h"

#include <mlx/compile.h>
#include <mlx/fast.h>
#include <mlx/ops.h>
#include <mlx/transforms.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <utility>

#include "kernels/matrix_size.h"
#include "kernels/mlx/mlx_attention.h"
#include "kernels/mlx/mlx_batch.h"
#include "kernels/mlx/mlx_experts.h"
#include "kernels/mlx/mlx_kv_pool.h"
#include "kernels/mlx/mlx_matrix.h"

namespace emelex::mlx_backend {
namespace {

using MatrixPtr = std::shared_ptr<const MlxMatrix>;

// The matrices of a product. Several of one type are joined, and the result is cut.
struct MlxMatrices {
  std::vector<MatrixPtr> matrices;               // one, or as many as there are rows
  std::vector<int> rows;                         // of each matrix that was given
  std::vector<std::optional<mx::array>> biases;  // likewise
  int input_exponent() const {
    int least = matrices.front()->input_exponent;
    for (const MatrixPtr& matrix : matrices) least = std::min(least, matrix->input_exponent);
    return least;
  }
};

class MlxLinear : public Linear {
 public:
  MlxLinear(MlxContextPtr context, MlxMatrices matrices)
      : context_(std::move(context)), m_(std::move(matrices)), input_exponent_(m_.input_exponent()) {}

  std::vector<mx::array> operator()(const mx::array& x, const Batch&) const override {
    return multiply(product_input(*context_, x, input_exponent_));
  }

  mx::array add_to(const mx::array& residual, const mx::array& x, const Batch& batch) const override {
    return mx::add(residual, (*this)(x, batch).front(), context_->stream);
  }

  std::vector<mx::array> multiply(const ProductInput& input) const {
    std::vector<mx::array> products;
    for (const MatrixPtr& matrix : m_.matrices) products.push_back(matrix->multiply(*context_, input));
    if (products.size() != m_.rows.size()) {
      mx::Shape cuts;
      int row = 0;
      for (size_t i = 0; i + 1 < m_.rows.size(); ++i) cuts.push_back(row += m_.rows[i]);
      products = mx::split(products.front(), cuts, 1, context_->stream);
    }
    for (size_t i = 0; i < products.size(); ++i) products[i] = with_bias(products[i], i);
    return products;
  }

 private:
  mx::array with_bias(const mx::array& product, size_t i) const {
    return m_.biases[i] ? mx::add(product, *m_.biases[i], context_->stream) : product;
  }

  MlxContextPtr context_;
  MlxMatrices m_;
  int input_exponent_;
};

class MlxEmbedding : public Embedding {
 public:
  MlxEmbedding(MlxContextPtr context, MatrixPtr table) : context_(std::move(context)), table_(std::move(table)) {}

  mx::array operator()(const Batch& batch) const override {
    const mx::array ids(batch.step().tokens.data(), {batch.tokens()}, mx::int32);
    return table_->take(*context_, ids);
  }

 private:
  MlxContextPtr context_;
  MatrixPtr table_;
};

class MlxNorm : public Norm {
 public:
  MlxNorm(MlxContextPtr context, const NormSpec& spec)
      : context_(std::move(context)),
        weight_(plain_array(*spec.weight)),
        eps_(spec.eps),
        centered_(spec.kind == NormSpec::Kind::layer) {
    if (spec.bias != nullptr) bias_ = plain_array(*spec.bias);
  }

  mx::array operator()(const mx::array& x, const Batch&) const override {
    const auto size = static_cast<int>(weight_.size());
    if (x.shape(1) == size) return normalized(x);
    const auto runs = mx::reshape(x, {x.shape(0), -1, size}, context_->stream);
    return mx::reshape(normalized(runs), x.shape(), context_->stream);
  }

  // Multiplies its results by `factor`.
  void scale(float factor) {
    weight_ = mx::multiply(weight_, mx::array(factor), context_->stream);
    mx::eval(weight_);
    if (!bias_) return;
    bias_ = mx::multiply(*bias_, mx::array(factor), context_->stream);
    mx::eval(*bias_);
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

// A norm whose results are the input of a product in float16: its weights are multiplied by a power of two, so that
// nothing leaves the range (mlx_scaling.h).
class ScaledNorm {
 public:
  // Nothing where the bound of the results is so large that small ones would lose bits.
  static std::optional<ScaledNorm> make(const MlxContextPtr& context, const NormSpec& spec, int input_exponent) {
    const mx::Stream& stream = context->stream;
    const auto largest = [&](const Tensor& tensor) {
      return mx::max(mx::abs(plain_array(tensor), stream), stream).item<float>();
    };
    // No value of a row is more than √size times the row's root mean square.
    float bound = largest(*spec.weight) * std::sqrt(static_cast<float>(spec.weight->columns()));
    if (spec.bias != nullptr) bound += largest(*spec.bias);
    constexpr int kLeastExponent = -4;
    const int exponent = static_cast<int>(std::floor(std::log2(std::ldexp(1.0F, input_exponent + 1) / bound)));
    if (!std::isfinite(bound) || !(bound > 0.0F) || exponent < kLeastExponent) return std::nullopt;
    return ScaledNorm(context, spec, std::min(exponent, 0));
  }

  ProductInput operator()(const mx::array& x, const Batch& batch) const {
    return {mx::astype(norm_(x, batch), context_->dtype, context_->stream), unscale_};
  }

 private:
  ScaledNorm(const MlxContextPtr& context, const NormSpec& spec, int exponent)
      : context_(context),
        norm_(context, spec),
        unscale_(mx::full({1, 1}, std::ldexp(1.0F, -exponent), context->stream)) {
    norm_.scale(std::ldexp(1.0F, exponent));
    mx::eval(unscale_);
  }

  MlxContextPtr context_;
  MlxNorm norm_;
  mx::array unscale_;
};

class MlxNormedLinear : public Linear {
 public:
  MlxNormedLinear(MlxContextPtr context, ScaledNorm norm, std::unique_ptr<MlxLinear> linear)
      : context_(std::move(context)), norm_(std::move(norm)), linear_(std::move(linear)) {}

  std::vector<mx::array> operator()(const mx::array& x, const Batch& batch) const override {
    return linear_->multiply(norm_(x, batch));
  }
  mx::array add_to(const mx::array& residual, const mx::array& x, const Batch& batch) const override {
    return mx::add(residual, (*this)(x, batch).front(), context_->stream);
  }

 private:
  MlxContextPtr context_;
  ScaledNorm norm_;
  std::unique_ptr<MlxLinear> linear_;
};

MlxContextPtr make_context(mx::Device::DeviceType device, mx::Dtype dtype) {
  MlxContext context{mx::default_stream(device), device == mx::Device::gpu, dtype};
  add_scaling(context);
  return std::make_shared<const MlxContext>(std::move(context));
}

class MlxBackend : public Backend {
 public:
  MlxBackend(mx::Device::DeviceType device, mx::Dtype dtype) : context_(make_context(device, dtype)) {
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

  Capabilities capabilities() const override {
    if (context_->dtype == mx::float32) return {context_->gpu ? 512 : 128, {KvDtype::f32, KvDtype::f16}};
    return {context_->gpu ? 512 : 128, {KvDtype::f16, KvDtype::f32}};
  }

  // A norm's weights bound its results, so those need no scaling by their values.
  std::unique_ptr<Linear> product(const Product& product) override {
    if (!product.norm || context_->dtype == mx::float32) return Backend::product(product);
    MlxMatrices matrices = joined(product.matrices);
    auto norm = ScaledNorm::make(context_, *product.norm, matrices.input_exponent());
    auto linear = std::make_unique<MlxLinear>(context_, std::move(matrices));
    if (!norm) return activated(product, normed(product, std::move(linear)));
    return activated(product, std::make_unique<MlxNormedLinear>(context_, std::move(*norm), std::move(linear)));
  }

  std::unique_ptr<Linear> linear(const std::vector<Matrix>& matrices) override {
    return std::make_unique<MlxLinear>(context_, joined(matrices));
  }

  MlxMatrices joined(const std::vector<Matrix>& given) {
    std::vector<const Tensor*> tensors;
    MlxMatrices all;
    bool same = true;
    for (const Matrix& one : given) {
      tensors.push_back(one.weight);
      all.rows.push_back(matrix_size(*one.weight).rows);
      same = same && stored_alike(*one.weight, *given.front().weight);
      all.biases.push_back(one.bias == nullptr ? std::nullopt : std::optional(plain_array(*one.bias)));
    }
    if (tensors.size() > 1 && same) {
      all.matrices.push_back(std::make_shared<MlxMatrix>(make_matrix(*context_, tensors)));
    } else {
      for (const Tensor* tensor : tensors) all.matrices.push_back(matrix(*tensor));
    }
    return all;
  }

  std::unique_ptr<Embedding> embedding(const Tensor& table) override {
    return std::make_unique<MlxEmbedding>(context_, matrix(table));
  }
  std::unique_ptr<Norm> norm(const NormSpec& spec) override { return std::make_unique<MlxNorm>(context_, spec); }
  std::unique_ptr<Experts> experts(const ExpertsConfig& config, const ExpertMatrices& matrices) override {
    const auto gate = [this, activation = config.activation](const mx::array& g, const mx::array& u) {
      return gated(activation, g, u);
    };
    return make_mlx_experts(context_, config, matrices, gate);
  }
  std::unique_ptr<AttentionOp> attention(const AttentionConfig& config, const std::vector<float>& sinks,
                                         int layer) override {
    return make_mlx_attention(context_, config, sinks, layer);
  }
  std::unique_ptr<KvPool> kv_pool(const KvSpec& spec, KvDtype dtype, int n_layers) override {
    return std::make_unique<MlxKvPool>(context_, spec, dtype, n_layers);
  }

  BatchPtr prepare(StepPtr step, const KvMemory& memory) override {
    return std::make_unique<const MlxBatch>(std::move(step), memory);
  }

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

  mx::array output_rows(const mx::array& x, const Batch& batch) override {
    const Step& step = batch.step();
    auto rows = x;
    if (step.outputs.size() != step.tokens.size()) {
      const mx::array ids(step.outputs.data(), {static_cast<int>(step.outputs.size())}, mx::int32);
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
    auto& known = known_[{tensor.name, tensor.data.data()}];
    if (const auto matrix = known.lock()) return matrix;
    const auto matrix = std::make_shared<const MlxMatrix>(make_matrix(*context_, {&tensor}));
    known = matrix;
    return matrix;
  }

  MlxContextPtr context_;
  MlxFunction swiglu_;
  MlxFunction gelu_;
  std::map<std::pair<std::string, const std::byte*>, std::weak_ptr<const MlxMatrix>> known_;
};

}  // namespace

std::unique_ptr<Backend> make_mlx_backend(mx::Device::DeviceType device) {
  return make_mlx_backend(device, device == mx::Device::gpu ? mx::float16 : mx::float32);
}

std::unique_ptr<Backend> make_mlx_backend(mx::Device::DeviceType device, mx::Dtype dtype) {
  return std::make_unique<MlxBackend>(device, dtype);
}

}  // namespace emelex::mlx_backend
