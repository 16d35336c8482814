#include "models/model_config.h"

#include <algorithm>
#include <cmath>

#include "base/strings.h"

namespace emelex {
namespace {

void read_heads(const ConfigKeys& keys, const ModelConfig& config, AttentionConfig& attention) {
  const int n = config.n_layers;
  attention.n_heads = keys.require_layer_size("attention.head_count", n, kMaxHeads);
  attention.n_kv_heads = keys.layer_size("attention.head_count_kv", n, attention.n_heads, attention.n_heads);
  attention.head_dim = keys.size("attention.key_length", config.dim / attention.n_heads, kMaxHeadDim);
  if (attention.n_heads % attention.n_kv_heads != 0 || attention.head_dim < 1) {
    keys.fail(ErrorCode::corrupt_file, str_cat(keys.name("attention.head_count"), " to be a multiple of head_count_kv"),
              str_cat(attention.n_heads, " and ", attention.n_kv_heads));
  }
  const int value_length = keys.size("attention.value_length", config.dim / attention.n_heads, kMaxHeadDim);
  if (value_length != attention.head_dim) {
    keys.fail(ErrorCode::unsupported,
              str_cat(keys.name("attention.value_length"), " to be key_length's ", attention.head_dim),
              str_cat(value_length));
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
  config.n_experts_used = keys.require_layer_size("expert_used_count", config.n_layers, config.n_experts);
  config.expert_hidden_dim = keys.layer_size("expert_feed_forward_length", config.n_layers, config.hidden_dim, kMaxDim);
}

}  // namespace

ModelConfig read_model_config(const ModelInput& source, Mixtures mixtures) {
  const Weights& weights = *source.weights;
  const ConfigKeys keys(weights);
  ModelConfig config;
  config.n_layers = keys.require_size("block_count", kMaxLayers);
  config.dim = keys.require_size("embedding_length", kMaxDim);
  config.hidden_dim = keys.require_layer_size("feed_forward_length", config.n_layers, kMaxDim);
  config.context_length = keys.require_size("context_length", kMaxContext);
  config.vocab_size = read_vocab_size(keys, weights);
  read_experts(keys, mixtures, config);

  AttentionConfig& attention = config.attention;
  read_heads(keys, config, attention);
  attention.scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(attention.head_dim)));
  const int context = source.context > 0 ? std::min(source.context, config.context_length) : config.context_length;
  attention.rope = read_rope(weights, attention.head_dim, context);
  return config;
}

int read_window(const ConfigKeys& keys) { return keys.size_or_none("attention.sliding_window", kMaxContext); }

SlidingWindowAttention read_sliding_window_attention(const ModelInput& source, const ModelConfig& config,
                                                     const WindowDefaults& otherwise) {
  const ConfigKeys keys(*source.weights);
  AttentionConfig local = config.attention;
  local.window = keys.contains("attention.sliding_window") ? read_window(keys) : otherwise.window;
  SlidingWindowAttention attention;
  attention.sliding = keys.layers("attention.sliding_window_pattern", config.n_layers, otherwise.period);
  attention.global = std::make_shared<const AttentionConfig>(config.attention);
  if (local.window > 0 && otherwise.local_rope_base) {
    local.rope = read_local_rope(*source.weights, local.head_dim, "rope.freq_base_swa", *otherwise.local_rope_base);
  } else if (local.window > 0 && keys.contains("rope.freq_base_swa")) {
    const double base = keys.positive("rope.freq_base", 10'000.0);
    const double own = keys.require_positive("rope.freq_base_swa");
    if (own != base) {
      keys.fail(ErrorCode::unsupported, str_cat(keys.name("rope.freq_base_swa"), " to be rope.freq_base's ", base),
                str_cat(own));
    }
  }
  attention.local = std::make_shared<const AttentionConfig>(std::move(local));
  return attention;
}

}  // namespace emelex
