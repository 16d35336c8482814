#include "text/chat_template.h"

#include <string>
#include <utility>

#include "text/jinja/template.h"

namespace emelex {
namespace {

using jinja::Dict;
using jinja::List;
using jinja::None;
using jinja::Text;
using jinja::Value;

// Renders with the variables that Hugging Face's transformers give to a chat template.
class JinjaChatTemplate final : public ChatTemplate {
 public:
  JinjaChatTemplate(std::string_view source, std::string name, Dict variables)
      : template_(source, std::move(name)), variables_(std::move(variables)) {}

  std::string render(const std::vector<Message>& messages, bool add_generation_prompt) const override {
    return render_text(messages, add_generation_prompt).bytes();
  }

  std::vector<Segment> render_segments(const std::vector<Message>& messages,
                                       bool add_generation_prompt) const override {
    return render_text(messages, add_generation_prompt).segments();
  }

 private:
  Text render_text(const std::vector<Message>& messages, bool add_generation_prompt) const {
    List list;
    for (const Message& message : messages) {
      Dict dict;
      dict.set(Value("role"), Value(Text(message.role, true)));
      dict.set(Value("content"), Value(Text(message.content, true)));
      list.items.emplace_back(std::move(dict));
    }
    Dict variables = variables_;
    variables.set(Value("messages"), Value(std::move(list)));
    variables.set(Value("add_generation_prompt"), Value(add_generation_prompt));
    return template_.render(variables);
  }

  jinja::Template template_;
  Dict variables_;
};

// The names of the special tokens that the file speaks of, as bos_token and so on.
Dict special_tokens(const Metadata& metadata, const Tokenizer& tokenizer) {
  static constexpr std::pair<const char*, std::string_view> kTokens[] = {
      {"bos_token", "tokenizer.ggml.bos_token_id"},
      {"eos_token", "tokenizer.ggml.eos_token_id"},
      {"unk_token", "tokenizer.ggml.unknown_token_id"},
      {"pad_token", "tokenizer.ggml.padding_token_id"},
  };
  Dict variables;
  for (const auto& [name, key] : kTokens) {
    if (!metadata.contains(key)) continue;
    const auto id = static_cast<TokenId>(metadata.require_integer(key, 0, tokenizer.vocab_size() - 1));
    variables.set(Value(name), Value(tokenizer.decode_token(id, true)));
  }
  return variables;
}

}  // namespace

std::unique_ptr<ChatTemplate> make_chat_template(const Metadata& metadata, const Tokenizer& tokenizer) {
  const auto source = metadata.string("tokenizer.chat_template");
  if (!source) return nullptr;
  Dict variables = special_tokens(metadata, tokenizer);
  variables.set(Value("tools"), Value(None{}));
  variables.set(Value("documents"), Value(None{}));
  return std::make_unique<JinjaChatTemplate>(*source, metadata.source(), std::move(variables));
}

}  // namespace emelex
