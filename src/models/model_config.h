#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "models/config_keys.h"
#include "models/model.h"
#include "models/rope_config.h"

namespace emelex {

// Whether an architecture's layers may have mixtures of experts.
enum class Mixtures { none, some };

// Reads what every architecture has. Throws Error, naming the key and the file: corrupt_file, or unsupported for
// experts where there can be none and for an unknown architecture.
ModelConfig read_model_config(const ModelInput& source, Mixtures mixtures = Mixtures::none);

// The file's sliding window, attention.sliding_window, or 0.
int read_window(const ConfigKeys& keys);

// The attention of layers with the window and without it.
struct SlidingWindowAttention {
  std::vector<bool> sliding;  // of each layer
  std::shared_ptr<const AttentionConfig> local;
  std::shared_ptr<const AttentionConfig> global;

  const std::shared_ptr<const AttentionConfig>& layer(int i) const {
    return sliding[static_cast<size_t>(i)] ? local : global;
  }
};

// What an architecture has where the file does not say.
struct WindowDefaults {
  int period = 0;  // all layers but every period-th slide; 0: none does
  int window = 0;  // 0: none
  // Layers with the window have a rotary embedding of their own, which is never scaled, with this base. Without: they
  // have the others'.
  std::optional<double> local_rope_base = std::nullopt;
};

// By attention.sliding_window, attention.sliding_window_pattern and rope.freq_base_swa.
SlidingWindowAttention read_sliding_window_attention(const ModelInput& source, const ModelConfig& config,
                                                     const WindowDefaults& otherwise = {});

}  // namespace emelex
