#pragma once

#include <memory>

#include "emelex/tokenizer.h"
#include "text/files/tokenizer_source.h"

namespace emelex {

// The tokenizer of a model's files; the kind of GGUF's is `tokenizer.ggml.model`.
// Throws source.problem, or Error: unsupported for a kind or a pre-tokenizer that emelex does not have, corrupt_file
// for a vocabulary that is missing or contradicts itself. Either names the key and the file.
std::unique_ptr<Tokenizer> make_tokenizer(const TokenizerSource& source);

// The same for what a GGUF file's metadata holds.
std::unique_ptr<Tokenizer> make_tokenizer(const Metadata& metadata);

}  // namespace emelex
