#include "weights/safetensors/hf_families.h"

#include <algorithm>

#include "base/strings.h"
#include "weights/safetensors/hf_family_keys.h"

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

constexpr HfModule kQwen3Modules[] = {
    {"model.embed_tokens", "token_embd"},
    {"model.norm", "output_norm"},
    {"lm_head", "output"},
    {"model.layers.{}.input_layernorm", "blk.{}.attn_norm"},
    {"model.layers.{}.self_attn.q_proj", "blk.{}.attn_q"},
    {"model.layers.{}.self_attn.k_proj", "blk.{}.attn_k"},
    {"model.layers.{}.self_attn.v_proj", "blk.{}.attn_v"},
    {"model.layers.{}.self_attn.q_norm", "blk.{}.attn_q_norm"},
    {"model.layers.{}.self_attn.k_norm", "blk.{}.attn_k_norm"},
    {"model.layers.{}.self_attn.o_proj", "blk.{}.attn_output"},
    {"model.layers.{}.post_attention_layernorm", "blk.{}.ffn_norm"},
    {"model.layers.{}.mlp.gate_proj", "blk.{}.ffn_gate"},
    {"model.layers.{}.mlp.up_proj", "blk.{}.ffn_up"},
    {"model.layers.{}.mlp.down_proj", "blk.{}.ffn_down"},
};

// A norm before and one after each half of a block; Gemma 2 has none of q and k, OLMo 2 none before.
constexpr HfModule kSandwichModules[] = {
    {"model.embed_tokens", "token_embd"},
    {"model.norm", "output_norm"},
    {"lm_head", "output"},
    {"model.layers.{}.input_layernorm", "blk.{}.attn_norm"},
    {"model.layers.{}.self_attn.q_proj", "blk.{}.attn_q"},
    {"model.layers.{}.self_attn.k_proj", "blk.{}.attn_k"},
    {"model.layers.{}.self_attn.v_proj", "blk.{}.attn_v"},
    {"model.layers.{}.self_attn.q_norm", "blk.{}.attn_q_norm"},
    {"model.layers.{}.self_attn.k_norm", "blk.{}.attn_k_norm"},
    {"model.layers.{}.self_attn.o_proj", "blk.{}.attn_output"},
    {"model.layers.{}.post_attention_layernorm", "blk.{}.post_attention_norm"},
    {"model.layers.{}.pre_feedforward_layernorm", "blk.{}.ffn_norm"},
    {"model.layers.{}.mlp.gate_proj", "blk.{}.ffn_gate"},
    {"model.layers.{}.mlp.up_proj", "blk.{}.ffn_up"},
    {"model.layers.{}.mlp.down_proj", "blk.{}.ffn_down"},
    {"model.layers.{}.post_feedforward_layernorm", "blk.{}.post_ffw_norm"},
};

constexpr HfModule kPhi3Modules[] = {
    {"model.embed_tokens", "token_embd"},
    {"model.norm", "output_norm"},
    {"lm_head", "output"},
    {"model.layers.{}.input_layernorm", "blk.{}.attn_norm"},
    {"model.layers.{}.self_attn.qkv_proj", "blk.{}.attn_qkv"},
    {"model.layers.{}.self_attn.o_proj", "blk.{}.attn_output"},
    {"model.layers.{}.post_attention_layernorm", "blk.{}.ffn_norm"},
    {"model.layers.{}.mlp.gate_up_proj", "blk.{}.ffn_up"},  // gate, then up
    {"model.layers.{}.mlp.down_proj", "blk.{}.ffn_down"},
};

constexpr HfModule kPhiModules[] = {
    {"model.embed_tokens", "token_embd"},
    {"model.final_layernorm", "output_norm"},
    {"lm_head", "output"},
    {"model.layers.{}.input_layernorm", "blk.{}.attn_norm"},
    {"model.layers.{}.self_attn.q_proj", "blk.{}.attn_q"},
    {"model.layers.{}.self_attn.k_proj", "blk.{}.attn_k"},
    {"model.layers.{}.self_attn.v_proj", "blk.{}.attn_v"},
    {"model.layers.{}.self_attn.dense", "blk.{}.attn_output"},
    {"model.layers.{}.mlp.fc1", "blk.{}.ffn_up"},
    {"model.layers.{}.mlp.fc2", "blk.{}.ffn_down"},
};

constexpr HfFamily kFamilies[] = {
    {.model_type = "llama", .architecture = "llama", .modules = kLlamaModules},
    {.model_type = "mistral",
     .architecture = "llama",
     .modules = kLlamaModules,
     .read_more = read_mistral_keys,
     .context_length = 131'072,
     .n_kv_heads = 8},
    {.model_type = "cohere",
     .architecture = "command-r",
     .modules = kLlamaModules,
     .read_more = read_command_r_keys,
     .norm = HfNorm::layer,
     .context_length = 8192,
     .norm_eps = 1e-5,
     .tied = true,
     .rope_of_neighbours = true},
    {.model_type = "gemma2",
     .architecture = "gemma2",
     .modules = kSandwichModules,
     .read_more = read_gemma2_keys,
     .activation = "gelu_pytorch_tanh",
     .norm = HfNorm::rms_less_one,
     .context_length = 8192,
     .n_kv_heads = 4,
     .head_dim = 256,
     .tied = true},
    {.model_type = "gemma3_text",
     .architecture = "gemma3",
     .modules = kSandwichModules,
     .read_more = read_gemma3_keys,
     .activation = "gelu_pytorch_tanh",
     .norm = HfNorm::rms_less_one,
     .context_length = 131'072,
     .n_kv_heads = 4,
     .head_dim = 256,
     .rope_base = 1'000'000.0,
     .tied = true},
    {.model_type = "granite", .architecture = "granite", .modules = kLlamaModules, .read_more = read_granite_keys},
    {.model_type = "olmo2", .architecture = "olmo2", .modules = kSandwichModules, .norm_eps = 1e-5},
    {.model_type = "olmo3",
     .architecture = "olmo2",
     .modules = kSandwichModules,
     .read_more = read_olmo3_keys,
     .norm_eps = 1e-5,
     .rope_base = 500'000.0},
    {.model_type = "phi",
     .architecture = "phi2",
     .modules = kPhiModules,
     .read_more = read_phi_keys,
     .activation = "gelu_new",
     .norm = HfNorm::layer,
     .norm_eps = 1e-5,
     .rotated = 0.5},
    {.model_type = "phi3",
     .architecture = "phi3",
     .modules = kPhi3Modules,
     .read_more = read_phi3_keys,
     .context_length = 4096,
     .norm_eps = 1e-5},
    {.model_type = "qwen2",
     .architecture = "qwen2",
     .modules = kLlamaModules,
     .read_more = read_qwen_keys,
     .context_length = 32'768,
     .n_kv_heads = 32},
    {.model_type = "qwen3",
     .architecture = "qwen3",
     .modules = kQwen3Modules,
     .read_more = read_qwen_keys,
     .context_length = 32'768,
     .n_kv_heads = 32,
     .head_dim = 128},
    {.model_type = "smollm3",
     .architecture = "smollm3",
     .modules = kLlamaModules,
     .read_more = read_smollm3_keys,
     .context_length = 32'768,
     .n_kv_heads = 4,
     .rope_base = 2'000'000.0,
     .tied = true},
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
