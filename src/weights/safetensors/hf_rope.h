#pragma once

#include "weights/safetensors/config_object.h"
#include "weights/safetensors/hf_config.h"

namespace emelex {

// What config.json says about rotary position embedding and how it is stretched to long contexts, as GGUF's keys and
// tensors. Throws as read_hf_config does.
void read_hf_rope(const ConfigObject& root, int64_t head_dim, HfConfig& config);

}  // namespace emelex
