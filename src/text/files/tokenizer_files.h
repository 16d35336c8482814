#pragma once

#include <cstdint>
#include <filesystem>

#include "text/files/tokenizer_source.h"

namespace emelex {

// Adds the vocabulary of a folder's tokenizer file, so that make_tokenizer can make a tokenizer of it: tokenizer.json,
// or else tekken.json, tokenizer.model (sentencepiece's or tiktoken's) or another file of these kinds. `n_rows`: of the
// model's embedding, which has a row for each id; 0: as many as the file has. Throws Error: unsupported when there is
// none, or one that emelex can't read; corrupt_file.
void add_tokenizer_files(const std::filesystem::path& folder, int64_t n_rows, TokenizerSource& source);

// The same for one file of those kinds.
void add_tokenizer_file(const std::filesystem::path& file, int64_t n_rows, TokenizerSource& source);

// A GGUF file's metadata, which keeps the file open.
std::shared_ptr<const Metadata> metadata_of(const std::filesystem::path& gguf);

// What has a tokenizer: a .gguf file, a folder, or a tokenizer's file alone.
TokenizerSource read_tokenizer_source(const std::filesystem::path& path);

}  // namespace emelex
