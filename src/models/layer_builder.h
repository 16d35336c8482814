#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "layers/attention.h"
#include "layers/mlp.h"
#include "models/model.h"

namespace emelex {

class ExpertCuts;

// Builds a model's layers from its tensors, which have GGUF's names. Throws Error(corrupt_file), naming the tensor and
// the file, where a tensor is missing or has another shape.
class LayerBuilder {
 public:
  // `norm_key` is the metadata key of the norms' epsilon: "attention.layer_norm_rms_epsilon" for RMSNorm,
  // "attention.layer_norm_epsilon" for LayerNorm, whose biases are taken where the file has them.
  LayerBuilder(const ModelInput& source, const ModelConfig& config, std::string_view norm_key);

  // The builder of one layer, whose tensors' names begin with "blk.<layer>.".
  LayerBuilder layer(int i) const;

  std::unique_ptr<Embedding> embedding() const;
  // output.weight, or where there is none the embedding, after a norm.
  std::unique_ptr<Linear> output(std::string_view input_norm) const;
  // A matrix [rows, columns], with its bias where the file has one.
  std::unique_ptr<Linear> linear(std::string_view name, int64_t rows, int64_t columns) const;
  std::unique_ptr<Norm> norm(std::string_view name, int64_t size) const;
  std::unique_ptr<Norm> norm(std::string_view name) const { return norm(name, config_->dim); }

  // attn_q, attn_k, attn_v or all three in attn_qkv, and attn_output; without norms of q and k. `input_norm`: the name
  // of the norm that the input goes through; empty: none.
  AttentionParts attention(std::string_view input_norm = {}) const;
  // With attn_sinks, a score for each head.
  AttentionParts attention_with_sinks(std::string_view input_norm) const;
  // With attn_q_norm and attn_k_norm, of each head or of all heads together.
  enum class QkNorm { of_heads, of_all };
  AttentionParts attention(QkNorm kind, std::string_view input_norm = {}) const;

  // ffn_gate and ffn_up, or both in ffn_up, and ffn_down.
  std::unique_ptr<Mlp> gated_mlp(Activation activation, std::string_view input_norm = {}) const;
  std::unique_ptr<Mlp> gelu_mlp() const;

  // A mixture of experts: ffn_gate_inp scores them. Their matrices are ffn_gate_exps, ffn_up_exps and ffn_down_exps,
  // each those of all experts, or one by one ffn_gate.<expert> and so on; gate and up may be one, ffn_gate_up_exps, or
  // ffn_gate_up_pairs with the rows of both in turn.
  bool has_mixture() const { return has("ffn_gate_inp"); }
  std::unique_ptr<Mlp> mixture(bool normalized, Activation activation, std::string_view input_norm) const;

  Backend& backend() const { return *backend_; }
  const ModelConfig& config() const { return *config_; }

 private:
  std::string full_name(std::string_view name, std::string_view suffix) const;
  bool has(std::string_view name) const;
  const Tensor& require(std::string_view name, const std::vector<int64_t>& shape) const;
  const Tensor* bias(std::string_view name, int64_t rows) const;
  Matrix matrix(std::string_view name, int64_t rows, int64_t columns) const;
  NormSpec norm_spec(std::string_view name, int64_t size) const;
  std::unique_ptr<Linear> product(std::vector<Matrix> matrices, std::string_view input_norm,
                                  std::optional<Activation> activation = std::nullopt) const;
  std::unique_ptr<Linear> qkv(std::string_view input_norm) const;
  std::vector<float> sinks() const;
  std::vector<Matrix> stack(std::string_view name, int64_t rows, int64_t columns, ExpertCuts& cuts) const;
  std::vector<Matrix> expert_matrices(std::string_view name, int64_t rows, int64_t columns, ExpertCuts& cuts) const;

  std::shared_ptr<const Weights> weights_;
  Backend* backend_;
  std::shared_ptr<const ModelConfig> config_;
  float epsilon_;
  bool layer_norms_;
  std::string prefix_;
};

}  // namespace emelex
