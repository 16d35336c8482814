#pragma once

#include <filesystem>

#include "text/chat/chat_template_source.h"

namespace emelex {

// The chat templates of a Hugging Face folder. They are in chat_template.jinja and
// additional_chat_templates/NAME.jinja, or else in tokenizer_config.json, or in chat_template.json as a model with
// images may have it. The special tokens are those that tokenizer_config.json names. Throws Error(corrupt_file) or
// Error(io), naming the file. https://huggingface.co/docs/transformers/chat_templating
ChatTemplateSource read_hf_chat_templates(const std::filesystem::path& folder);

}  // namespace emelex
