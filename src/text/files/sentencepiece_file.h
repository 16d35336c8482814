#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "weights/metadata.h"

namespace emelex {

// Whether bytes may be a sentencepiece model: its first field is the list of pieces.
bool is_sentencepiece(std::span<const std::byte> bytes);

// Adds what a sentencepiece .model file says to a model's metadata, under the keys that GGUF has for it. The file is a
// protocol buffer, sentencepiece_model.proto's ModelProto; `source` names it. Throws Error: corrupt_file, or
// unsupported for a model that is neither BPE nor unigram.
void add_sentencepiece(std::span<const std::byte> bytes, const std::string& source, Metadata& metadata);

}  // namespace emelex
