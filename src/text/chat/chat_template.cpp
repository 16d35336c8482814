#include "text/chat/chat_template.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

#include "base/strings.h"
#include "text/chat/built_in_templates.h"
#include "text/chat/chat_messages.h"
#include "text/jinja/json_value.h"
#include "text/jinja/template.h"

namespace emelex {
namespace {

using jinja::Dict;
using jinja::List;
using jinja::None;
using jinja::Text;
using jinja::Value;

constexpr std::string_view kDefaultName = "default";

// A template, or why it can't be read.
struct ParsedTemplate {
  std::string name;
  std::optional<jinja::Template> parsed;
  std::optional<Error> error;

  ParsedTemplate(const NamedTemplate& source, const std::string& where) : name(source.name), error(source.error) {
    if (error) return;
    try {
      parsed.emplace(source.text, where);
    } catch (const Error& problem) {
      error = problem;
    }
  }
  ParsedTemplate(const BuiltInTemplate& built_in) : name(kDefaultName) {
    parsed.emplace(built_in.source, str_cat("the built-in template ", built_in.name));
  }
};

Value json_or(const std::string& json, std::string_view what, Value otherwise) {
  return json.empty() ? std::move(otherwise) : jinja::value_from_json(json, what);
}

// Renders with the variables that Hugging Face's transformers give to a chat template.
class JinjaChatTemplate final : public ChatTemplate {
 public:
  JinjaChatTemplate(std::vector<ParsedTemplate> templates, std::string_view built_in, Dict special_tokens)
      : templates_(std::move(templates)), built_in_(built_in), special_tokens_(std::move(special_tokens)) {}

  std::vector<std::string> names() const override {
    std::vector<std::string> names;
    for (const ParsedTemplate& one : templates_) names.push_back(one.name);
    return names;
  }

  std::string_view built_in() const override { return built_in_; }

  std::vector<Segment> render_segments(const std::vector<Message>& messages,
                                       const ChatOptions& options) const override {
    const ParsedTemplate& chosen = choose(options);
    if (chosen.error) throw Error(*chosen.error);
    if (!options.continue_final_message) return chosen.parsed->render(variables_of(messages, options)).segments();
    if (options.add_generation_prompt) {
      throw Error(ErrorCode::invalid_argument,
                  "[chat] expected a message to go on with or a prompt for a new one, got both");
    }
    const std::vector<Message> marked = mark_end(messages);
    return cut_at_mark(chosen.parsed->render(variables_of(marked, options))).segments();
  }

 private:
  const ParsedTemplate* find(std::string_view name) const {
    const auto found = std::find_if(templates_.begin(), templates_.end(),
                                    [name](const ParsedTemplate& one) { return one.name == name; });
    return found == templates_.end() ? nullptr : &*found;
  }

  const ParsedTemplate& choose(const ChatOptions& options) const {
    const ParsedTemplate* chosen = nullptr;
    if (!options.template_name.empty()) {
      chosen = find(options.template_name);
    } else {
      if (!options.tools.empty()) chosen = find("tool_use");
      if (chosen == nullptr) chosen = find(kDefaultName);
    }
    if (chosen != nullptr) return *chosen;
    std::string known;
    for (const ParsedTemplate& one : templates_) known += str_cat(known.empty() ? "" : ", ", quote_bytes(one.name));
    const std::string wanted = options.template_name.empty() ? "none" : quote_bytes(options.template_name);
    throw Error(ErrorCode::invalid_argument,
                str_cat("[chat] expected the name of one of the model's templates (", known, "), got ", wanted));
  }

  Dict variables_of(const std::vector<Message>& messages, const ChatOptions& options) const {
    List list;
    for (const Message& message : messages) list.items.push_back(message_value(message));
    Dict variables = special_tokens_;
    variables.set(Value("messages"), Value(std::move(list)));
    variables.set(Value("tools"), json_or(options.tools, "the tools", None{}));
    variables.set(Value("documents"), json_or(options.documents, "the documents", None{}));
    variables.set(Value("add_generation_prompt"), Value(options.add_generation_prompt));
    const Value more = json_or(options.variables, "the variables", Dict());
    if (more.dict() == nullptr) {
      throw Error(ErrorCode::invalid_argument,
                  str_cat("[chat] expected an object of variables, got ", more.type_name()));
    }
    for (const auto& [name, value] : more.dict()->items) variables.set(name, value);
    return variables;
  }

  std::vector<ParsedTemplate> templates_;
  std::string_view built_in_;
  Dict special_tokens_;
};

}  // namespace

ChatTemplateSource gguf_chat_templates(const Metadata& metadata) {
  ChatTemplateSource source;
  source.where = metadata.source();
  const std::string prefix = str_cat(kChatTemplateKey, ".");
  for (const auto& [key, value] : metadata.values()) {
    const bool is_default = key == kChatTemplateKey;
    if (!is_default && !key.starts_with(prefix)) continue;
    NamedTemplate& one = source.templates.emplace_back();
    one.name = is_default ? std::string(kDefaultName) : key.substr(prefix.size());
    try {
      one.text = metadata.require_string(key);
    } catch (const Error& error) {
      one.error = error;
    }
  }
  static constexpr std::array<std::pair<const char*, std::string_view>, 7> kTokens = {{
      {"bos_token", "tokenizer.ggml.bos_token_id"},
      {"eos_token", "tokenizer.ggml.eos_token_id"},
      {"unk_token", "tokenizer.ggml.unknown_token_id"},
      {"sep_token", "tokenizer.ggml.seperator_token_id"},  // as GGUF spells it
      {"pad_token", "tokenizer.ggml.padding_token_id"},
      {"cls_token", "tokenizer.ggml.cls_token_id"},
      {"mask_token", "tokenizer.ggml.mask_token_id"},
  }};
  for (const auto& [name, key] : kTokens) {
    try {
      const std::vector<std::string>* tokens = metadata.strings("tokenizer.ggml.tokens");
      const int64_t id = metadata.integer(key).value_or(-1);
      const bool is_there = tokens != nullptr && id >= 0 && id < static_cast<int64_t>(tokens->size());
      if (is_there) source.special_tokens[name] = (*tokens)[static_cast<size_t>(id)];
    } catch (const Error&) {  // the tokenizer refuses what is of another type
    }
  }
  return source;
}

std::unique_ptr<ChatTemplate> make_chat_template(const ChatTemplateSource& source, const Metadata& keys) {
  std::vector<ParsedTemplate> templates;
  for (const NamedTemplate& one : source.templates) {
    if (one.error || !one.text.empty()) templates.emplace_back(one, source.where);  // an empty one is as good as none
  }
  std::string_view built_in;
  if (templates.empty()) {
    const BuiltInTemplate stand_in = built_in_template(keys);
    built_in = stand_in.name;
    templates.emplace_back(stand_in);
  }
  Dict special_tokens;
  for (const auto& [name, text] : source.special_tokens) special_tokens.set(Value(name), Value(text));
  return std::make_unique<JinjaChatTemplate>(std::move(templates), built_in, std::move(special_tokens));
}

std::unique_ptr<ChatTemplate> make_chat_template(const Metadata& metadata) {
  return make_chat_template(gguf_chat_templates(metadata), metadata);
}

std::string ChatTemplate::render(const std::vector<Message>& messages, const ChatOptions& options) const {
  std::string text;
  for (const Segment& segment : render_segments(messages, options)) text += segment.text;
  return text;
}

}  // namespace emelex
