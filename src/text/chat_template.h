#pragma once

#include <memory>

#include "emelex/chat.h"
#include "emelex/tokenizer.h"
#include "weights/metadata.h"

namespace emelex {

// The chat template of a GGUF file (tokenizer.chat_template), or nullptr when it has none. Throws Error: corrupt_file
// or unsupported, with line and column, when it can't be read.
std::unique_ptr<ChatTemplate> make_chat_template(const Metadata& metadata, const Tokenizer& tokenizer);

}  // namespace emelex
