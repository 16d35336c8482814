#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "weights/safetensors/config_object.h"
#include "weights/safetensors/hf_keys.h"

// What several families' config.json say of their layers, for HfFamily::read_more. All throw as read_hf_config does.
namespace emelex {

// num_hidden_layers, at most 1024, which no file exceeds: lists are made of it before the tensors are looked at.
int64_t layer_count(const ConfigObject& root);

// sliding_window: null says that there is none, a missing key leaves `otherwise`.
std::optional<int64_t> window_size(const ConfigObject& root, std::optional<int64_t> otherwise);

// Which layers have the window: by layer_types, or where `slides(layer)`.
std::vector<bool> sliding_layers(const ConfigObject& root, const std::function<bool(int64_t layer)>& slides);

// A window in all layers; none: no keys.
void add_window(HfKeys& keys, std::optional<int64_t> window);
// A window in those layers. Throws Error(unsupported) where some have one and its size is not said, as transformers
// does.
void add_window(const ConfigObject& root, HfKeys& keys, std::optional<int64_t> window, std::vector<bool> sliding);

// How many experts there are, and how many of them compute a token. Files of any age have one of two names, or both
// with the same number. A missing key is `n` or `n_used`.
void add_experts(HfKeys& keys, const ConfigObject& root, int64_t n, int64_t n_used);

}  // namespace emelex
