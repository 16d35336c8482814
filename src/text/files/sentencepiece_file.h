#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "text/files/tokenizer_source.h"

namespace emelex {

// Whether bytes may be a sentencepiece model: its first field is the list of pieces.
bool is_sentencepiece(std::span<const std::byte> bytes);

// Adds what a sentencepiece .model file says to a model's tokenizer, under the keys that GGUF has for it. The file is a
// protocol buffer, sentencepiece_model.proto's ModelProto; `file` names it. Throws Error: corrupt_file, or
// unsupported for a model that is neither BPE nor unigram.
void add_sentencepiece(std::span<const std::byte> bytes, const std::string& file, TokenizerSource& source);

}  // namespace emelex
