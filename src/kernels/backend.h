#pragma once

#include <mlx/array.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/likeliest.h"
#include "kernels/attention.h"
#include "kernels/batch.h"
#include "kernels/kv_memory.h"
#include "kernels/product.h"

// What a model is made of, as each backend computes it: emelex's own CPU kernels over the mapped file (kernels/cpu),
// its own kernels for NVIDIA GPUs (kernels/cuda), or MLX's operations over arrays in MLX's layouts (kernels/mlx).
// Layers see only this header and never ask which backend it is. Everything here belongs to the thread that owns the
// MLX stream.
//
// A backend must make linear, norm, embedding, experts, attention and kv_pool, prepare a step, and have the
// elementwise operations. It may override product(), to compute a norm, an activation or several matrices as one, and
// compute(), to capture what a step computes and replay it.

namespace emelex {

namespace mx = mlx::core;

// What a backend can do, and what it does best.
struct Capabilities {
  int prefill_chunk;               // tokens of a prompt that are best computed at once
  std::vector<KvDtype> kv_dtypes;  // that its cache can have; the first is the default
};

// What a model makes of a batch: the logits of the tokens that the step's outputs name. Without outputs: an array that
// has done the work.
using Forward = std::function<mx::array(const Batch& batch)>;

// Throws Error(internal) where a product has not as many matrices as its activation is of.
void check_activation(const Product& product);

class Backend {
 public:
  virtual ~Backend() = default;

  virtual Capabilities capabilities() const = 0;
  virtual std::string name() const = 0;             // "fast", "float", "mlx", "cuda"
  virtual std::string instruction_set() const = 0;  // of our kernels; empty on the MLX backend

  // A product as it is described. By default made of linear(), norm() and the operations below. Throws
  // Error(unsupported) where a matrix has a type that the backend can't compute with.
  virtual std::unique_ptr<Linear> product(const Product& product);
  virtual std::unique_ptr<Linear> linear(const std::vector<Matrix>& matrices) = 0;
  virtual std::unique_ptr<Norm> norm(const NormSpec& spec) = 0;
  virtual std::unique_ptr<Embedding> embedding(const Tensor& table) = 0;
  virtual std::unique_ptr<Experts> experts(const ExpertsConfig& config, const ExpertMatrices& matrices) = 0;
  // The attention of layer number `layer`. `sinks` has a score for each head that takes its part of the softmax and
  // gives nothing (Xiao et al., arXiv:2309.17453), or is empty.
  virtual std::unique_ptr<AttentionOp> attention(const AttentionConfig& config, const std::vector<float>& sinks,
                                                 int layer) = 0;
  // Memory for `n_layers` equal layers, at first without any block.
  virtual std::unique_ptr<KvPool> kv_pool(const KvSpec& spec, KvDtype dtype, int n_layers) = 0;

  // Computes a step: prepares it, calls `forward` with the batch, and waits for the result. A backend may give
  // `forward` a batch with more rows. It may also replay what it captured of a step of the same shape, and not call
  // `forward`.
  virtual void compute(const StepPtr& step, const KvMemory& memory, const Forward& forward);
  // The computed step's logits [step->outputs, vocabulary], valid until the next step; nothing without outputs. The
  // caller may change them.
  virtual std::span<float> logits();
  // For each of the step's outputs the token with the largest logit, the lowest of equals; valid until the next step.
  // NaN and -infinity are impossible, and kNoToken stands where all are; +infinity is the largest number. Not after the
  // caller has changed the logits. A GPU finds them without bringing the logits to the host.
  virtual std::span<const int32_t> likeliest();
  // What compute() does before a step. `memory` has the blocks that the step names and outlives the batch. The batch is
  // valid until the next one is prepared. This is also where a backend brings weights into another form, a part of
  // them with each of the first steps.
  virtual BatchPtr prepare(StepPtr step, const KvMemory& memory) = 0;

  // activation(gate) · up, elementwise
  virtual mx::array gated(Activation activation, const mx::array& gate, const mx::array& up) = 0;
  virtual mx::array gelu(const mx::array& x) = 0;
  // A product's one result from its matrices' results: gelu of one, gated() of two.
  mx::array activate(Activation activation, const std::vector<mx::array>& results);
  virtual mx::array add(const mx::array& a, const mx::array& b) = 0;
  virtual mx::array scale(const mx::array& x, float factor) = 0;
  // cap · tanh(x / cap)
  virtual mx::array soft_cap(const mx::array& x, float cap) = 0;
  // the rows of x [tokens, n] that the step's outputs name, as float32
  virtual mx::array output_rows(const mx::array& x, const Batch& batch) = 0;

  // Bytes on a GPU that nobody has taken; nothing where the backend computes in the host's memory.
  virtual std::optional<int64_t> free_bytes() const { return std::nullopt; }
  // Bytes that the backend may take, beyond those that it needs, to compute faster. None until this is called.
  virtual void set_spare_bytes(int64_t /*bytes*/) {}

  // The weights that lie in memory of the backend's own by now, for measuring how fast that can be read; valid until
  // the next step.
  virtual std::vector<std::span<const std::byte>> packed_weights() const { return {}; }

 protected:
  // A product's norm by norm(), and its activation by gated() and gelu(), where `linear` computes the rest.
  std::unique_ptr<Linear> normed(const Product& product, std::unique_ptr<Linear> linear);
  std::unique_ptr<Linear> activated(const Product& product, std::unique_ptr<Linear> linear);

 private:
  std::vector<mx::array> last_;     // the last step's logits, where it has outputs
  std::vector<int32_t> likeliest_;  // of them
};

}  // namespace emelex
