#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

// What Hugging Face calls a model's modules, and what GGUF does:
// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
namespace emelex {

// One module, or one of every layer: "{}" stands for the layer's number.
struct HfModule {
  std::string_view huggingface;
  std::string_view gguf;
};

// A model_type of config.json. Another family that computes what one of our architectures does is one more entry.
struct HfFamily {
  std::string_view model_type;
  std::string_view architecture;  // general.architecture, and what its metadata keys begin with
  std::span<const HfModule> modules;
  // What transformers takes where config.json says nothing.
  int64_t context_length;
  std::optional<int64_t> n_kv_heads;  // without: as many as heads
  std::optional<int64_t> sliding_window;
};

// The family of that model_type, or nullptr.
const HfFamily* find_hf_family(std::string_view model_type);

// The known model_types, for messages: "llama, mistral".
std::string hf_family_names();

// The other way; nothing for a tensor of no known module.
std::optional<std::string> hf_tensor_name(const HfFamily& family, std::string_view gguf_name);

// "model.layers.3.self_attn.q_proj.weight" → "blk.3.attn_q.weight". A tensor of no known module keeps its name.
std::string gguf_tensor_name(const HfFamily& family, std::string_view name);

}  // namespace emelex
