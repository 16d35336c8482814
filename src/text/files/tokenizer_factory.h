#pragma once

#include <memory>

#include "emelex/tokenizer.h"
#include "weights/metadata.h"

namespace emelex {

// The tokenizer that a GGUF file's metadata describes; the kind is `tokenizer.ggml.model`.
// Throws Error: unsupported for a kind or a pre-tokenizer that emelex does not have, corrupt_file for a vocabulary that
// is missing or contradicts itself. Either names the key and the file.
std::unique_ptr<Tokenizer> make_tokenizer(const Metadata& metadata);

}  // namespace emelex
