#pragma once

#include <memory>
#include <string_view>

#include "base/name_table.h"
#include "models/model.h"
#include "models/unread.h"
#include "weights/rope_pairs.h"
#include "weights/weights.h"

namespace emelex {

// What attention may have biases of, in most architectures.
inline constexpr std::string_view kAttentionBiases = "attn_q attn_k attn_v attn_qkv attn_output";
// And with an MLP's.
inline constexpr std::string_view kBlockBiases = "attn_q attn_k attn_v attn_qkv attn_output ffn_gate ffn_up ffn_down";

// Which tensors of frequencies llama.cpp reads of an architecture's GGUF files. It refuses a file that has others.
enum class RopeTensors {
  none,
  factors,  // LongRoPE's rope_factors_short and rope_factors_long
  any,      // those where rope.scaling.type is longrope, else Llama 3.1's rope_freqs
};

// What GGUF's general.architecture names, described and registered by the file of its family.
struct Architecture {
  std::string_view name;
  RopePairs rope_pairs;  // in GGUF files, which do not say it
  BiasRules biases;
  bool needs_output = false;  // whether llama.cpp refuses a GGUF file without output.weight
  bool partial_rope = false;  // whether rope.dimension_count may be less than a head
  RopeTensors rope_tensors = RopeTensors::none;
  bool one_rope_scale = false;  // llama.cpp scales layers with a window by rope.scaling.attn_factor, too
  std::unique_ptr<Model> (*make)(const ModelInput& source);
};

// All that a program has: those of every file in this folder.
const NameTable<Architecture>& architectures();

// A static object of this adds one to them.
struct RegisterArchitecture {
  explicit RegisterArchitecture(const Architecture& architecture);
};

// The one that the file's general.architecture names. Throws as check_architecture does.
const Architecture& find_architecture(const Metadata& metadata);

// How RoPE pairs the values of a head in these weights: as the folder's configuration says, else as the architecture's
// GGUF files. Throws as
// check_architecture does.
RopePairs rope_pairs(const Weights& weights);

}  // namespace emelex
