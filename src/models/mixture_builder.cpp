// LayerBuilder's mixtures of experts: layer_builder.h.
#include <deque>

#include "base/strings.h"
#include "layers/mixture.h"
#include "models/layer_builder.h"
#include "weights/tensor_slice.h"

namespace emelex {

// The matrices of a layer's experts, whose tensors are cut from those of the file and kept here.
class ExpertCuts {
 public:
  // [experts, rows, columns], with the biases [experts, rows] where there are some.
  std::vector<Matrix> cut(const Tensor& weights, const Tensor* biases) {
    std::vector<Matrix> matrices;
    for (int64_t i = 0; i < weights.shape.front(); ++i) {
      const Tensor* bias = biases == nullptr ? nullptr : keep(tensor_part(*biases, i));
      matrices.emplace_back(keep(tensor_part(weights, i)), bias);
    }
    return matrices;
  }

  // Rows [first, first + n) of each.
  std::vector<Matrix> slice(const std::vector<Matrix>& matrices, int64_t first, int64_t n) {
    std::vector<Matrix> slices;
    for (const Matrix& matrix : matrices) {
      const Tensor* bias = matrix.bias == nullptr ? nullptr : keep(tensor_slice(*matrix.bias, first, n));
      slices.emplace_back(keep(tensor_slice(*matrix.weight, first, n)), bias);
    }
    return slices;
  }

 private:
  const Tensor* keep(Tensor tensor) { return &tensors_.emplace_back(std::move(tensor)); }

  std::deque<Tensor> tensors_;
};

std::vector<Matrix> LayerBuilder::stack(std::string_view name, int64_t rows, int64_t columns, ExpertCuts& cuts) const {
  const int64_t n = config_->n_experts;
  const std::string bias = full_name(name, ".bias");
  return cuts.cut(require(name, {n, rows, columns}),
                  weights_->find(bias) == nullptr ? nullptr : &weights_->require(bias, {n, rows}));
}

std::vector<Matrix> LayerBuilder::expert_matrices(std::string_view name, int64_t rows, int64_t columns,
                                                  ExpertCuts& cuts) const {
  if (!has(str_cat(name, ".0"))) return stack(str_cat(name, "_exps"), rows, columns, cuts);
  std::vector<Matrix> matrices;
  for (int i = 0; i < config_->n_experts; ++i) matrices.push_back(matrix(str_cat(name, ".", i), rows, columns));
  return matrices;
}

std::unique_ptr<Mlp> LayerBuilder::mixture(bool normalized, Activation activation, std::string_view input_norm) const {
  const int64_t dim = config_->dim;
  const int64_t hidden = config_->expert_hidden_dim;
  ExpertCuts cuts;
  ExpertMatrices matrices;
  if (has("ffn_gate_up_pairs")) {
    matrices.gate = stack("ffn_gate_up_pairs", 2 * hidden, dim, cuts);
  } else if (has("ffn_gate_up_exps")) {
    const std::vector<Matrix> both = stack("ffn_gate_up_exps", 2 * hidden, dim, cuts);
    matrices.gate = cuts.slice(both, 0, hidden);
    matrices.up = cuts.slice(both, hidden, hidden);
  } else {
    matrices.gate = expert_matrices("ffn_gate", hidden, dim, cuts);
    matrices.up = expert_matrices("ffn_up", hidden, dim, cuts);
  }
  matrices.down = expert_matrices("ffn_down", dim, hidden, cuts);
  const ExpertsConfig config{config_->n_experts_used, normalized, activation};
  return std::make_unique<Mixture>(*backend_, norm(input_norm), linear("ffn_gate_inp", config_->n_experts, dim),
                                   backend_->experts(config, matrices));
}

}  // namespace emelex
