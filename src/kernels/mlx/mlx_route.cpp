#include "kernels/mlx/mlx_route.h"

#include <mlx/compile.h>
#include <mlx/fast.h>
#include <mlx/ops.h>
#include <mlx/transforms.h>

#include <functional>
#include <map>

#include "kernels/mlx/mlx_kv_store.h"
#include "kernels/mlx/mlx_matrix.h"

namespace emelex::mlx_route {
namespace {

using MatrixPtr = std::shared_ptr<const MlxMatrix>;

// Several matrices of one type are one product, whose result is cut.
class MlxLinear : public Linear {
 public:
  MlxLinear(MlxContextPtr context, std::vector<MatrixPtr> matrices, std::vector<int> rows)
      : context_(std::move(context)), matrices_(std::move(matrices)), rows_(std::move(rows)) {}

  std::vector<mx::array> operator()(const mx::array& x) const override {
    std::vector<mx::array> products;
    for (const MatrixPtr& matrix : matrices_) products.push_back(matrix->multiply(*context_, x));
    if (products.size() == rows_.size()) return products;
    mx::Shape cuts;
    int row = 0;
    for (size_t i = 0; i + 1 < rows_.size(); ++i) cuts.push_back(row += rows_[i]);
    return mx::split(products.front(), cuts, 1, context_->stream);
  }

  mx::array add_to(const mx::array& residual, const mx::array& x) const override {
    return mx::add(residual, matrices_.front()->multiply(*context_, x), context_->stream);
  }

 private:
  MlxContextPtr context_;
  std::vector<MatrixPtr> matrices_;  // one, or as many as there are rows_
  std::vector<int> rows_;            // of each matrix that was given
};

class MlxEmbedding : public Embedding {
 public:
  MlxEmbedding(MlxContextPtr context, MatrixPtr table) : context_(std::move(context)), table_(std::move(table)) {}

  mx::array operator()(const StepPtr& step) const override {
    const mx::array ids(step->tokens.data(), {step->size()}, mx::int32);
    return mx::astype(table_->take(*context_, ids), context_->dtype, context_->stream);
  }

 private:
  MlxContextPtr context_;
  MatrixPtr table_;
};

class MlxRmsNorm : public RmsNorm {
 public:
  MlxRmsNorm(MlxContextPtr context, const Tensor& weight, float eps)
      : context_(std::move(context)),
        weight_(mx::astype(plain_array(weight), context_->dtype, context_->stream)),
        eps_(eps) {
    mx::eval(weight_);
  }

  mx::array operator()(const mx::array& x) const override {
    return mx::fast::rms_norm(x, mx::astype(weight_, x.dtype(), context_->stream), eps_, context_->stream);
  }

 private:
  MlxContextPtr context_;
  mx::array weight_;
  float eps_;
};

class MlxRoute : public Route {
 public:
  explicit MlxRoute(mx::Device::DeviceType device)
      : context_(std::make_shared<MlxContext>(MlxContext{mx::default_stream(device), device == mx::Device::gpu,
                                                         device == mx::Device::gpu ? mx::float16 : mx::float32})) {
    swiglu_ = [stream = context_->stream](const std::vector<mx::array>& in) -> std::vector<mx::array> {
      return {mx::multiply(mx::multiply(in[0], mx::sigmoid(in[0], stream), stream), in[1], stream)};
    };
    // One kernel instead of three. On a CPU this would run a C++ compiler.
    if (context_->gpu) swiglu_ = mx::compile(swiglu_, true);
  }

  std::unique_ptr<Linear> linear(const std::vector<const Tensor*>& tensors) override {
    std::vector<MatrixPtr> matrices;
    std::vector<int> rows;
    bool same = true;
    for (const Tensor* tensor : tensors) {
      rows.push_back(static_cast<int>(tensor->rows()));
      same = same && stored_alike(*tensor, *tensors.front());
    }
    if (tensors.size() > 1 && same) {
      matrices.push_back(std::make_shared<MlxMatrix>(make_matrix(*context_, tensors)));
    } else {
      for (const Tensor* tensor : tensors) matrices.push_back(matrix(*tensor));
    }
    return std::make_unique<MlxLinear>(context_, std::move(matrices), std::move(rows));
  }

  std::unique_ptr<Embedding> embedding(const Tensor& table) override {
    return std::make_unique<MlxEmbedding>(context_, matrix(table));
  }
  std::unique_ptr<RmsNorm> rms_norm(const Tensor& weight, float eps) override {
    return std::make_unique<MlxRmsNorm>(context_, weight, eps);
  }
  std::unique_ptr<KvStore> kv_store(const KvShape& shape) override { return make_mlx_kv_store(context_, shape); }

  mx::array swiglu(const mx::array& gate, const mx::array& up) override { return swiglu_({gate, up}).front(); }

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
  // One copy of a matrix that is used twice, as tied embeddings are.
  MatrixPtr matrix(const Tensor& tensor) {
    MatrixPtr& known = known_[tensor.data.data()];
    if (!known) known = std::make_shared<MlxMatrix>(make_matrix(*context_, {&tensor}));
    return known;
  }

  MlxContextPtr context_;
  std::function<std::vector<mx::array>(const std::vector<mx::array>&)> swiglu_;
  std::map<const std::byte*, MatrixPtr> known_;
};

}  // namespace

std::unique_ptr<Route> make_mlx_route(mx::Device::DeviceType device) { return std::make_unique<MlxRoute>(device); }

}  // namespace emelex::mlx_route
