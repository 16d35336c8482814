#include "models/layer_builder.h"

#include "base/strings.h"
#include "models/config_keys.h"
#include "weights/tensor_slice.h"

namespace emelex {

LayerBuilder::LayerBuilder(const ModelInput& source, const ModelConfig& config, std::string_view norm_key)
    : weights_(source.weights),
      backend_(&source.backend),
      config_(std::make_shared<const ModelConfig>(config)),
      epsilon_(static_cast<float>(ConfigKeys(*source.weights).require_positive(norm_key))),
      layer_norms_(norm_key == "attention.layer_norm_epsilon") {}

LayerBuilder LayerBuilder::layer(int i) const {
  LayerBuilder builder = *this;
  builder.prefix_ = str_cat("blk.", i, ".");
  return builder;
}

std::string LayerBuilder::full_name(std::string_view name, std::string_view suffix) const {
  return str_cat(prefix_, name, suffix);
}

bool LayerBuilder::has(std::string_view name) const { return weights_->find(full_name(name, ".weight")) != nullptr; }

const Tensor& LayerBuilder::require(std::string_view name, const std::vector<int64_t>& shape) const {
  return weights_->require(full_name(name, ".weight"), shape);
}

const Tensor* LayerBuilder::bias(std::string_view name, int64_t rows) const {
  const std::string full = full_name(name, ".bias");
  return weights_->find(full) == nullptr ? nullptr : &weights_->require(full, {rows});
}

Matrix LayerBuilder::matrix(std::string_view name, int64_t rows, int64_t columns) const {
  return {&require(name, {rows, columns}), bias(name, rows)};
}

std::unique_ptr<Embedding> LayerBuilder::embedding() const {
  return backend_->embedding(require("token_embd", {config_->vocab_size, config_->dim}));
}

// The bias is the output's own, also where the matrix is the embedding's.
std::unique_ptr<Linear> LayerBuilder::output(std::string_view input_norm) const {
  const char* name = has("output") ? "output" : "token_embd";
  return product({{&require(name, {config_->vocab_size, config_->dim}), bias("output", config_->vocab_size)}},
                 input_norm);
}

std::unique_ptr<Linear> LayerBuilder::linear(std::string_view name, int64_t rows, int64_t columns) const {
  return product({matrix(name, rows, columns)}, {});
}

NormSpec LayerBuilder::norm_spec(std::string_view name, int64_t size) const {
  const Tensor& weight = require(name, {size});
  if (!layer_norms_) return {NormSpec::Kind::rms, &weight, nullptr, epsilon_};
  return {NormSpec::Kind::layer, &weight, bias(name, size), epsilon_};
}

std::unique_ptr<Norm> LayerBuilder::norm(std::string_view name, int64_t size) const {
  return backend_->norm(norm_spec(name, size));
}

std::unique_ptr<Linear> LayerBuilder::product(std::vector<Matrix> matrices, std::string_view input_norm,
                                              std::optional<Activation> activation) const {
  Product product{std::move(matrices), std::nullopt, activation};
  if (!input_norm.empty()) product.norm = norm_spec(input_norm, config_->dim);
  return backend_->product(product);
}

namespace {

// Several matrices that the file has as one, the rows of each after those of the one before.
class Slices {
 public:
  Slices(const Matrix& all, const std::vector<int64_t>& rows) {
    tensors_.reserve(2 * rows.size());
    int64_t first = 0;
    for (const int64_t n : rows) {
      const Tensor* weight = &tensors_.emplace_back(tensor_slice(*all.weight, first, n));
      const Tensor* bias = all.bias == nullptr ? nullptr : &tensors_.emplace_back(tensor_slice(*all.bias, first, n));
      matrices_.emplace_back(weight, bias);
      first += n;
    }
  }
  const std::vector<Matrix>& matrices() const { return matrices_; }

 private:
  std::vector<Tensor> tensors_;
  std::vector<Matrix> matrices_;
};

}  // namespace

std::unique_ptr<Linear> LayerBuilder::qkv(std::string_view input_norm) const {
  const AttentionConfig& attention = config_->attention;
  const int64_t q = int64_t{attention.n_heads} * attention.head_dim;
  const int64_t kv = int64_t{attention.n_kv_heads} * attention.head_dim;
  const int64_t dim = config_->dim;
  if (has("attn_qkv")) return product(Slices(matrix("attn_qkv", q + 2 * kv, dim), {q, kv, kv}).matrices(), input_norm);
  return product({matrix("attn_q", q, dim), matrix("attn_k", kv, dim), matrix("attn_v", kv, dim)}, input_norm);
}

std::vector<float> LayerBuilder::sinks() const {
  std::vector<float> values(static_cast<size_t>(config_->attention.n_heads));
  require("attn_sinks", {config_->attention.n_heads}).read_rows(0, values);
  return values;
}

AttentionParts LayerBuilder::attention(std::string_view input_norm) const {
  const int64_t q = int64_t{config_->attention.n_heads} * config_->attention.head_dim;
  return {backend_, qkv(input_norm), linear("attn_output", config_->dim, q), nullptr, nullptr, {}};
}

AttentionParts LayerBuilder::attention_with_sinks(std::string_view input_norm) const {
  AttentionParts parts = attention(input_norm);
  parts.sinks = sinks();
  return parts;
}

AttentionParts LayerBuilder::attention(QkNorm kind, std::string_view input_norm) const {
  const AttentionConfig& config = config_->attention;
  const bool heads = kind == QkNorm::of_heads;
  AttentionParts parts = attention(input_norm);
  parts.q_norm = norm("attn_q_norm", int64_t{config.head_dim} * (heads ? 1 : config.n_heads));
  parts.k_norm = norm("attn_k_norm", int64_t{config.head_dim} * (heads ? 1 : config.n_kv_heads));
  return parts;
}

std::unique_ptr<Mlp> LayerBuilder::gated_mlp(Activation activation, std::string_view input_norm) const {
  const int64_t dim = config_->dim;
  const int64_t hidden = config_->hidden_dim;
  const Tensor* up = weights_->find(full_name("ffn_up", ".weight"));
  const bool both = up != nullptr && up->rows() == 2 * hidden;
  auto gate_up =
      both ? product(Slices(matrix("ffn_up", 2 * hidden, dim), {hidden, hidden}).matrices(), input_norm, activation)
           : product({matrix("ffn_gate", hidden, dim), matrix("ffn_up", hidden, dim)}, input_norm, activation);
  return std::make_unique<DenseMlp>(std::move(gate_up), linear("ffn_down", dim, hidden));
}

std::unique_ptr<Mlp> LayerBuilder::gelu_mlp() const {
  const int64_t dim = config_->dim;
  const int64_t hidden = config_->hidden_dim;
  return std::make_unique<DenseMlp>(product({matrix("ffn_up", hidden, dim)}, {}, Activation::gelu),
                                    linear("ffn_down", dim, hidden));
}

}  // namespace emelex
