#pragma once

#include <mlx/array.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernels/batch.h"
#include "weights/weights.h"

// Products of activations with weights: what layers describe, and what backends make of the descriptions.

namespace emelex {

namespace mx = mlx::core;

// A matrix [rows, columns], and a bias [rows] where there is one. A tensor that is cut from another has its name, which
// is the file's. Tensors belong to the caller; a backend keeps copies of what it needs.
struct Matrix {
  const Tensor* weight;
  const Tensor* bias;

  Matrix(const Tensor* weight_, const Tensor* bias_ = nullptr) : weight(weight_), bias(bias_) {}
};

// RMSNorm (Zhang and Sennrich, arXiv:1910.07467), y = x / sqrt(mean(x²) + eps) · weight, or LayerNorm (Ba et al.,
// arXiv:1607.06450), y = (x - mean(x)) / sqrt(variance(x) + eps) · weight + bias.
struct NormSpec {
  enum class Kind { rms, layer };
  Kind kind = Kind::rms;
  const Tensor* weight = nullptr;  // [size]
  const Tensor* bias = nullptr;    // [size], of a LayerNorm that has one
  float eps = 0.0F;
};

enum class Activation {
  silu,  // x / (1 + e⁻ˣ)
  gelu,  // with its tangent: x / 2 · (1 + tanh(√(2/π) (x + 0.044715 x³))) (Hendrycks and Gimpel, arXiv:1606.08415)
  // As gpt-oss gates (arXiv:2508.10925): of g = min(gate, 7) and u = up bounded to ±7, g / (1 + e⁻¹·⁷⁰²ᵍ) · (u + 1).
  clamped_silu,
};
constexpr float kGateClamp = 7.0F;
constexpr float kGateSteepness = 1.702F;

// One or several matrices applied to the same input, with what comes directly before and after:
//   y[i] = norm(x) Wᵢᵀ + biasᵢ
struct Product {
  std::vector<Matrix> matrices;
  std::optional<NormSpec> norm;  // of the input
  // Of two matrices: the one result is activation(y[0]) · y[1] (SwiGLU, GeGLU: Shazeer, arXiv:2002.05202). Of one:
  // activation(y[0]), for gelu alone. Nothing: the results are y.
  std::optional<Activation> activation;
};

// A Product, ready to compute.
class Linear {
 public:
  virtual ~Linear() = default;
  // x [tokens, columns] → the product's results, each [tokens, rows]
  virtual std::vector<mx::array> operator()(const mx::array& x, const Batch& batch) const = 0;
  // x [tokens, columns], residual [tokens, rows] → residual + the result; for products with one result
  virtual mx::array add_to(const mx::array& residual, const mx::array& x, const Batch& batch) const = 0;
};

class Norm {
 public:
  virtual ~Norm() = default;
  // x [tokens, n · size] for a weight of `size` values: each run of them by itself, as heads are normalized.
  virtual mx::array operator()(const mx::array& x, const Batch& batch) const = 0;
};

// Token ids → rows of the embedding table.
class Embedding {
 public:
  virtual ~Embedding() = default;
  virtual mx::array operator()(const Batch& batch) const = 0;  // → [tokens, dim]
};

// How a mixture of experts (Shazeer et al., arXiv:1701.06538) chooses those that compute a token, and weighs them.
struct ExpertsConfig {
  int n_used = 0;  // the experts with the highest scores, of which the lower number wins a tie
  // Weights are the softmax of the used experts' scores; else of all, and sum up to less than 1.
  bool normalized = true;
  Activation activation = Activation::silu;
};

// The matrices of a layer's experts, one for each expert: gate and up [hidden, dim], down [dim, hidden]. Where `up` is
// empty, `gate` has both, [2 · hidden, dim]: the rows of the one and of the other in turn.
struct ExpertMatrices {
  std::vector<Matrix> gate;
  std::vector<Matrix> up;
  std::vector<Matrix> down;
};

// The experts of one layer.
class Experts {
 public:
  virtual ~Experts() = default;
  // x [tokens, dim], scores [tokens, experts] → Σ weight · down(activation(gate x) · up x) over the experts that each
  // token uses, [tokens, dim]. An expert is computed for the tokens that use it and for no other.
  virtual mx::array operator()(const mx::array& x, const mx::array& scores, const Batch& batch) const = 0;
};

}  // namespace emelex
