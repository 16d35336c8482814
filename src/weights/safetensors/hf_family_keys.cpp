#include "weights/safetensors/hf_family_keys.h"

#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace emelex {
namespace {

// No file has more; lists are made of it before the tensors are looked at.
constexpr int64_t kMostLayers = 1024;

int64_t layers(const ConfigObject& root) { return root.require_integer("num_hidden_layers", 1, kMostLayers); }

// null says that there is none, a missing key leaves `otherwise`.
std::optional<int64_t> window_size(const ConfigObject& root, std::optional<int64_t> otherwise) {
  return root.contains("sliding_window") ? root.integer("sliding_window", 1) : otherwise;
}

// Which layers have the window: by layer_types, or where `slides(layer)`.
template <class Slides>
std::vector<bool> sliding_layers(const ConfigObject& root, const Slides& slides) {
  const int64_t n = layers(root);
  std::vector<bool> sliding;
  const Json* types = root.find("layer_types");
  if (types == nullptr) {
    for (int64_t i = 0; i < n; ++i) sliding.push_back(slides(i));
    return sliding;
  }
  if (!types->is_array() || static_cast<int64_t>(types->size()) != n) {
    root.fail("layer_types", "a list with one for each layer", *types);
  }
  for (const Json& type : *types) {
    if (type != "sliding_attention" && type != "full_attention") {
      root.fail("layer_types", "of sliding_attention and full_attention", type);
    }
    sliding.push_back(type == "sliding_attention");
  }
  return sliding;
}

void add_window(HfKeys& keys, std::optional<int64_t> window, std::vector<bool> sliding) {
  if (!window) return;
  keys.add("attention.sliding_window", *window);
  keys.add("attention.sliding_window_pattern", std::move(sliding));
}

void refuse_both_directions(const ConfigObject& root) {
  constexpr const char* kKey = "use_bidirectional_attention";
  if (root.boolean(kKey).value_or(false)) root.fail(ErrorCode::unsupported, kKey, "false", "true");
}

// A soft cap: null says that there is none, a missing key leaves `otherwise`.
void add_cap(const ConfigObject& root, const char* name, double otherwise, const char* key, HfKeys& keys) {
  const auto cap = root.contains(name) ? root.positive(name) : std::optional(otherwise);
  if (cap) keys.add(key, *cap);
}

void add_query_scale(const ConfigObject& root, HfKeys& keys) {
  keys.add("attention.scale", 1.0 / std::sqrt(root.positive("query_pre_attn_scalar").value_or(256.0)));
}

// Files of any age have one of the two names.
void add_experts(const ConfigObject& root, int64_t n, int64_t n_used, HfKeys& keys) {
  const auto local = root.integer("num_local_experts", 1);
  keys.add("expert_count", local ? *local : root.integer("num_experts", 1).value_or(n));
  keys.add("expert_used_count", root.integer("num_experts_per_tok", 1).value_or(n_used));
}

}  // namespace

void read_mistral_keys(const ConfigObject& root, HfKeys& keys) {
  if (const auto size = window_size(root, 4096)) keys.add("attention.sliding_window", *size);
}

void read_command_r_keys(const ConfigObject& root, HfKeys& keys) {
  if (root.boolean("use_qk_norm").value_or(false)) root.fail(ErrorCode::unsupported, "use_qk_norm", "false", "true");
  keys.add("logit_scale", root.positive("logit_scale").value_or(0.0625));
}

void read_phi_keys(const ConfigObject& root, HfKeys&) {
  if (root.boolean("qk_layernorm").value_or(false)) root.fail(ErrorCode::unsupported, "qk_layernorm", "false", "true");
}

void read_phi3_keys(const ConfigObject& root, HfKeys& keys) {
  if (const auto size = window_size(root, std::nullopt)) keys.add("attention.sliding_window", *size);
}

void read_qwen_keys(const ConfigObject& root, HfKeys& keys) {
  if (!root.boolean("use_sliding_window").value_or(false)) return;
  const int64_t first = root.integer("max_window_layers", 0).value_or(28);
  add_window(keys, window_size(root, 4096), sliding_layers(root, [first](int64_t i) { return i >= first; }));
}

void read_mixtral_keys(const ConfigObject& root, HfKeys& keys) {
  if (const auto size = window_size(root, std::nullopt)) keys.add("attention.sliding_window", *size);
  add_experts(root, 8, 2, keys);
}

// Which layers have experts is told by their tensors.
void read_qwen3_moe_keys(const ConfigObject& root, HfKeys& keys) {
  read_qwen_keys(root, keys);
  add_experts(root, 128, 8, keys);
  keys.add("expert_feed_forward_length", root.integer("moe_intermediate_size", 1).value_or(768));
  keys.add("expert_weights_norm", root.boolean("norm_topk_prob").value_or(false));
}

void read_gemma2_keys(const ConfigObject& root, HfKeys& keys) {
  refuse_both_directions(root);
  add_query_scale(root, keys);
  add_cap(root, "attn_logit_softcapping", 50.0, "attn_logit_softcapping", keys);
  add_cap(root, "final_logit_softcapping", 30.0, "final_logit_softcapping", keys);
  add_window(keys, window_size(root, 4096), sliding_layers(root, [](int64_t i) { return i % 2 == 0; }));
}

void read_gemma3_keys(const ConfigObject& root, HfKeys& keys) {
  refuse_both_directions(root);
  add_query_scale(root, keys);
  if (const auto cap = root.positive("final_logit_softcapping")) keys.add("final_logit_softcapping", *cap);
  const int64_t period = root.integer("sliding_window_pattern", 1).value_or(6);
  add_window(keys, window_size(root, 4096),
             sliding_layers(root, [period](int64_t i) { return (i + 1) % period != 0; }));
}

// Which layers have rotary embedding. llama.cpp has the key, and takes all but every fourth for this family.
void read_smollm3_keys(const ConfigObject& root, HfKeys& keys) {
  const int64_t n = layers(root);
  const int64_t interval = root.integer("no_rope_layer_interval", 1).value_or(4);
  std::vector<bool> turned;
  const Json* list = root.find("no_rope_layers");
  if (list == nullptr) {
    for (int64_t i = 0; i < n; ++i) turned.push_back((i + 1) % interval != 0);
  } else {
    if (!list->is_array() || static_cast<int64_t>(list->size()) < n) {
      root.fail("no_rope_layers", "a list with one for each layer", *list);
    }
    for (int64_t i = 0; i < n; ++i) turned.push_back(list->at(static_cast<size_t>(i)) != 0);
  }
  keys.add("attention.rope_pattern", turned);
  if (!root.boolean("use_sliding_window").value_or(false)) return;
  add_window(keys, window_size(root, std::nullopt),
             sliding_layers(root, [&](int64_t i) { return !turned[static_cast<size_t>(i)]; }));
}

void read_olmo3_keys(const ConfigObject& root, HfKeys& keys) {
  add_window(keys, window_size(root, 4096), sliding_layers(root, [](int64_t i) { return (i + 1) % 4 != 0; }));
}

void read_gpt_oss_keys(const ConfigObject& root, HfKeys& keys) {
  if (root.find("rope_parameters") == nullptr && root.find("rope_scaling") == nullptr) {
    root.fail(ErrorCode::unsupported, "rope_scaling", "said", "nothing");  // transformers would take YaRN
  }
  for (const auto& [key, only] : {std::pair{"swiglu_limit", 7.0}, {"swiglu_alpha", 1.702}}) {
    const double value = root.positive(key).value_or(only);
    if (value != only) root.fail(ErrorCode::unsupported, key, str_cat(only), str_cat(value));
  }
  add_experts(root, 128, 4, keys);
  keys.add("expert_feed_forward_length", root.require_integer("intermediate_size", 1));
  add_window(keys, window_size(root, 128), sliding_layers(root, [](int64_t i) { return i % 2 == 0; }));
}

void read_granite_keys(const ConfigObject& root, HfKeys& keys) {
  keys.add("attention.scale", root.positive("attention_multiplier").value_or(1.0));
  keys.add("embedding_scale", root.positive("embedding_multiplier").value_or(1.0));
  keys.add("residual_scale", root.positive("residual_multiplier").value_or(1.0));
  keys.add("logit_scale", root.positive("logits_scaling").value_or(1.0));
}

}  // namespace emelex
