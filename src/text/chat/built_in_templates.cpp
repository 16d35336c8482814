#include "text/chat/built_in_templates.h"

#include <algorithm>
#include <array>
#include <unordered_set>
#include <vector>

#include "base/strings.h"

namespace emelex {
namespace {

// What all of them begin with: the parts of a message that are text are joined, and what a family has no form for is
// refused rather than left out.
constexpr std::string_view kStart = R"({%- if tools %}
    {{- raise_exception('the model has no chat template, and the built-in one has no place for tools') }}
{%- endif %}
{%- macro text(message) %}
    {%- if message.content is string %}
        {{- message.content }}
    {%- else %}
        {%- for part in message.content or [] %}
            {%- if part.type != 'text' %}
                {{- raise_exception('the built-in chat template takes text alone') }}
            {%- endif %}
            {{- part.text }}
        {%- endfor %}
    {%- endif %}
{%- endmacro %}
)";

constexpr std::string_view kChatMl = R"(
{%- for message in messages %}
    {{- '<|im_start|>' ~ message.role ~ '\n' ~ text(message) ~ '<|im_end|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
{%- endif %})";

constexpr std::string_view kLlama3 = R"({{- bos_token }}
{%- for message in messages %}
    {{- '<|start_header_id|>' ~ message.role ~ '<|end_header_id|>\n\n' ~ text(message) | trim ~ '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}
{%- endif %})";

// What the system says is put into the first question, as with the next two.
constexpr std::string_view kLlama2 = R"({%- set ns = namespace(system='') %}
{%- for message in messages %}
    {%- if message.role == 'system' %}
        {%- set ns.system = '<<SYS>>\n' ~ text(message) ~ '\n<</SYS>>\n\n' %}
    {%- elif message.role == 'user' %}
        {{- bos_token ~ '[INST] ' ~ ns.system ~ text(message) | trim ~ ' [/INST]' }}
        {%- set ns.system = '' %}
    {%- else %}
        {{- ' ' ~ text(message) | trim ~ ' ' ~ eos_token }}
    {%- endif %}
{%- endfor %})";

constexpr std::string_view kMistral = R"({{- bos_token }}
{%- set ns = namespace(system='') %}
{%- for message in messages %}
    {%- if message.role == 'system' %}
        {%- set ns.system = text(message) ~ '\n\n' %}
    {%- elif message.role == 'user' %}
        {{- '[INST] ' ~ ns.system ~ text(message) ~ '[/INST]' }}
        {%- set ns.system = '' %}
    {%- else %}
        {{- ' ' ~ text(message) | trim ~ eos_token }}
    {%- endif %}
{%- endfor %})";

constexpr std::string_view kGemma = R"({{- bos_token }}
{%- set ns = namespace(system='') %}
{%- for message in messages %}
    {%- if message.role == 'system' %}
        {%- set ns.system = text(message) | trim ~ '\n\n' %}
    {%- else %}
        {{- '<start_of_turn>' ~ ('model' if message.role == 'assistant' else message.role) ~ '\n' }}
        {{- ns.system ~ text(message) | trim ~ '<end_of_turn>\n' }}
        {%- set ns.system = '' %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<start_of_turn>model\n' }}
{%- endif %})";

constexpr std::string_view kPhi = R"(
{%- for message in messages %}
    {{- '<|' ~ message.role ~ '|>\n' ~ text(message) ~ '<|end|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|assistant|>\n' }}
{%- endif %})";

constexpr std::string_view kPlain = R"({{- bos_token }}
{%- for message in messages %}
    {{- message.role | capitalize ~ ': ' ~ text(message) | trim ~ '\n\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- 'Assistant:' }}
{%- endif %})";

struct Family {
  std::string_view name;
  std::string_view source;
  std::array<std::string_view, 3> marks;  // tokens that it has; empty: no mark
};

constexpr std::array kFamilies = {
    Family{"chatml", kChatMl, {"<|im_start|>", "<|im_end|>"}},
    Family{"llama-3", kLlama3, {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"}},
    Family{"gemma", kGemma, {"<start_of_turn>", "<end_of_turn>"}},
    Family{"phi", kPhi, {"<|user|>", "<|assistant|>", "<|end|>"}},
    Family{"mistral", kMistral, {"[INST]", "[/INST]"}},
};

// The vocabulary of Llama 1 and 2, which has no tokens for turns.
bool is_llama_2(const Metadata& metadata, const std::vector<std::string>& tokens) {
  constexpr size_t kLlamaTokens = 32000;
  const bool sentencepiece = metadata.string("tokenizer.ggml.model") == "llama";
  return sentencepiece && tokens.size() >= kLlamaTokens && tokens.size() < kLlamaTokens + 100 && tokens[1] == "<s>" &&
         tokens[2] == "</s>";
}

}  // namespace

BuiltInTemplate built_in_template(const Metadata& metadata) {
  const auto made = [](std::string_view name, std::string_view source) {
    return BuiltInTemplate{name, str_cat(kStart, source)};
  };
  const std::vector<std::string>* tokens = metadata.strings("tokenizer.ggml.tokens");
  if (tokens == nullptr) return made("plain", kPlain);
  const std::unordered_set<std::string_view> names(tokens->begin(), tokens->end());
  for (const Family& family : kFamilies) {
    const bool has_all = std::all_of(family.marks.begin(), family.marks.end(),
                                     [&](std::string_view mark) { return mark.empty() || names.contains(mark); });
    if (has_all) return made(family.name, family.source);
  }
  return is_llama_2(metadata, *tokens) ? made("llama-2", kLlama2) : made("plain", kPlain);
}

}  // namespace emelex
