#include "weights/safetensors/hf_families.h"

#include <algorithm>
#include <vector>

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

constexpr HfModule kMixtralModules[] = {
    {"model.embed_tokens", "token_embd"},
    {"model.norm", "output_norm"},
    {"lm_head", "output"},
    {"model.layers.{}.input_layernorm", "blk.{}.attn_norm"},
    {"model.layers.{}.self_attn.q_proj", "blk.{}.attn_q"},
    {"model.layers.{}.self_attn.k_proj", "blk.{}.attn_k"},
    {"model.layers.{}.self_attn.v_proj", "blk.{}.attn_v"},
    {"model.layers.{}.self_attn.o_proj", "blk.{}.attn_output"},
    {"model.layers.{}.post_attention_layernorm", "blk.{}.ffn_norm"},
    {"model.layers.{}.block_sparse_moe.gate", "blk.{}.ffn_gate_inp"},
    {"model.layers.{}.block_sparse_moe.experts.{}.w1", "blk.{}.ffn_gate.{}"},
    {"model.layers.{}.block_sparse_moe.experts.{}.w3", "blk.{}.ffn_up.{}"},
    {"model.layers.{}.block_sparse_moe.experts.{}.w2", "blk.{}.ffn_down.{}"},
    // as mlx-lm writes them
    {"model.layers.{}.block_sparse_moe.switch_mlp.gate_proj", "blk.{}.ffn_gate_exps"},
    {"model.layers.{}.block_sparse_moe.switch_mlp.up_proj", "blk.{}.ffn_up_exps"},
    {"model.layers.{}.block_sparse_moe.switch_mlp.down_proj", "blk.{}.ffn_down_exps"},
    // as transformers holds them, which it may write as well
    {"model.layers.{}.mlp.gate", "blk.{}.ffn_gate_inp"},
    {"model.layers.{}.mlp.experts.gate_up_proj", "blk.{}.ffn_gate_up_exps.weight"},
    {"model.layers.{}.mlp.experts.down_proj", "blk.{}.ffn_down_exps.weight"},
};

constexpr HfModule kQwen3MoeModules[] = {
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
    {"model.layers.{}.mlp.gate_proj", "blk.{}.ffn_gate"},  // of layers without experts
    {"model.layers.{}.mlp.up_proj", "blk.{}.ffn_up"},
    {"model.layers.{}.mlp.down_proj", "blk.{}.ffn_down"},
    {"model.layers.{}.mlp.gate", "blk.{}.ffn_gate_inp"},
    {"model.layers.{}.mlp.experts.{}.gate_proj", "blk.{}.ffn_gate.{}"},
    {"model.layers.{}.mlp.experts.{}.up_proj", "blk.{}.ffn_up.{}"},
    {"model.layers.{}.mlp.experts.{}.down_proj", "blk.{}.ffn_down.{}"},
    // as mlx-lm writes them
    {"model.layers.{}.mlp.switch_mlp.gate_proj", "blk.{}.ffn_gate_exps"},
    {"model.layers.{}.mlp.switch_mlp.up_proj", "blk.{}.ffn_up_exps"},
    {"model.layers.{}.mlp.switch_mlp.down_proj", "blk.{}.ffn_down_exps"},
    // as transformers holds them, which it may write as well
    {"model.layers.{}.mlp.experts.gate_up_proj", "blk.{}.ffn_gate_up_exps.weight"},
    {"model.layers.{}.mlp.experts.down_proj", "blk.{}.ffn_down_exps.weight"},
};

constexpr HfModule kGptOssModules[] = {
    {"model.embed_tokens", "token_embd"},
    {"model.norm", "output_norm"},
    {"lm_head", "output"},
    {"model.layers.{}.input_layernorm", "blk.{}.attn_norm"},
    {"model.layers.{}.self_attn.q_proj", "blk.{}.attn_q"},
    {"model.layers.{}.self_attn.k_proj", "blk.{}.attn_k"},
    {"model.layers.{}.self_attn.v_proj", "blk.{}.attn_v"},
    {"model.layers.{}.self_attn.o_proj", "blk.{}.attn_output"},
    {"model.layers.{}.self_attn.sinks", "blk.{}.attn_sinks.weight"},
    {"model.layers.{}.post_attention_layernorm", "blk.{}.post_attention_norm"},
    {"model.layers.{}.mlp.router", "blk.{}.ffn_gate_inp"},
    // as mlx-lm writes them, and we: of several names for a tensor the first is written
    {"model.layers.{}.mlp.experts.gate_proj", "blk.{}.ffn_gate_exps"},
    {"model.layers.{}.mlp.experts.up_proj", "blk.{}.ffn_up_exps"},
    {"model.layers.{}.mlp.experts.down_proj", "blk.{}.ffn_down_exps"},
    // as transformers does
    {"model.layers.{}.mlp.experts.gate_up_proj", "blk.{}.ffn_gate_up_pairs.weight", true},
    {"model.layers.{}.mlp.experts.gate_up_proj_bias", "blk.{}.ffn_gate_up_pairs.bias"},
    {"model.layers.{}.mlp.experts.down_proj", "blk.{}.ffn_down_exps.weight", true},
    {"model.layers.{}.mlp.experts.down_proj_bias", "blk.{}.ffn_down_exps.bias"},
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
    {.model_type = "mixtral",
     .architecture = "llama",
     .modules = kMixtralModules,
     .read_more = read_mixtral_keys,
     .context_length = 131'072,
     .n_kv_heads = 8,
     .norm_eps = 1e-5,
     .rope_base = 1'000'000.0},
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
    {.model_type = "gemma3",
     .architecture = "gemma3",
     .modules = kSandwichModules,
     .read_more = read_gemma3_keys,
     .activation = "gelu_pytorch_tanh",
     .norm = HfNorm::rms_less_one,
     .context_length = 131'072,
     .n_kv_heads = 4,
     .head_dim = 256,
     .rope_base = 1'000'000.0,
     .tied = true,
     .n_heads = 8,
     .vocab_size = 262'208,
     .has_text_part = true},
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
    {.model_type = "gpt_oss",
     .architecture = "gpt-oss",
     .modules = kGptOssModules,
     .read_more = read_gpt_oss_keys,
     .context_length = 131'072,
     .n_kv_heads = 8,
     .head_dim = 64,
     .norm_eps = 1e-5,
     .rope_base = 150'000.0},
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
    {.model_type = "qwen3_moe",
     .architecture = "qwen3moe",
     .modules = kQwen3MoeModules,
     .read_more = read_qwen3_moe_keys,
     .context_length = 32'768,
     .n_kv_heads = 4},
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

// What stands in `text` for each "{}" of a pattern, which must be numbers; nothing unless it matches.
std::optional<std::vector<std::string_view>> numbers_in(std::string_view pattern, std::string_view text) {
  std::vector<std::string_view> numbers;
  while (true) {
    const size_t at = pattern.find(kNumber);
    const std::string_view before = pattern.substr(0, at);
    if (!text.starts_with(before)) return std::nullopt;
    text.remove_prefix(before.size());
    if (at == std::string_view::npos) return text.empty() ? std::optional(numbers) : std::nullopt;
    pattern.remove_prefix(at + kNumber.size());
    const size_t end = std::min(text.find_first_not_of("0123456789"), text.size());
    if (end == 0) return std::nullopt;
    numbers.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
}

// The pattern with those numbers.
std::string with_numbers(std::string_view pattern, const std::vector<std::string_view>& numbers) {
  std::string text;
  for (const std::string_view number : numbers) {
    const size_t at = pattern.find(kNumber);
    text += str_cat(pattern.substr(0, at), number);
    pattern.remove_prefix(at + kNumber.size());
  }
  return text + std::string(pattern);
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

// `name` by pattern `from`, as pattern `to` has it; nothing unless it matches. Of a module's tensor the pattern is
// without the suffix: ".weight", ".bias".
std::optional<std::string> renamed(std::string_view name, std::string_view from, std::string_view to, bool module) {
  const size_t dot = module ? name.rfind('.') : name.size();
  if (dot == std::string_view::npos) return std::nullopt;
  const auto numbers = numbers_in(from, name.substr(0, dot));
  return numbers ? std::optional(with_numbers(to, *numbers) + std::string(name.substr(dot))) : std::nullopt;
}

bool is_module(const HfModule& module) { return !module.gguf.ends_with(".weight") && !module.gguf.ends_with(".bias"); }

}  // namespace

std::optional<std::string> text_part_name(const HfFamily& family, std::string_view name) {
  if (!family.has_text_part) return std::string(name);
  constexpr std::string_view kPart = "language_model.";
  if (name.starts_with(kPart)) return std::string(name.substr(kPart.size()));
  if (name.starts_with("lm_head.")) return std::string(name);
  // As transformers holds them, which it may write as well.
  constexpr std::string_view kHeld = "model.language_model.";
  if (name.starts_with(kHeld)) return "model." + std::string(name.substr(kHeld.size()));
  return std::nullopt;
}

std::string gguf_tensor_name(const HfFamily& family, std::string_view name) {
  for (const HfModule& module : family.modules) {
    if (auto found = renamed(name, module.huggingface, module.gguf, is_module(module))) return *std::move(found);
  }
  return std::string(name);
}

bool is_transposed(const HfFamily& family, std::string_view name) {
  return std::any_of(family.modules.begin(), family.modules.end(), [&](const HfModule& module) {
    return module.transposed && renamed(name, module.huggingface, module.gguf, is_module(module));
  });
}

std::optional<std::string> hf_tensor_name(const HfFamily& family, std::string_view gguf_name) {
  for (const HfModule& module : family.modules) {
    if (auto found = renamed(gguf_name, module.gguf, module.huggingface, is_module(module))) return found;
  }
  return std::nullopt;
}

}  // namespace emelex
