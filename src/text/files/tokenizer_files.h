#pragma once

#include <cstdint>
#include <filesystem>

#include "weights/metadata.h"

namespace emelex {

// Adds the vocabulary of a folder's tokenizer file to a model's metadata, so that make_tokenizer can make a tokenizer
// of it: tokenizer.json, or else tekken.json, tokenizer.model (sentencepiece's or tiktoken's) or another file of these
// kinds. `least_size`: tokens that the vocabulary has at least, in names that no text has; 0: as many as the file has.
// Throws Error: unsupported when there is none, or one that emelex can't read; corrupt_file.
void add_tokenizer_files(const std::filesystem::path& folder, int64_t least_size, Metadata& metadata);

// The same for one file of those kinds.
void add_tokenizer_file(const std::filesystem::path& file, int64_t least_size, Metadata& metadata);

// The metadata of what has a tokenizer: a .gguf file, a folder, or a tokenizer's file alone.
Metadata read_tokenizer_metadata(const std::filesystem::path& path);

}  // namespace emelex
