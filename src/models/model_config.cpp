#include "models/model_config.h"

#include <algorithm>
#include <cmath>

#include "base/strings.h"

namespace emelex {
namespace {

void read_heads(const ConfigKeys& keys, const Metadata& metadata, int dim, AttentionConfig& attention) {
  attention.n_heads = keys.require_size("attention.head_count", kMaxHeads);
  attention.n_kv_heads = keys.size("attention.head_count_kv", attention.n_heads, attention.n_heads);
  attention.head_dim = keys.size("attention.key_length", dim / attention.n_heads, kMaxDim);
  if (attention.n_heads % attention.n_kv_heads != 0 || attention.head_dim < 1) {
    keys.fail(ErrorCode::corrupt_file, str_cat(keys.name("attention.head_count"), " to be a multiple of head_count_kv"),
              str_cat(attention.n_heads, " and ", attention.n_kv_heads));
  }
  if (keys.contains("attention.value_length")) {
    metadata.require_integer(keys.name("attention.value_length"), attention.head_dim, attention.head_dim);
  }
}

int read_vocab_size(const ConfigKeys& keys, const Weights& weights) {
  const Tensor* table = weights.find("token_embd.weight");
  if (table == nullptr || table->shape.size() != 2 || table->rows() > (int64_t{1} << 24)) {
    keys.fail(ErrorCode::corrupt_file, "a matrix token_embd.weight", table == nullptr ? "none" : "another shape");
  }
  const auto size = static_cast<int>(table->rows());
  if (keys.contains("vocab_size")) weights.metadata().require_integer(keys.name("vocab_size"), size, size);
  return size;
}

void read_experts(const ConfigKeys& keys, Mixtures mixtures, ModelConfig& config) {
  config.n_experts = keys.size_or_none("expert_count", kMaxExperts);
  if (config.n_experts == 0) return;
  if (mixtures == Mixtures::none) {
    keys.fail(ErrorCode::unsupported, "a model without experts", str_cat(keys.name("expert_count"), " above 0"));
  }
  config.n_experts_used = keys.require_size("expert_used_count", config.n_experts);
  config.expert_hidden_dim = keys.size("expert_feed_forward_length", config.hidden_dim, kMaxDim);
}

}  // namespace

ModelConfig read_model_config(const ModelInput& source, Mixtures mixtures) {
  const Weights& weights = *source.weights;
  const ConfigKeys keys(weights.metadata());
  ModelConfig config;
  config.n_layers = keys.require_size("block_count", kMaxLayers);
  config.dim = keys.require_size("embedding_length", kMaxDim);
  config.hidden_dim = keys.require_size("feed_forward_length", kMaxDim);
  config.context_length = keys.require_size("context_length", kMaxContext);
  config.vocab_size = read_vocab_size(keys, weights);
  read_experts(keys, mixtures, config);

  AttentionConfig& attention = config.attention;
  read_heads(keys, weights.metadata(), config.dim, attention);
  attention.scale =
      static_cast<float>(keys.positive("attention.scale", 1.0 / std::sqrt(static_cast<double>(attention.head_dim))));
  const int context = source.context > 0 ? std::min(source.context, config.context_length) : config.context_length;
  attention.rope = read_rope(weights, attention.head_dim, context);
  return config;
}

int read_window(const ConfigKeys& keys) { return keys.size_or_none("attention.sliding_window", kMaxContext); }

WindowedAttention read_windowed_attention(const ModelInput& source, const ModelConfig& config, int period) {
  const ConfigKeys keys(source.weights->metadata());
  AttentionConfig local = config.attention;
  local.window = read_window(keys);
  WindowedAttention attention;
  attention.sliding = keys.layers("attention.sliding_window_pattern", config.n_layers, period);
  attention.local = std::make_shared<const AttentionConfig>(std::move(local));
  attention.global = std::make_shared<const AttentionConfig>(config.attention);
  return attention;
}

WindowedAttention read_windowed_attention(const ModelInput& source, const ModelConfig& config, int period,
                                          double base) {
  WindowedAttention attention = read_windowed_attention(source, config, period);
  if (attention.local->window == 0) return attention;
  AttentionConfig local = *attention.local;
  local.rope = read_local_rope(*source.weights, local.head_dim, "rope.freq_base_swa", base);
  attention.local = std::make_shared<const AttentionConfig>(std::move(local));
  return attention;
}

}  // namespace emelex
