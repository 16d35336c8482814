#pragma once

#include <filesystem>

#include "weights/metadata.h"
#include "weights/weights.h"

namespace emelex {

// open_weights, with the tokenizer and chat template of a Hugging Face folder among the metadata, under GGUF's keys: so
// that all that follows sees one kind of model. A tokenizer that emelex has no reader for is no error here: its reason
// stands under kTokenizerProblemKey, and make_tokenizer throws it.
std::shared_ptr<const Weights> open_model(const std::filesystem::path& path);

inline constexpr const char* kTokenizerProblemKey = "emelex.tokenizer_problem";

// Adds what the tokenizer's file (see tokenizer_files.h), tokenizer_config.json and chat_template.jinja of that folder
// say to the metadata of its config.json. Throws Error: corrupt_file or unsupported, naming the file.
void add_hf_tokenizer(const std::filesystem::path& folder, Metadata& metadata);

}  // namespace emelex
