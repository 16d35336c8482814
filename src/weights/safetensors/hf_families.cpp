#include "weights/safetensors/hf_families.h"

#include <algorithm>

#include "base/strings.h"

namespace emelex {
namespace {

constexpr HfModule kLlamaModules[] = {
    {"model.embed_tokens", "token_embd"},
    {"model.norm", "output_norm"},
    {"lm_head", "output"},
    {"model.layers.{}.input_layernorm", "blk.{}.attn_norm"},
    {"model.layers.{}.self_attn.q_proj", "blk.{}.attn_q"},
    {"model.layers.{}.self_attn.k_proj", "blk.{}.attn_k"},
    {"model.layers.{}.self_attn.v_proj", "blk.{}.attn_v"},
    {"model.layers.{}.self_attn.o_proj", "blk.{}.attn_output"},
    {"model.layers.{}.post_attention_layernorm", "blk.{}.ffn_norm"},
    {"model.layers.{}.mlp.gate_proj", "blk.{}.ffn_gate"},
    {"model.layers.{}.mlp.up_proj", "blk.{}.ffn_up"},
    {"model.layers.{}.mlp.down_proj", "blk.{}.ffn_down"},
};

constexpr HfFamily kFamilies[] = {
    {"llama", "llama", kLlamaModules, 2048, {}, {}},
    {"mistral", "llama", kLlamaModules, 131'072, 8, 4096},
};

constexpr std::string_view kNumber = "{}";

// The layer's number in `module` by a pattern with "{}"; nothing unless it matches.
std::optional<std::string_view> layer_number(std::string_view pattern, std::string_view module) {
  const size_t at = pattern.find(kNumber);
  const std::string_view before = pattern.substr(0, at);
  const std::string_view after = pattern.substr(at + kNumber.size());
  if (module.size() <= before.size() + after.size() || !module.starts_with(before) || !module.ends_with(after)) {
    return std::nullopt;
  }
  const std::string_view number = module.substr(before.size(), module.size() - before.size() - after.size());
  const bool digits = std::all_of(number.begin(), number.end(), [](char c) { return c >= '0' && c <= '9'; });
  return digits ? std::optional(number) : std::nullopt;
}

}  // namespace

const HfFamily* find_hf_family(std::string_view model_type) {
  const auto* found = std::find_if(std::begin(kFamilies), std::end(kFamilies),
                                   [&](const HfFamily& family) { return family.model_type == model_type; });
  return found == std::end(kFamilies) ? nullptr : found;
}

std::string hf_family_names() {
  std::string names;
  for (const HfFamily& family : kFamilies) names += str_cat(names.empty() ? "" : ", ", family.model_type);
  return names;
}

namespace {

// `name` of a module by pattern `from`, as pattern `to` has it; nothing unless it matches.
std::optional<std::string> renamed(std::string_view name, std::string_view from, std::string_view to) {
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const std::string_view module = name.substr(0, dot);
  const std::string_view suffix = name.substr(dot);  // ".weight", ".bias"
  const size_t at = to.find(kNumber);
  if (at == std::string_view::npos) return module == from ? std::optional(str_cat(to, suffix)) : std::nullopt;
  const auto number = layer_number(from, module);
  if (!number) return std::nullopt;
  return str_cat(to.substr(0, at), *number, to.substr(at + kNumber.size()), suffix);
}

}  // namespace

std::string gguf_tensor_name(const HfFamily& family, std::string_view name) {
  for (const HfModule& module : family.modules) {
    if (auto found = renamed(name, module.huggingface, module.gguf)) return *std::move(found);
  }
  return std::string(name);
}

std::optional<std::string> hf_tensor_name(const HfFamily& family, std::string_view gguf_name) {
  for (const HfModule& module : family.modules) {
    if (auto found = renamed(gguf_name, module.gguf, module.huggingface)) return found;
  }
  return std::nullopt;
}

}  // namespace emelex
