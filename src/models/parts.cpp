#include "models/parts.h"

#include "base/strings.h"
#include "models/config_keys.h"
#include "weights/tensor_slice.h"

namespace emelex {

Parts::Parts(const ModelInput& source, const ModelConfig& config, std::string_view norm_key)
    : weights_(source.weights),
      route_(&source.route),
      config_(std::make_shared<const ModelConfig>(config)),
      epsilon_(static_cast<float>(ConfigKeys(*source.weights).require_positive(norm_key))),
      layer_norms_(norm_key == "attention.layer_norm_epsilon") {}

Parts Parts::layer(int i) const {
  Parts parts = *this;
  parts.prefix_ = str_cat("blk.", i, ".");
  return parts;
}

std::string Parts::full_name(std::string_view name, std::string_view suffix) const {
  return str_cat(prefix_, name, suffix);
}

bool Parts::has(std::string_view name) const { return weights_->find(full_name(name, ".weight")) != nullptr; }

const Tensor& Parts::require(std::string_view name, const std::vector<int64_t>& shape) const {
  return weights_->require(full_name(name, ".weight"), shape);
}

const Tensor* Parts::bias(std::string_view name, int64_t rows) const {
  const std::string full = full_name(name, ".bias");
  return weights_->find(full) == nullptr ? nullptr : &weights_->require(full, {rows});
}

Matrix Parts::matrix(std::string_view name, int64_t rows, int64_t columns) const {
  return {&require(name, {rows, columns}), bias(name, rows)};
}

std::unique_ptr<Embedding> Parts::embedding() const {
  return route_->embedding(require("token_embd", {config_->vocab_size, config_->dim}));
}

// The bias is the output's own, also where the matrix is the embedding's.
std::unique_ptr<Linear> Parts::output() const {
  const char* name = has("output") ? "output" : "token_embd";
  return route_->linear({{&require(name, {config_->vocab_size, config_->dim}), bias("output", config_->vocab_size)}});
}

std::unique_ptr<Linear> Parts::linear(std::string_view name, int64_t rows, int64_t columns) const {
  return route_->linear({matrix(name, rows, columns)});
}

std::unique_ptr<Norm> Parts::norm(std::string_view name, int64_t size) const {
  const Tensor& weight = require(name, {size});
  if (!layer_norms_) return route_->rms_norm(weight, epsilon_);
  return route_->layer_norm(weight, bias(name, size), epsilon_);
}

// Several matrices of `columns` that the file has as one, the rows of each after those of the one before.
std::unique_ptr<Linear> Parts::cut(std::string_view name, const std::vector<int64_t>& rows, int64_t columns) const {
  int64_t all_rows = 0;
  for (const int64_t n : rows) all_rows += n;
  const Matrix all = matrix(name, all_rows, columns);
  std::vector<Tensor> slices;
  slices.reserve(2 * rows.size());
  std::vector<Matrix> matrices;
  int64_t first = 0;
  for (const int64_t n : rows) {
    const Tensor* weight = &slices.emplace_back(tensor_slice(*all.weight, first, n));
    const Tensor* part = all.bias == nullptr ? nullptr : &slices.emplace_back(tensor_slice(*all.bias, first, n));
    matrices.emplace_back(weight, part);
    first += n;
  }
  return route_->linear(matrices);
}

std::unique_ptr<Linear> Parts::qkv() const {
  const AttentionConfig& attention = config_->attention;
  const int64_t q = int64_t{attention.n_heads} * attention.head_dim;
  const int64_t kv = int64_t{attention.n_kv_heads} * attention.head_dim;
  const int64_t dim = config_->dim;
  if (has("attn_qkv")) return cut("attn_qkv", {q, kv, kv}, dim);
  return route_->linear({matrix("attn_q", q, dim), matrix("attn_k", kv, dim), matrix("attn_v", kv, dim)});
}

std::vector<float> Parts::sinks() const {
  std::vector<float> values(static_cast<size_t>(config_->attention.n_heads));
  require("attn_sinks", {config_->attention.n_heads}).read_rows(0, values);
  return values;
}

AttentionParts Parts::attention() const {
  const int64_t q = int64_t{config_->attention.n_heads} * config_->attention.head_dim;
  return {qkv(), linear("attn_output", config_->dim, q), nullptr, nullptr, {}};
}

AttentionParts Parts::attention_with_sinks() const {
  AttentionParts parts = attention();
  parts.sinks = sinks();
  return parts;
}

AttentionParts Parts::attention(QkNorm kind) const {
  const AttentionConfig& config = config_->attention;
  const bool heads = kind == QkNorm::of_heads;
  AttentionParts parts = attention();
  parts.q_norm = norm("attn_q_norm", int64_t{config.head_dim} * (heads ? 1 : config.n_heads));
  parts.k_norm = norm("attn_k_norm", int64_t{config.head_dim} * (heads ? 1 : config.n_kv_heads));
  return parts;
}

std::unique_ptr<Mlp> Parts::gated_mlp(Activation activation) const {
  const int64_t dim = config_->dim;
  const int64_t hidden = config_->hidden_dim;
  const Tensor* up = weights_->find(full_name("ffn_up", ".weight"));
  const bool both = up != nullptr && up->rows() == 2 * hidden;
  auto gate_up = both ? cut("ffn_up", {hidden, hidden}, dim)
                      : route_->linear({matrix("ffn_gate", hidden, dim), matrix("ffn_up", hidden, dim)});
  return make_gated_mlp(*route_, activation, std::move(gate_up), linear("ffn_down", dim, hidden));
}

std::unique_ptr<Mlp> Parts::gelu_mlp() const {
  const int64_t dim = config_->dim;
  const int64_t hidden = config_->hidden_dim;
  return make_gelu_mlp(*route_, linear("ffn_up", hidden, dim), linear("ffn_down", dim, hidden));
}

}  // namespace emelex
