#include "text/chat/chat_template.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

#include "base/strings.h"
#include "text/chat/built_in_templates.h"
#include "text/chat/chat_messages.h"
#include "text/chat/chat_template_files.h"
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
struct NamedTemplate {
  std::string name;
  std::optional<jinja::Template> parsed;
  std::optional<Error> error;

  NamedTemplate(std::string given_name, const Metadata& metadata, const std::string& key)
      : name(std::move(given_name)) {
    try {
      parsed.emplace(metadata.require_string(key), metadata.source());
    } catch (const Error& problem) {
      error = problem;
    }
  }
  NamedTemplate(const BuiltInTemplate& built_in) : name(kDefaultName) {
    parsed.emplace(built_in.source, str_cat("the built-in template ", built_in.name));
  }
};

Value json_or(const std::string& json, std::string_view what, Value otherwise) {
  return json.empty() ? std::move(otherwise) : jinja::value_from_json(json, what);
}

// Renders with the variables that Hugging Face's transformers give to a chat template.
class JinjaChatTemplate final : public ChatTemplate {
 public:
  JinjaChatTemplate(std::vector<NamedTemplate> templates, std::string_view built_in, Dict special_tokens)
      : templates_(std::move(templates)), built_in_(built_in), special_tokens_(std::move(special_tokens)) {}

  std::vector<std::string> names() const override {
    std::vector<std::string> names;
    for (const NamedTemplate& one : templates_) names.push_back(one.name);
    return names;
  }

  std::string_view built_in() const override { return built_in_; }

  std::vector<Segment> render_segments(const std::vector<Message>& messages,
                                       const ChatOptions& options) const override {
    const NamedTemplate& chosen = choose(options);
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
  const NamedTemplate* find(std::string_view name) const {
    const auto found = std::find_if(templates_.begin(), templates_.end(),
                                    [name](const NamedTemplate& one) { return one.name == name; });
    return found == templates_.end() ? nullptr : &*found;
  }

  const NamedTemplate& choose(const ChatOptions& options) const {
    const NamedTemplate* chosen = nullptr;
    if (!options.template_name.empty()) {
      chosen = find(options.template_name);
    } else {
      if (!options.tools.empty()) chosen = find("tool_use");
      if (chosen == nullptr) chosen = find(kDefaultName);
    }
    if (chosen != nullptr) return *chosen;
    std::string known;
    for (const NamedTemplate& one : templates_) known += str_cat(known.empty() ? "" : ", ", quote_bytes(one.name));
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

  std::vector<NamedTemplate> templates_;
  std::string_view built_in_;
  Dict special_tokens_;
};

// The special tokens that templates know by name: as the folder's configuration says them, or by a GGUF file's ids.
Dict special_tokens(const Metadata& metadata) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kTokens = {{
      {"bos_token", "tokenizer.ggml.bos_token_id"},
      {"eos_token", "tokenizer.ggml.eos_token_id"},
      {"unk_token", "tokenizer.ggml.unknown_token_id"},
      {"sep_token", "tokenizer.ggml.seperator_token_id"},  // as GGUF spells it
      {"pad_token", "tokenizer.ggml.padding_token_id"},
      {"cls_token", "tokenizer.ggml.cls_token_id"},
      {"mask_token", "tokenizer.ggml.mask_token_id"},
  }};
  const auto named = [&](std::string_view name) { return str_cat(kSpecialTokenPrefix, name); };
  const bool are_named = std::any_of(kTokens.begin(), kTokens.end(),
                                     [&](const auto& token) { return metadata.contains(named(token.first)); });
  const std::vector<std::string>* tokens = metadata.strings("tokenizer.ggml.tokens");
  const int64_t n_tokens = tokens == nullptr ? 0 : static_cast<int64_t>(tokens->size());
  Dict variables;
  for (const auto& [name, key] : kTokens) {
    if (are_named) {
      if (const auto text = metadata.string(named(name))) variables.set(Value(std::string(name)), Value(*text));
    } else if (metadata.contains(key) && n_tokens > 0) {
      const int64_t id = metadata.require_integer(key, 0, n_tokens - 1);
      variables.set(Value(std::string(name)), Value((*tokens)[static_cast<size_t>(id)]));
    }
  }
  return variables;
}

}  // namespace

std::unique_ptr<ChatTemplate> make_chat_template(const Metadata& metadata) {
  std::vector<NamedTemplate> templates;
  const std::string prefix = str_cat(kChatTemplateKey, ".");
  for (const auto& [key, value] : metadata.values()) {
    const auto* text = std::get_if<std::string>(&value);
    if (text != nullptr && text->empty()) continue;  // as good as none
    if (key == kChatTemplateKey) {
      templates.emplace_back(std::string(kDefaultName), metadata, key);
    } else if (key.starts_with(prefix)) {
      templates.emplace_back(key.substr(prefix.size()), metadata, key);
    }
  }
  std::string_view built_in;
  if (templates.empty()) {
    const BuiltInTemplate stand_in = built_in_template(metadata);
    built_in = stand_in.name;
    templates.emplace_back(stand_in);
  }
  return std::make_unique<JinjaChatTemplate>(std::move(templates), built_in, special_tokens(metadata));
}

std::string ChatTemplate::render(const std::vector<Message>& messages, const ChatOptions& options) const {
  std::string text;
  for (const Segment& segment : render_segments(messages, options)) text += segment.text;
  return text;
}

}  // namespace emelex
