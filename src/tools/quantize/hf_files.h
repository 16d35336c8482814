#pragma once

#include <string>
#include <string_view>

#include "model_files/model_files.h"
#include "weights/metadata.h"
#include "weights/weights.h"

// The files beside a Hugging Face folder's tensors, made of a GGUF file's metadata.
namespace emelex {

// config.json without quantization, for a Llama, or by its window a Mistral, or by its experts a Mixtral. Throws
// Error(unsupported) for what it has no words for.
std::string hf_config_json(const Weights& weights, const std::string& dtype);

// tokenizer.json and tokenizer_config.json, for byte-level BPE. Throws Error(unsupported) for other tokenizers.
std::string hf_tokenizer_json(const Metadata& metadata);
std::string hf_tokenizer_config_json(const Metadata& metadata);

// generation_config.json: the tokens that end a turn, and how the makers recommend to sample.
std::string hf_generation_config_json(const ModelFiles& files);

// Whether a file of that name, beside tensors and config.json, is one that a copy of a folder has too.
bool is_side_file(std::string_view name);

}  // namespace emelex
