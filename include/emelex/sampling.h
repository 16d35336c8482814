#pragma once

#include <cstdint>
#include <optional>

namespace emelex {

// How the next token is chosen. The steps are applied in the order of the fields.
struct SamplingOptions {
  float repeat_penalty = 1.0F;   // divides the logits of recent tokens; 1: off
  int repeat_window = 64;        // how many recent tokens are penalized
  int top_k = 40;                // keep the k likeliest; 0: off
  float top_p = 0.9F;            // keep the likeliest whose probabilities add up to p; 1: off
  float min_p = 0.05F;           // drop those less likely than min_p times the likeliest; 0: off
  float temperature = 0.7F;      // divides the logits; 0: always the likeliest, whatever the other fields say
  std::optional<uint64_t> seed;  // the same seed gives the same text; none: a different one each time
};

// What a model's makers recommend. A folder has it in generation_config.json, a GGUF file in general.sampling.*. Fields
// that the files do not set, or set out of range, are empty.
struct SamplingDefaults {
  std::optional<float> repeat_penalty;
  std::optional<int> repeat_window;
  std::optional<int> top_k;
  std::optional<float> top_p;
  std::optional<float> min_p;
  std::optional<float> temperature;  // 0 where the files ask for no sampling

  bool operator==(const SamplingDefaults&) const = default;
};

}  // namespace emelex
