#pragma once

#include <optional>

#include "text/files/tokenizer_source.h"
#include "weights/metadata.h"

namespace emelex {

// The keys of a GGUF file for a tokenizer.json that does what sentencepiece's BPE does, as those of Llama 2, Mistral,
// Gemma and Phi 3: the model "llama", a score and a type for each token. Scores are those of the tokenizer.model in the
// same folder, as llama.cpp's converter takes them; without that file they follow the order of the merges. Nothing for
// another kind of tokenizer. Throws Error(unsupported) for one of the kind whose merges no scores stand for.
std::optional<Metadata> sentencepiece_keys(const TokenizerSource& source);

}  // namespace emelex
