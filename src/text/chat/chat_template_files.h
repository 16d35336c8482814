#pragma once

#include <filesystem>

#include "weights/metadata.h"

namespace emelex {

// Adds the chat templates of a Hugging Face folder under GGUF's keys: tokenizer.chat_template, and
// tokenizer.chat_template.NAME for others than the default. They are in chat_template.jinja and
// additional_chat_templates/NAME.jinja, or else in tokenizer_config.json, or in chat_template.json as a model with
// images may have it. What tokenizer_config.json calls bos_token and so on is added as emelex.special_token.NAME.
// Throws Error(corrupt_file) or Error(io), naming the file.
// https://huggingface.co/docs/transformers/chat_templating
void add_hf_chat_templates(const std::filesystem::path& folder, Metadata& metadata);

constexpr const char* kChatTemplateKey = "tokenizer.chat_template";
constexpr const char* kSpecialTokenPrefix = "emelex.special_token.";

}  // namespace emelex
