#include "kernels/mlx/mlx_experts.h"

#include <mlx/ops.h>
#include <mlx/transforms.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "base/strings.h"
#include "emelex/error.h"
#include "kernels/mlx/mlx_matrix.h"

namespace emelex::mlx_backend {
namespace {

// Some rows, each to be multiplied with the matrix of its expert.
struct Rows {
  ProductInput input;  // [rows, columns]
  mx::array experts;   // [rows]
  bool sorted;         // by expert
};

// One matrix of each expert: weight, scales and biases are [experts, …].
class ExpertStack {
 public:
  ExpertStack(const MlxContext& context, const std::vector<Matrix>& matrices) : matrix_(stacked(context, matrices)) {
    if (matrices.front().bias == nullptr) return;
    std::vector<mx::array> biases;
    for (const Matrix& matrix : matrices) biases.push_back(plain_array(*matrix.bias));
    bias_ = mx::stack(biases, 0, context.stream);
    mx::eval(*bias_);
  }

  // → [rows, 1, matrix rows]
  mx::array multiply(const MlxContext& context, const Rows& rows) const {
    const mx::Stream& stream = context.stream;
    const auto x = mx::expand_dims(rows.input.x, 1, stream);
    auto product = matrix_.format ? mx::gather_qmm(x, matrix_.weight, *matrix_.scales, matrix_.biases, std::nullopt,
                                                   rows.experts, true, matrix_.format->group_size, matrix_.format->bits,
                                                   std::string(mlx_mode_name(matrix_.format->mode)), std::nullopt,
                                                   rows.sorted, stream)
                                  : mx::gather_mm(x, mx::swapaxes(matrix_.weight, 1, 2, stream), std::nullopt,
                                                  rows.experts, rows.sorted, stream);
    product = product_result(context, product, rows.input);
    if (bias_) {
      const auto bias = mx::expand_dims(mx::take(*bias_, rows.experts, 0, stream), 1, stream);
      product = mx::add(product, bias, stream);
    }
    return product;
  }

  int input_exponent() const { return matrix_.input_exponent; }

 private:
  static MlxMatrix stacked(const MlxContext& context, const std::vector<Matrix>& matrices) {
    std::vector<const Tensor*> tensors;
    for (const Matrix& matrix : matrices) {
      tensors.push_back(matrix.weight);
      if (stored_alike(*matrix.weight, *tensors.front())) continue;
      throw Error(ErrorCode::unsupported,
                  str_cat("[mlx] expected all experts' matrices stored alike, got ", tensors.front()->type_name(),
                          " and in ", matrix.weight->name, " ", matrix.weight->type_name()));
    }
    MlxMatrix all = make_matrix(context, tensors);
    const auto n = static_cast<int>(matrices.size());
    const auto cut = [&](const mx::array& a) {
      auto result = mx::reshape(a, {n, a.shape(0) / n, a.shape(1)}, context.stream);
      mx::eval(result);
      return result;
    };
    all.weight = cut(all.weight);
    if (all.scales) all.scales = cut(*all.scales);
    if (all.biases) all.biases = cut(*all.biases);
    return all;
  }

  MlxMatrix matrix_;
  std::optional<mx::array> bias_;  // [experts, rows]
};

// From so many rows on they are sorted by expert, so that an expert's matrix is read once.
constexpr int kRowsToSort = 64;

class MlxExperts : public Experts {
 public:
  MlxExperts(MlxContextPtr context, const ExpertsConfig& config, const ExpertMatrices& matrices,
             std::function<mx::array(const mx::array&, const mx::array&)> activation)
      : context_(std::move(context)),
        config_(config),
        activation_(std::move(activation)),
        gate_(*context_, matrices.gate),
        down_(*context_, matrices.down) {
    if (!matrices.up.empty()) up_.emplace(*context_, matrices.up);
  }

  mx::array operator()(const mx::array& x, const mx::array& scores, const Batch&) const override {
    const mx::Stream& stream = context_->stream;
    const int tokens = x.shape(0);
    const auto ranked = mx::argsort(mx::negative(scores, stream), 1, stream);
    const auto used = mx::slice(ranked, {0, 0}, {tokens, config_.n_used}, stream);
    const auto rows = mx::astype(mx::reshape(used, {-1}, stream), mx::int32, stream);  // a token's side by side
    const auto results = computed(x, rows);
    const auto parts = mx::reshape(results, {tokens, config_.n_used, -1}, stream);
    const auto weighted = mx::multiply(parts, mx::expand_dims(weights(scores, used), 2, stream), stream);
    return mx::sum(weighted, 1, false, stream);
  }

 private:
  // [tokens, n_used], float32
  mx::array weights(const mx::array& scores, const mx::array& used) const {
    const mx::Stream& stream = context_->stream;
    const auto all = mx::astype(scores, mx::float32, stream);
    if (config_.normalized) return mx::softmax(mx::take_along_axis(all, used, 1, stream), -1, true, stream);
    return mx::take_along_axis(mx::softmax(all, -1, true, stream), used, 1, stream);
  }

  // experts [tokens · n_used] → [tokens · n_used, dim]
  mx::array computed(const mx::array& x, const mx::array& experts) const {
    const mx::Stream& stream = context_->stream;
    const auto n_used = mx::array(config_.n_used, mx::int32);
    if (experts.size() < kRowsToSort) {
      const auto tokens = mx::floor_divide(mx::arange(experts.shape(0), mx::int32, stream), n_used, stream);
      return products(mx::take(x, tokens, 0, stream), experts, false);
    }
    const auto order = mx::astype(mx::argsort(experts, 0, stream), mx::int32, stream);
    const auto tokens = mx::floor_divide(order, n_used, stream);
    const auto sorted = products(mx::take(x, tokens, 0, stream), mx::take(experts, order, 0, stream), true);
    return mx::take(sorted, mx::argsort(order, 0, stream), 0, stream);
  }

  // x [rows, dim] → [rows, dim]
  mx::array products(const mx::array& x, const mx::array& experts, bool sorted) const {
    const mx::Stream& stream = context_->stream;
    const int exponent = std::min(gate_.input_exponent(), up_ ? up_->input_exponent() : gate_.input_exponent());
    const Rows input{product_input(*context_, x, exponent), experts, sorted};
    const auto gate = gate_.multiply(*context_, input);
    const auto hidden = up_ ? activation_(gate, up_->multiply(*context_, input)) : paired(gate);
    const auto down_input =
        product_input(*context_, mx::squeeze(hidden, 1, stream), down_.input_exponent());  // [rows, hidden]
    return mx::squeeze(down_.multiply(*context_, {down_input, experts, sorted}), 1, stream);
  }

  // Gate and up in turn, [rows, 1, 2 · hidden] → [rows, 1, hidden]
  mx::array paired(const mx::array& both) const {
    const mx::Stream& stream = context_->stream;
    const auto pairs = mx::reshape(both, {both.shape(0), 1, -1, 2}, stream);
    const auto halves = mx::split(pairs, 2, 3, stream);
    return activation_(mx::squeeze(halves[0], 3, stream), mx::squeeze(halves[1], 3, stream));
  }

  MlxContextPtr context_;
  ExpertsConfig config_;
  std::function<mx::array(const mx::array&, const mx::array&)> activation_;
  ExpertStack gate_;
  std::optional<ExpertStack> up_;  // nothing where gate_ is both
  ExpertStack down_;
};

}  // namespace

std::unique_ptr<Experts> make_mlx_experts(MlxContextPtr context, const ExpertsConfig& config,
                                          const ExpertMatrices& matrices,
                                          std::function<mx::array(const mx::array&, const mx::array&)> activation) {
  return std::make_unique<MlxExperts>(std::move(context), config, matrices, std::move(activation));
}

}  // namespace emelex::mlx_backend
