#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/name_table.h"
#include "weights/rope_pairs.h"

// What Hugging Face calls a model's modules, and what GGUF does:
// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
namespace emelex {

// One module, or one of every layer: "{}" stands for the layer's number, and a second one for an expert's. Where the
// name in GGUF ends in ".weight" or ".bias", that in Hugging Face's files is a tensor's and not a module's.
struct HfModule {
  std::string_view huggingface;
  std::string_view gguf;
  bool transposed = false;  // stored as [columns, rows], where the numbers are plain
};

class ConfigObject;
class HfKeys;

// Which modules have biases, by their names in GGUF without the layer: those of `always`, and what the keys of
// config.json say that the family has.
struct HfBiases {
  std::string_view always = {};
  std::optional<bool> attention_bias = std::nullopt;  // what a missing key means; nothing: there is no such key
  std::optional<bool> mlp_bias = std::nullopt;
};

enum class HfNorm {
  rms,
  rms_less_one,  // RMSNorm whose weights are stored less 1, as Gemma's; GGUF files have them whole
  layer,
};

// Which form of config.json says how positions are told (hf_rope.cpp).
enum class HfRopeForm {
  flat,    // one object for all layers
  nested,  // one for each type of layer
  phi3,    // flat, of LongRoPE alone
};

// A model_type of config.json, described and registered by a file of src/models. Another family that computes what one
// of our architectures does is one more.
struct HfFamily {
  std::string_view model_type;
  std::string_view architecture;  // general.architecture, and what its metadata keys begin with
  std::vector<HfModule> modules;
  HfBiases biases = {.attention_bias = false};
  // Keys that other families do not have; nullptr: none.
  void (*read_more)(const ConfigObject& root, HfKeys& keys) = nullptr;
  std::string_view activation = "silu";  // the only one that is computed
  HfNorm norm = HfNorm::rms;
  // What transformers takes where config.json says nothing.
  int64_t context_length = 2048;
  std::optional<int64_t> n_kv_heads = std::nullopt;  // without: as many as heads
  bool null_kv_heads = true;                         // null stands for as many as heads; else it is refused
  std::optional<int64_t> head_dim = std::nullopt;    // without: hidden_size / heads, as for null, which is refused else
  double norm_eps = 1e-6;
  double rope_base = 10'000.0;
  double rotated = 1.0;  // part of a head that RoPE turns
  HfRopeForm rope_form = HfRopeForm::flat;
  bool partial_rope = false;              // partial_rotary_factor counts; other families turn all of a head
  double local_rope_base = 10'000.0;      // of layers with a window, where the form is nested
  bool has_local_base_key = false;        // which rope_local_base_freq says
  std::string_view rope_parameters = {};  // JSON, where config.json has none
  bool tied = false;                      // the output is the embedding
  // Where that is left out; without: config.json must say it.
  std::optional<int64_t> n_heads = std::nullopt;
  std::optional<int64_t> vocab_size = std::nullopt;
  bool expert_layers = false;  // decoder_sparse_step and mlp_only_layers say which layers have experts
  // Reads pictures as well, which we do not: the text model is described by text_config, and its tensors stand under
  // "language_model.".
  bool has_text_part = false;
  RopePairs rope_pairs = RopePairs::halves;
};

// The families that folders are read by: those of which a program has the files, so all with emelex::models and none
// without.
const NameTable<HfFamily>& hf_families();

// A static object of this adds a family to them.
struct RegisterHfFamily {
  explicit RegisterHfFamily(const HfFamily& family);
};

// The family of that model_type, or nullptr.
const HfFamily* find_hf_family(std::string_view model_type);

// The other way; nothing for a tensor of no known module.
std::optional<std::string> hf_tensor_name(const HfFamily& family, std::string_view gguf_name);

// Whether that tensor of Hugging Face's is a matrix stored as [columns, rows].
bool is_transposed(const HfFamily& family, std::string_view name);

// The name within the text part of a family that has one: "language_model.model.norm.weight" → "model.norm.weight";
// nothing for a tensor that is none of it. Others' names stay.
std::optional<std::string> text_part_name(const HfFamily& family, std::string_view name);

// "model.layers.3.self_attn.q_proj.weight" → "blk.3.attn_q.weight", also without "model.", as a model without its
// output is saved. Nothing for a tensor of no known module.
std::optional<std::string> gguf_tensor_name(const HfFamily& family, std::string_view name);

}  // namespace emelex
