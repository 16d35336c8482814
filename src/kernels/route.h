#pragma once

#include <mlx/array.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/step.h"
#include "weights/weights.h"

// What a model is made of, as each route computes it. There are two routes: emelex's own CPU primitives over the mapped
// file (kernels/cpu), and MLX's stock operations over arrays in MLX's layouts (kernels/mlx). Layers see only this
// header and never ask which route it is. Everything here belongs to the thread that owns the MLX stream.

namespace emelex {

namespace mx = mlx::core;

// A matrix [rows, columns], and a bias [rows] where there is one.
struct Matrix {
  const Tensor* weight;
  const Tensor* bias;

  Matrix(const Tensor* weight_, const Tensor* bias_ = nullptr) : weight(weight_), bias(bias_) {}
};

// One or several matrices applied to the same input.
class Linear {
 public:
  virtual ~Linear() = default;
  // x [tokens, columns] → x Wᵀ + bias, one [tokens, rows] for each matrix
  virtual std::vector<mx::array> operator()(const mx::array& x) const = 0;
  // x [tokens, columns], residual [tokens, rows] → residual + x Wᵀ + bias; for a single matrix
  virtual mx::array add_to(const mx::array& residual, const mx::array& x) const = 0;
};

// Token ids → rows of the embedding table.
class Embedding {
 public:
  virtual ~Embedding() = default;
  virtual mx::array operator()(const StepPtr& step) const = 0;  // → [tokens, dim]
};

// RMSNorm (Zhang and Sennrich, arXiv:1910.07467), y = x / sqrt(mean(x²) + eps) · weight, or LayerNorm (Ba et al.,
// arXiv:1607.06450), y = (x - mean(x)) / sqrt(variance(x) + eps) · weight + bias.
class Norm {
 public:
  virtual ~Norm() = default;
  // x [tokens, n · size] for a weight of `size` values: each run of them by itself, as heads are normalized.
  virtual mx::array operator()(const mx::array& x) const = 0;
};

enum class Activation {
  silu,  // x / (1 + e⁻ˣ)
  gelu,  // with its tangent: x / 2 · (1 + tanh(√(2/π) (x + 0.044715 x³))) (Hendrycks and Gimpel, arXiv:1606.08415)
  // As gpt-oss gates (arXiv:2508.10925): of g = min(gate, 7) and u = up bounded to ±7, g / (1 + e⁻¹·⁷⁰²ᵍ) · (u + 1).
  clamped_silu,
};
constexpr float kGateClamp = 7.0F;
constexpr float kGateSteepness = 1.702F;

// How a mixture of experts (Shazeer et al., arXiv:1701.06538) chooses those that compute a token, and weighs them.
struct ExpertsConfig {
  int n_used = 0;  // the experts with the highest scores, of which the lower number wins a tie
  bool normalized =
      true;  // weights are the softmax of the used experts' scores; else of all, and sum up to less than 1
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
  virtual mx::array operator()(const mx::array& x, const mx::array& scores) const = 0;
};

// Rotary position embedding (Su et al., arXiv:2104.09864): pair i of the first `dim` values of a head turns by
// position × inv_freq[i].
struct Rope {
  int dim = 0;                  // rotated values of a head; the others pass through. 0: no position is told
  bool interleaved = true;      // pairs are (2i, 2i+1); else (i, i + dim/2)
  std::vector<float> inv_freq;  // [dim / 2]
  float scale = 1.0F;           // of the rotated values, as YaRN and LongRoPE have it
  // LongRoPE (arXiv:2402.13753) turns sequences of more than `longer_than` tokens by other frequencies, from their
  // first token on. 0: by the same.
  int longer_than = 0;
  std::vector<float> longer_inv_freq = {};  // [dim / 2]

  const std::vector<float>& frequencies(bool longer) const {
    return longer && longer_than > 0 ? longer_inv_freq : inv_freq;
  }
};

struct AttentionConfig {
  int n_heads = 0;
  int n_kv_heads = 0;  // divides n_heads
  int head_dim = 0;
  float scale = 0;     // of the scores, usually 1/sqrt(head_dim)
  float soft_cap = 0;  // scores become cap · tanh(score / cap); 0: they stay
  int window = 0;      // a token attends to so many positions, its own among them; 0: to all before it
  Rope rope;
};

struct KvShape {
  int n_layers = 0;
  int n_kv_heads = 0;
  int head_dim = 0;
  KvDtype dtype = KvDtype::f16;
  std::vector<int> windows = {};  // of each layer, 0: it sees all tokens before; empty: all layers do

  bool windowed(int layer) const { return !windows.empty() && windows[static_cast<size_t>(layer)] > 0; }

  // of keys and values in all layers
  int64_t bytes_per_token() const {
    const int scales = (head_dim + kKvScaleValues - 1) / kKvScaleValues;
    const int head_bytes = dtype == KvDtype::q8_0 ? head_dim + 2 * scales : head_dim * (dtype == KvDtype::f16 ? 2 : 4);
    return int64_t{2} * n_layers * n_kv_heads * head_bytes;
  }
};

// The memory of the KV cache: numbered blocks of kBlockTokens tokens, each holding keys and values of all layers. That
// of the layers with a window is apart: a block gives it back when it lies before the windows of those who have it.
// Which sequence owns which block is KvCache's business (cache/kv_cache.h).
class KvStore {
 public:
  virtual ~KvStore() = default;
  // Makes blocks 0 … n_blocks-1 exist, and memory for the windowed layers of n_windowed of them; never shrinks.
  virtual void grow(int n_blocks, int n_windowed) = 0;
  // Gives a block memory for its windowed layers, of what grow() has made; takes it from it, and what it held is lost.
  // Neither allocates.
  virtual void take_windowed(int block) = 0;
  virtual void drop_windowed(int block) = 0;
  // To be called after a step has failed. True when all that earlier steps have written is still there; false when the
  // store had to drop its contents and is as new, without blocks.
  virtual bool recover() noexcept { return true; }
  virtual int64_t bytes() const = 0;  // that it has taken
  // Copies the first `n_tokens` tokens of a block, after all work already given to the route.
  virtual void copy_block(int from, int to, int n_tokens) = 0;
  // Rotates q and k, stores k and v at their positions, and attends from every token to its sequence's tokens up to
  // itself. q [tokens, n_heads · head_dim], k and v [tokens, n_kv_heads · head_dim] → [tokens, n_heads · head_dim].
  // `sinks` has a score for each head that takes its part of the softmax and gives nothing (Xiao et al.,
  // arXiv:2309.17453), or is empty.
  virtual mx::array attend(const std::shared_ptr<const AttentionConfig>& config, int layer, const mx::array& q,
                           const mx::array& k, const mx::array& v, const std::vector<float>& sinks,
                           const StepPtr& step) = 0;
};

// What a model makes of a step: its logits.
using Forward = std::function<mx::array(const StepPtr& step)>;

class Route {
 public:
  virtual ~Route() = default;
  // Computes a step by `forward` and waits for it. → the logits [step->outputs, vocabulary], valid until the next call;
  // nothing without outputs. A route may give `forward` a step with more rows, or not call it where it has kept what it
  // did for a step of that shape.
  virtual std::span<float> compute(const StepPtr& step, const Forward& forward);
  virtual std::unique_ptr<Linear> linear(const std::vector<Matrix>& matrices) = 0;
  virtual std::unique_ptr<Embedding> embedding(const Tensor& table) = 0;
  virtual std::unique_ptr<Norm> rms_norm(const Tensor& weight, float eps) = 0;
  virtual std::unique_ptr<Norm> layer_norm(const Tensor& weight, const Tensor* bias, float eps) = 0;
  virtual std::unique_ptr<Experts> experts(const ExpertsConfig& config, const ExpertMatrices& matrices) = 0;
  virtual std::unique_ptr<KvStore> kv_store(const KvShape& shape) = 0;
  // activation(gate) · up, elementwise: SwiGLU, GeGLU (Shazeer, arXiv:2002.05202)
  virtual mx::array gated(Activation activation, const mx::array& gate, const mx::array& up) = 0;
  virtual mx::array gelu(const mx::array& x) = 0;
  virtual mx::array add(const mx::array& a, const mx::array& b) = 0;
  virtual mx::array scale(const mx::array& x, float factor) = 0;
  // cap · tanh(x / cap)
  virtual mx::array soft_cap(const mx::array& x, float cap) = 0;
  // the rows of x [tokens, n] that step->outputs names, as float32
  virtual mx::array output_rows(const mx::array& x, const StepPtr& step) = 0;

  // The weights that lie in memory of the route's own by now, for measuring how fast that can be read; valid until the
  // next step.
  virtual std::vector<std::span<const std::byte>> packed_weights() const { return {}; }

  virtual std::string name() const = 0;             // "fast", "float", "mlx", "cuda"
  virtual std::string instruction_set() const = 0;  // of our kernels; empty on the MLX route

 private:
  std::vector<mx::array> last_;  // keeps the logits that were given out
};

}  // namespace emelex
