#include "models/llama.h"

#include <cmath>
#include <cstring>

#include "base/strings.h"
#include "emelex/error.h"
#include "layers/attention.h"
#include "layers/mlp.h"

namespace emelex {
namespace {

// Generous bounds, so that products of sizes stay far from overflow.
constexpr int64_t kMaxLayers = 1024;
constexpr int64_t kMaxDim = 1 << 20;
constexpr int64_t kMaxHeads = 4096;
constexpr int64_t kMaxContext = int64_t{1} << 27;

struct LlamaConfig : ModelConfig {
  int hidden_dim = 0;  // of the MLP
  float norm_eps = 0;
};

// A number that others are divided by or multiplied with; anything else would make every logit NaN.
double positive(const Metadata& metadata, std::string_view key, double value) {
  if (value > 0.0 && std::isfinite(value)) return value;
  throw Error(ErrorCode::corrupt_file, str_cat("[llama] expected ", quote_bytes(key), " to be a number above 0, got ",
                                               value, " in ", metadata.source()));
}

// The divisors of the frequencies, where the file has them (Llama 3.1 and later), else ones.
std::vector<float> read_rope_divisors(const Weights& weights, int n) {
  constexpr const char* kName = "rope_freqs.weight";
  std::vector<float> divisors(static_cast<size_t>(n), 1.0F);
  if (weights.find(kName) == nullptr) return divisors;
  const Tensor& tensor = weights.require(kName, {n});
  if (tensor.type != TensorType::f32) {
    throw Error(ErrorCode::corrupt_file,
                str_cat("[llama] expected ", kName, " as F32 in ", weights.metadata().source()));
  }
  std::memcpy(divisors.data(), tensor.data.data(), tensor.data.size());
  for (const float divisor : divisors) positive(weights.metadata(), kName, static_cast<double>(divisor));
  return divisors;
}

Rope read_rope(const Weights& weights, int head_dim) {
  const Metadata& metadata = weights.metadata();
  Rope rope;
  rope.interleaved = metadata.boolean("emelex.rope.interleaved").value_or(true);
  const int64_t dim = metadata.integer("llama.rope.dimension_count").value_or(head_dim);
  if (dim < 0 || dim > head_dim || dim % 2 != 0) {
    throw Error(ErrorCode::corrupt_file,
                str_cat("[llama] expected llama.rope.dimension_count to be even and at most the head size ", head_dim,
                        ", got ", dim, " in ", metadata.source()));
  }
  rope.dim = static_cast<int>(dim);
  const auto scaling = metadata.string("llama.rope.scaling.type").value_or("none");
  if (scaling != "none" && scaling != "linear") {
    throw Error(ErrorCode::unsupported, str_cat("[llama] expected llama.rope.scaling.type none or linear, got ",
                                                quote_bytes(scaling), " in ", metadata.source()));
  }
  constexpr const char* kFactorKey = "llama.rope.scaling.factor";
  constexpr const char* kBaseKey = "llama.rope.freq_base";
  const double factor =
      scaling == "linear" ? positive(metadata, kFactorKey, metadata.number(kFactorKey).value_or(1.0)) : 1.0;
  const double base = positive(metadata, kBaseKey, metadata.number(kBaseKey).value_or(10000.0));
  const std::vector<float> divisors = read_rope_divisors(weights, rope.dim / 2);
  for (int i = 0; i < rope.dim / 2; ++i) {
    const double frequency = std::pow(base, -2.0 * i / rope.dim);
    const auto divisor = static_cast<double>(divisors[static_cast<size_t>(i)]);
    rope.inv_freq.push_back(static_cast<float>(frequency / (factor * divisor)));
  }
  return rope;
}

LlamaConfig read_config(const Weights& weights) {
  const Metadata& metadata = weights.metadata();
  LlamaConfig config;
  config.n_layers = static_cast<int>(metadata.require_integer("llama.block_count", 1, kMaxLayers));
  config.dim = static_cast<int>(metadata.require_integer("llama.embedding_length", 1, kMaxDim));
  config.hidden_dim = static_cast<int>(metadata.require_integer("llama.feed_forward_length", 1, kMaxDim));
  config.context_length = static_cast<int>(metadata.require_integer("llama.context_length", 1, kMaxContext));
  constexpr const char* kEpsilonKey = "llama.attention.layer_norm_rms_epsilon";
  config.norm_eps = static_cast<float>(positive(metadata, kEpsilonKey, metadata.require_number(kEpsilonKey)));

  AttentionConfig& attention = config.attention;
  attention.n_heads = static_cast<int>(metadata.require_integer("llama.attention.head_count", 1, kMaxHeads));
  attention.n_kv_heads = attention.n_heads;
  if (metadata.contains("llama.attention.head_count_kv")) {
    attention.n_kv_heads =
        static_cast<int>(metadata.require_integer("llama.attention.head_count_kv", 1, attention.n_heads));
  }
  attention.head_dim = config.dim / attention.n_heads;
  if (metadata.contains("llama.attention.key_length")) {
    attention.head_dim = static_cast<int>(metadata.require_integer("llama.attention.key_length", 1, kMaxDim));
  }
  if (attention.n_heads % attention.n_kv_heads != 0 || attention.head_dim < 1) {
    throw Error(ErrorCode::corrupt_file,
                str_cat("[llama] expected llama.attention.head_count to be a multiple of head_count_kv, got ",
                        attention.n_heads, " and ", attention.n_kv_heads, " in ", metadata.source()));
  }
  if (metadata.contains("llama.attention.value_length")) {
    metadata.require_integer("llama.attention.value_length", attention.head_dim, attention.head_dim);
  }
  attention.scale = 1.0F / std::sqrt(static_cast<float>(attention.head_dim));
  attention.rope = read_rope(weights, attention.head_dim);

  const Tensor* table = weights.find("token_embd.weight");
  if (table == nullptr || table->shape.size() != 2 || table->rows() > (int64_t{1} << 24)) {
    throw Error(ErrorCode::corrupt_file, str_cat("[llama] expected a matrix token_embd.weight in ", metadata.source()));
  }
  config.vocab_size = static_cast<int>(table->rows());
  if (metadata.contains("llama.vocab_size")) {
    metadata.require_integer("llama.vocab_size", config.vocab_size, config.vocab_size);
  }
  return config;
}

struct Block {
  std::unique_ptr<RmsNorm> attention_norm;
  Attention attention;
  std::unique_ptr<RmsNorm> mlp_norm;
  SwigluMlp mlp;
};

class Llama : public Model {
 public:
  Llama(std::shared_ptr<const Weights> weights, Route& route)
      : weights_(std::move(weights)), route_(&route), config_(read_config(*weights_)) {
    const int64_t dim = config_.dim;
    embedding_ = route.embedding(weights_->require("token_embd.weight", {config_.vocab_size, dim}));
    const auto attention = std::make_shared<const AttentionConfig>(config_.attention);
    for (int i = 0; i < config_.n_layers; ++i) blocks_.push_back(make_block(i, attention));
    norm_ = route.rms_norm(weights_->require("output_norm.weight", {dim}), config_.norm_eps);
    const bool tied = weights_->find("output.weight") == nullptr;
    output_ =
        route.linear({&weights_->require(tied ? "token_embd.weight" : "output.weight", {config_.vocab_size, dim})});
  }

  const ModelConfig& config() const override { return config_; }

  mx::array forward(const StepPtr& step, KvStore& cache) const override {
    auto x = (*embedding_)(step);  // [tokens, dim]
    for (const Block& block : blocks_) {
      x = block.attention(x, (*block.attention_norm)(x), cache, step);
      x = block.mlp(x, (*block.mlp_norm)(x));
    }
    if (step->outputs.empty()) return x;
    x = route_->output_rows(x, step);   // [outputs, dim]
    return (*output_)((*norm_)(x))[0];  // [outputs, vocab_size]
  }

 private:
  Block make_block(int i, const std::shared_ptr<const AttentionConfig>& attention) {
    const auto tensor = [&](const char* name, const std::vector<int64_t>& shape) {
      return &weights_->require(str_cat("blk.", i, ".", name, ".weight"), shape);
    };
    const int64_t dim = config_.dim;
    const int64_t hidden = config_.hidden_dim;
    const int64_t q_rows = int64_t{attention->n_heads} * attention->head_dim;
    const int64_t kv_rows = int64_t{attention->n_kv_heads} * attention->head_dim;
    const AttentionWeights attention_weights{tensor("attn_q", {q_rows, dim}), tensor("attn_k", {kv_rows, dim}),
                                             tensor("attn_v", {kv_rows, dim}), tensor("attn_output", {dim, q_rows})};
    const MlpWeights mlp_weights{tensor("ffn_gate", {hidden, dim}), tensor("ffn_up", {hidden, dim}),
                                 tensor("ffn_down", {dim, hidden})};
    return {route_->rms_norm(*tensor("attn_norm", {dim}), config_.norm_eps),
            Attention(*route_, attention_weights, attention, i),
            route_->rms_norm(*tensor("ffn_norm", {dim}), config_.norm_eps), SwigluMlp(*route_, mlp_weights)};
  }

  std::shared_ptr<const Weights> weights_;
  Route* route_;
  LlamaConfig config_;
  std::unique_ptr<Embedding> embedding_;
  std::vector<Block> blocks_;
  std::unique_ptr<RmsNorm> norm_;
  std::unique_ptr<Linear> output_;
};

}  // namespace

std::unique_ptr<Model> make_llama(std::shared_ptr<const Weights> weights, Route& route) {
  return std::make_unique<Llama>(std::move(weights), route);
}

}  // namespace emelex
