#pragma once

#include <optional>
#include <string>
#include <vector>

#include "weights/rope_pairs.h"

namespace emelex {

// What a folder's config.json says and GGUF has no key for. These are typed and not metadata keys, so that no file can
// forge them. A GGUF file leaves all of them at their defaults.
struct FormatFacts {
  bool from_config = false;  // a config.json describes the model, whatever its architecture's GGUF files can say
  std::optional<RopePairs> rope_pairs;  // how RoPE pairs the values of a head; none: as the architecture's GGUF files
  bool yarn_whole_bounds = true;        // YaRN rounds the bounds of the frequencies that it blends to whole numbers
  std::string text_part_of;             // model_type of a model that also reads pictures; empty: text alone
  std::vector<bool> expert_layers;      // which layers have experts; empty: those whose tensors have some
};

}  // namespace emelex
