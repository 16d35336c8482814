#pragma once

#include <memory>

#include "emelex/chat.h"
#include "text/chat/chat_template_source.h"
#include "weights/metadata.h"

namespace emelex {

// The chat templates of a model's files, or a built-in one for the tokenizer's vocabulary, under GGUF's `keys`.
// Templates that can't be read throw when they are used, so that raw prompts still work.
std::unique_ptr<ChatTemplate> make_chat_template(const ChatTemplateSource& source, const Metadata& keys);

// The same for what a GGUF file's metadata holds.
std::unique_ptr<ChatTemplate> make_chat_template(const Metadata& metadata);

}  // namespace emelex
