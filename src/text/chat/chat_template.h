#pragma once

#include <memory>

#include "emelex/chat.h"
#include "weights/metadata.h"

namespace emelex {

// The chat templates that a model's metadata holds (tokenizer.chat_template, tokenizer.chat_template.NAME), or a
// built-in one. Those that can't be read throw when they are used, so that raw prompts still work.
std::unique_ptr<ChatTemplate> make_chat_template(const Metadata& metadata);

}  // namespace emelex
