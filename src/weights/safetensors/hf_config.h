#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "weights/format_facts.h"
#include "weights/key_state.h"
#include "weights/metadata.h"
#include "weights/safetensors/hf_families.h"
#include "weights/safetensors/hf_quantization.h"

namespace emelex {

// What a Hugging Face folder's config.json says, in the terms of a GGUF file, so that models see one kind of metadata.
struct HfConfig {
  const HfFamily* family = nullptr;
  Metadata metadata;   // under GGUF's keys
  FormatFacts facts;   // what GGUF has no key for
  bool tied = false;   // the output is the embedding
  std::string biases;  // modules that have one, as HfBiases has them
  HfQuantization quantization;
  // What is a tensor in a GGUF file, by its name there: what divides each RoPE frequency, [rope dimensions / 2].
  std::map<std::string, std::vector<float>> tensors;
};

// What becomes of each key of config.json, those of objects in it as "rope_parameters.factor". Throws as read_hf_config
// does.
std::vector<KeyState> hf_config_keys(std::string_view text, const std::string& source);

// `source` is config.json's path and `name` what the model is called where the file does not say. Throws Error, naming
// the key and the file: corrupt_file for what can't be meant, unsupported for what emelex does not compute.
HfConfig read_hf_config(std::string_view text, const std::string& source, const std::string& name);

}  // namespace emelex
