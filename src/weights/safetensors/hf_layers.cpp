#include "weights/safetensors/hf_layers.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "weights/bounded_json.h"

namespace emelex {

int64_t layer_count(const ConfigObject& root) { return root.require_integer("num_hidden_layers", 1, 1024); }

std::optional<int64_t> window_size(const ConfigObject& root, std::optional<int64_t> otherwise) {
  return root.contains("sliding_window") ? root.integer("sliding_window", 1) : otherwise;
}

std::vector<bool> sliding_layers(const ConfigObject& root, const std::function<bool(int64_t layer)>& slides) {
  const int64_t n = layer_count(root);
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

void add_window(HfKeys& keys, std::optional<int64_t> window) {
  if (window) keys.add("attention.sliding_window", *window);
}

void add_window(const ConfigObject& root, HfKeys& keys, std::optional<int64_t> window, std::vector<bool> sliding) {
  if (!window && std::find(sliding.begin(), sliding.end(), true) != sliding.end()) {
    root.fail(ErrorCode::unsupported, "sliding_window", "a number, as layers have a window", "none");
  }
  if (!window) return;
  keys.add("attention.sliding_window", *window);
  keys.add("attention.sliding_window_pattern", std::move(sliding));
}

void add_experts(HfKeys& keys, const ConfigObject& root, int64_t n, int64_t n_used) {
  const auto local = root.integer("num_local_experts", 1);
  const auto count = root.integer("num_experts", 1);
  if (local && count && *local != *count) {
    root.fail(ErrorCode::unsupported, "num_experts", str_cat("num_local_experts' ", *local), str_cat(*count));
  }
  keys.add("expert_count", local ? *local : count.value_or(n));
  keys.add("expert_used_count", root.integer("num_experts_per_tok", 1).value_or(n_used));
}

}  // namespace emelex
