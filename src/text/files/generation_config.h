#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "emelex/sampling.h"
#include "text/files/tokenizer_source.h"

namespace emelex {

// What config.json and generation_config.json of a folder say about the ids of special tokens.
struct HfTokenIds {
  std::optional<int64_t> bos;
  TurnEnds ends;
};

// Files that are missing say nothing; one that is no JSON object says nothing either, with a line in `warnings`. The
// weights' own reader refuses a config.json that can't be read.
HfTokenIds read_hf_token_ids(const std::filesystem::path& folder, std::vector<std::string>& warnings);

// generation_config.json's temperature, top_k and so on, in emelex's terms.
// https://huggingface.co/docs/transformers/main_classes/text_generation
SamplingDefaults read_hf_sampling(const std::filesystem::path& folder, std::vector<std::string>& warnings);

// The same of a GGUF file's general.sampling.* keys.
SamplingDefaults read_gguf_sampling(const Metadata& metadata, std::vector<std::string>& warnings);

}  // namespace emelex
