#pragma once

#include <cstdint>
#include <filesystem>

#include "text/files/tokenizer_source.h"

namespace emelex {

// Adds what the tokenizer's file (see tokenizer_files.h), tokenizer_config.json, config.json and generation_config.json
// of a Hugging Face folder say. `n_rows`: of the model's embedding, whose rows are the ids that there are; 0: not
// known. Throws Error: corrupt_file or unsupported, naming the file.
void add_hf_tokenizer(const std::filesystem::path& folder, int64_t n_rows, TokenizerSource& source);

// The same; what it throws becomes the source's problem.
TokenizerSource read_hf_tokenizer(const std::filesystem::path& folder, int64_t n_rows);

}  // namespace emelex
