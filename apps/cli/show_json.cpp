#include <type_traits>

#include "base/json_document.h"
#include "cli/show_text.h"

namespace emelex::cli {
namespace {

using Json = JsonDocument;

constexpr size_t kMostElements = 100;  // of an array that is given in full
constexpr size_t kFirstElements = 8;   // of a longer one

Json text_json(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

// A number where all layers have the same.
Json sizes_json(const LayerSizes& sizes) {
  if (sizes.empty()) return nullptr;
  return sizes.size() == 1 ? Json(sizes[0]) : Json(sizes);
}

Json types_json(const std::vector<TypeShare>& types) {
  Json list = Json::array();
  for (const TypeShare& share : types) {
    list.push_back(
        {{"type", share.type}, {"tensors", share.tensors}, {"values", share.values}, {"bytes", share.bytes}});
  }
  return list;
}

Json kinds_json(const std::vector<KindDescription>& kinds) {
  Json list = Json::array();
  for (const KindDescription& kind : kinds) list.push_back({{"kind", kind.kind}, {"types", types_json(kind.types)}});
  return list;
}

Json files_json(const std::vector<FileDescription>& files) {
  Json list = Json::array();
  for (const FileDescription& file : files) list.push_back({{"path", file.path.string()}, {"bytes", file.bytes}});
  return list;
}

Json rope_json(const RopeDescription& rope) {
  return {{"dimensions", rope.dimensions},
          {"base", rope.base},
          {"scaling", text_json(rope.scaling)},
          {"scaling_factor", rope.scaling_factor},
          {"original_context", rope.original_context},
          {"has_divisors", rope.has_divisors}};
}

Json token_json(const std::optional<TokenDescription>& token) {
  return token ? Json{{"id", token->id}, {"name", token->name}} : Json(nullptr);
}

Json tokenizer_json(const TokenizerDescription& tokenizer) {
  Json warnings = Json::array();
  for (const std::string& warning : tokenizer.warnings) warnings.push_back(text_json(warning));
  return {{"model", text_json(tokenizer.model)}, {"problem", text_json(tokenizer.problem)},
          {"pre", text_json(tokenizer.pre)},     {"vocab_size", tokenizer.vocab_size},
          {"bos", token_json(tokenizer.bos)},    {"eos", token_json(tokenizer.eos)},
          {"adds_bos", tokenizer.adds_bos},      {"warnings", std::move(warnings)}};
}

Json chat_template_json(const ChatTemplateDescription& chat) {
  using State = ChatTemplateDescription::State;
  const char* state = chat.state == State::none ? "none" : chat.state == State::readable ? "readable" : "unreadable";
  return {{"state", state}, {"reason", text_json(chat.reason)}};
}

template <class T>
Json array_json(const std::vector<T>& values, bool full) {
  if (full || values.size() <= kMostElements) return values;
  const char* type = std::is_same_v<T, bool>          ? "boolean"
                     : std::is_same_v<T, std::string> ? "string"
                     : std::is_same_v<T, double>      ? "number"
                                                      : "integer";
  const std::vector<T> first(values.begin(), values.begin() + kFirstElements);
  return {{"type", type}, {"length", values.size()}, {"first", first}};
}

Json value_json(const Metadata::Value& value, bool full) {
  return std::visit(
      [full](const auto& x) -> Json {
        using T = std::decay_t<decltype(x)>;
        if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
          return x;
        } else {
          return array_json(x, full);
        }
      },
      value);
}

Json metadata_json(const Metadata& metadata, bool full) {
  Json all = Json::object();
  for (const auto& [key, value] : metadata.values()) all.set(key, value_json(value, full));
  return all;
}

Json tensors_json(const Weights& weights) {
  Json list = Json::array();
  for (const auto& [name, tensor] : weights.tensors()) {
    list.push_back({{"name", name}, {"type", tensor.type_name()}, {"shape", tensor.shape}, {"bytes", tensor.bytes()}});
  }
  return list;
}

}  // namespace

std::string show_json(const ModelDescription& model, const ShowJsonOptions& options) {
  Json json = {{"name", model.name},
               {"path", model.weights->path().string()},
               {"files", files_json(model.files)},
               {"bytes", model.file_bytes},
               {"last_used_at", text_json(options.last_used)},
               {"format", model.format},
               {"architecture", model.architecture},
               {"text_part_of", text_json(model.text_part_of)},
               {"runs", model.not_run.empty()},
               {"not_run", text_json(model.not_run)},
               {"parameters", model.parameters},
               {"active_parameters", model.active_parameters},
               {"weight_bytes", model.weight_bytes},
               {"active_bytes", model.active_bytes},
               {"bits_per_weight", bits_per_weight(model.weight_bytes, model.parameters)},
               {"unreadable_tensors", model.unreadable_tensors},
               {"types", types_json(model.types)},
               {"kinds", kinds_json(model.kinds)},
               {"layers", model.layers},
               {"dim", model.dim},
               {"heads", sizes_json(model.heads)},
               {"kv_heads", sizes_json(model.kv_heads)},
               {"head_dim", model.head_dim},
               {"value_dim", model.value_dim},
               {"ffn_dim", sizes_json(model.ffn_dim)},
               {"experts", model.experts},
               {"experts_used", model.experts_used},
               {"vocab_size", model.vocab_size},
               {"context_length", model.context_length},
               {"rope", rope_json(model.rope)},
               {"tokenizer", tokenizer_json(model.tokenizer)},
               {"chat_template", chat_template_json(model.chat_template)},
               {"kv_bytes_per_token", model.kv_bytes_per_token},
               {"default_context", model.default_context},
               {"memory_bytes", model.memory_bytes},
               {"metadata", metadata_json(*model.metadata, options.full_arrays)}};
  if (options.tensors) json.set("tensors", tensors_json(*model.weights));
  // ASCII alone: a terminal acts on some of the characters past it, too.
  return json.text(2, true) + "\n";
}

}  // namespace emelex::cli
