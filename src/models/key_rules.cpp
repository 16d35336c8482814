#include "models/key_rules.h"

#include <algorithm>
#include <cmath>
#include <variant>

#include "base/strings.h"
#include "emelex/error.h"

namespace emelex {
namespace {

enum class Allowed {
  any,          // without effect
  none,         // always refused
  zero,         // 0, false, or a list of zeros
  zero_or_one,  // the same or 1
  true_only,    // a boolean that is true
};

struct KeyRule {
  std::string_view key;
  Allowed allowed;
  std::string_view reason;
};

constexpr std::string_view kOthers = "only other architectures have it";
constexpr std::string_view kUnreadByPeer = "llama.cpp does not read it for this architecture";

// Keys of llama.cpp's that a model may not have read. Reasons: for what is allowed, why it is without effect; for what
// is refused, what it asks for. Everything that llama.cpp names and that is not here is refused (kRefused).
constexpr KeyRule kRules[] = {
    {"attention.causal", Allowed::true_only, "attention to tokens after a token's own (an embedding model)"},
    {"pooling_type", Allowed::zero, "one vector for a whole text (an embedding model or reranker)"},
    {"classifier.pooling_type", Allowed::zero, "a classifier or reranker"},
    {"classifier.output_labels", Allowed::none, "a classifier or reranker"},
    {"embedding_length_out", Allowed::any, "the size of embeddings, which are not given out"},
    {"expert_count", Allowed::zero, "a mixture of experts"},
    {"expert_used_count", Allowed::zero, "number of experts in use where the model has none"},
    {"expert_feed_forward_length", Allowed::any, "there are no experts of a size of their own"},
    {"expert_shared_count", Allowed::zero, "shared experts"},
    {"expert_shared_feed_forward_length", Allowed::zero, "shared experts"},
    {"expert_chunk_feed_forward_length", Allowed::zero, "experts in chunks"},
    {"expert_group_count", Allowed::zero_or_one, "experts in groups"},
    {"expert_group_used_count", Allowed::any, "there is one group of experts"},
    {"expert_gating_func", Allowed::zero_or_one, "a router without softmax"},
    {"expert_weights_scale", Allowed::zero_or_one, "scaled weights of experts"},
    {"expert_weights_norm", Allowed::true_only, "weights of experts that do not sum up to 1"},
    {"leading_dense_block_count", Allowed::zero, "layers without experts before those with them"},
    {"moe_every_n_layers", Allowed::zero_or_one, "experts in some layers"},
    {"interleave_moe_layer_step", Allowed::zero_or_one, "experts in some layers"},
    {"nextn_predict_layers", Allowed::zero, "layers that predict several tokens"},
    {"n_deepstack_layers", Allowed::zero, "layers that take features of pictures"},
    {"use_parallel_residual", Allowed::any, kUnreadByPeer},
    {"tensor_data_layout", Allowed::any, "llama.cpp reads it for no architecture"},
    {"decoder_start_token_id", Allowed::any, "encoders and decoders alone have it"},
    {"attention.scale", Allowed::any, kUnreadByPeer},
    {"attention.layer_norm_epsilon", Allowed::any, "its norms are RMSNorms"},
    {"attention.layer_norm_rms_epsilon", Allowed::any, "its norms are LayerNorms"},
    {"attention.group_norm_epsilon", Allowed::any, kOthers},
    {"attention.group_norm_groups", Allowed::any, kOthers},
    {"attention.max_alibi_bias", Allowed::zero, "ALiBi"},
    {"attention.clamp_kqv", Allowed::zero, "clamped queries, keys and values"},
    {"attention.sliding_window", Allowed::any, kUnreadByPeer},
    {"attention.sliding_window_pattern", Allowed::any, "no layer has a window"},
    {"attention.rope_pattern", Allowed::any, kUnreadByPeer},
    {"attention.output_scale", Allowed::zero_or_one, "scaled attention"},
    {"attention.value_scale", Allowed::zero_or_one, "scaled values"},
    {"attention.temperature_length", Allowed::zero, "attention that is scaled by the position"},
    {"attention.temperature_scale", Allowed::zero, "attention that is scaled by the position"},
    {"attention.shared_kv_layers", Allowed::zero, "layers that share keys and values"},
    {"attn_logit_softcapping", Allowed::zero, "capped scores of attention"},
    {"router_logit_softcapping", Allowed::zero, "capped scores of a router"},
    {"final_logit_softcapping", Allowed::zero, "capped logits"},
    {"logit_scale", Allowed::any, kUnreadByPeer},
    {"residual_scale", Allowed::any, kUnreadByPeer},
    {"embedding_scale", Allowed::any, kUnreadByPeer},
    {"rope.freq_base", Allowed::any, "positions are told by no rotation"},
    {"rope.freq_base_swa", Allowed::any, "no layer has a window"},
    {"rope.scale_linear", Allowed::any, "rope.scaling.factor stands before it"},
    {"rope.scaling.type", Allowed::any, "positions are told by no rotation"},
    {"rope.scaling.factor", Allowed::any, "rope.scaling.type says that nothing is scaled"},
    {"rope.scaling.alpha", Allowed::any, kUnreadByPeer},
    {"rope.scaling.finetuned", Allowed::any, "it tells how the model was trained"},
    {"rope.scaling.original_context_length", Allowed::any, "its kind of scaling does not need it"},
    {"rope.scaling.yarn_log_multiplier", Allowed::any, kUnreadByPeer},
    {"rope.scaling.yarn_ext_factor", Allowed::any, kUnreadByPeer},
    {"rope.scaling.yarn_attn_factor", Allowed::any, "its scaling is not YaRN"},
    {"rope.scaling.yarn_beta_fast", Allowed::any, "its scaling is not YaRN"},
    {"rope.scaling.yarn_beta_slow", Allowed::any, "its scaling is not YaRN"},
    {"swin_norm", Allowed::any, kOthers},
};

// What llama.cpp has a name for besides, each of architectures that emelex does not compute.
constexpr std::string_view kRefused[] = {
    "embedding_length_per_layer_input",
    "features_length",
    "attn_res.",
    "activation.",
    "swiglu_clamp_exp",
    "swiglu_clamp_shexp",
    "expert_latent_length",
    "expert_group_scale",
    "experts_per_group",
    "moe_latent_size",
    "deepstack_mapping",
    "hidden_activation",
    "decoder_block_count",
    "rescale_every_n_layers",
    "time_mix_extra_dim",
    "time_decay_extra_dim",
    "adapters.",
    "token_shift_count",
    "full_attention_interval",
    "num_loops",
    "skip_loop_final_norm",
    "hrm.",
    "attention.q_lora_rank",
    "attention.kv_lora_rank",
    "attention.decay_lora_rank",
    "attention.iclr_lora_rank",
    "attention.value_residual_mix_lora_rank",
    "attention.gate_lora_rank",
    "attention.relative_buckets_count",
    "attention.key_length_mla",
    "attention.key_length_mla_swa",
    "attention.value_length_mla_swa",
    "attention.kv_lora_rank_swa",
    "attention.value_length_mla",
    "attention.indexer.",
    "attention.output_group_count",
    "attention.output_lora_rank",
    "attention.compress_rope_freq_base",
    "attention.compress_ratios",
    "attention.recurrent_layers",
    "hyper_connection.",
    "ple.",
    "hash_layer_count",
    "rope.dimension_sections",
    "ssm.",
    "kda.",
    "wkv.",
    "posnet.",
    "convnext.",
    "target_layers",
    "target_hidden_size",
    "norm_before_residual",
    "norm_before_fc",
    "block_size",
    "conv_kernel_size",
    "conv_group_size",
    "selector_rank",
    "selector_top_k",
    "shortconv.",
    "dense_2_feat_",
    "dense_3_feat_",
};

// Keys of layers with a window that must say what the others' do.
struct SameAs {
  std::string_view key;
  std::string_view other;
};
constexpr SameAs kSame[] = {
    {"attention.key_length_swa", "attention.key_length"},
    {"attention.value_length_swa", "attention.value_length"},
    {"rope.dimension_count_swa", "rope.dimension_count"},
};

bool all_below(const Metadata::Value& value, double most) {
  return std::visit(
      [&](const auto& x) {
        using T = std::decay_t<decltype(x)>;
        if constexpr (std::is_arithmetic_v<T>) {
          const auto number = static_cast<double>(x);
          return number == 0.0 || number == most;
        } else if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, std::vector<std::string>>) {
          return x.empty();
        } else {
          return std::all_of(x.begin(), x.end(), [&](const auto& y) {
            const auto number = static_cast<double>(y);
            return number == 0.0 || number == most;
          });
        }
      },
      value);
}

bool is_allowed(Allowed allowed, const Metadata::Value& value) {
  switch (allowed) {
    case Allowed::any:
      return true;
    case Allowed::none:
      return false;
    case Allowed::zero:
      return all_below(value, 0.0);
    case Allowed::zero_or_one:
      return all_below(value, 1.0);
    case Allowed::true_only: {
      const bool* flag = std::get_if<bool>(&value);
      return flag != nullptr && *flag;
    }
  }
  return false;
}

KeyState state_of(const Metadata& metadata, const std::string& architecture, const std::string& key) {
  const std::string_view part = std::string_view(key).substr(architecture.size() + 1);
  for (const SameAs& same : kSame) {
    if (part != same.key) continue;
    const Metadata::Value* other = metadata.find(str_cat(architecture, ".", same.other));
    const bool equal = other != nullptr && *other == *metadata.find(key);
    return {key, equal ? KeyUse::no_effect : KeyUse::refused,
            equal ? str_cat("it is that of ", same.other) : "heads of another size in layers with a window"};
  }
  for (const KeyRule& rule : kRules) {
    if (part != rule.key) continue;
    if (!is_allowed(rule.allowed, *metadata.find(key))) return {key, KeyUse::refused, std::string(rule.reason)};
    return {
        key, KeyUse::no_effect,
        rule.allowed == Allowed::any ? std::string(rule.reason) : str_cat("it says that there is no ", rule.reason)};
  }
  for (const std::string_view known : kRefused) {
    if (known.ends_with('.') || known.ends_with('_') ? part.starts_with(known) : part == known) {
      return {key, KeyUse::refused, std::string(kOthers)};
    }
  }
  return {key, KeyUse::unknown, ""};
}

}  // namespace

std::vector<KeyState> key_states(const Weights& weights, const ReadRecord& record) {
  const Metadata& metadata = weights.metadata();
  const std::string architecture = metadata.require_string("general.architecture");
  std::vector<KeyState> states;
  for (const auto& [key, value] : metadata.values()) {
    if (!key.starts_with(architecture + ".")) continue;
    states.push_back(record.keys.contains(key) ? KeyState{key, KeyUse::used, ""}
                                               : state_of(metadata, architecture, key));
  }
  return states;
}

void refuse_keys(const Weights& weights, const ReadRecord& record) {
  std::string refused;
  for (const KeyState& state : key_states(weights, record)) {
    if (state.use != KeyUse::refused) continue;
    refused += str_cat(refused.empty() ? "" : ", ", quote_bytes(state.key), " (", state.reason, ")");
  }
  if (refused.empty()) return;
  throw Error(ErrorCode::unsupported, str_cat("[models] expected only keys that a model is computed with, got ",
                                              refused, " in ", path_text(weights.path())));
}

}  // namespace emelex
