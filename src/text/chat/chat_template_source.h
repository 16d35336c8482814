#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "emelex/error.h"
#include "weights/metadata.h"

namespace emelex {

// A chat template as the files have it, not parsed.
struct NamedTemplate {
  std::string name;            // "default", "tool_use", …
  std::string text;            // Jinja
  std::optional<Error> error;  // why there is no text
};

// The chat templates of a model's files, and the special tokens that templates know by name.
struct ChatTemplateSource {
  std::string where;  // the file or folder, for messages
  std::vector<NamedTemplate> templates;
  std::map<std::string, std::string> special_tokens;  // "bos_token" → "<s>"
};

inline constexpr const char* kChatTemplateKey = "tokenizer.chat_template";

// What a GGUF file's keys hold: tokenizer.chat_template, tokenizer.chat_template.NAME, and tokens by their ids. Ids
// beyond the vocabulary are left out.
ChatTemplateSource gguf_chat_templates(const Metadata& metadata);

}  // namespace emelex
