#pragma once

#include <initializer_list>
#include <vector>

#include "weights/safetensors/hf_families.h"

// Lists of modules that several families share, for HfFamily::modules.
namespace emelex {

// Embeddings, output, and in each layer a norm, then attention with q, k and v apart. And `more`.
std::vector<HfModule> attention_modules(std::initializer_list<HfModule> more);

// Llama's: a norm before each half of a block, q, k and v apart, an MLP with a gate. And `more`.
std::vector<HfModule> llama_modules(std::initializer_list<HfModule> more = {});

// A norm before and one after each half of a block, and norms of q and k. Gemma 2 lacks these, OLMo 2 those before.
std::vector<HfModule> sandwich_modules();

}  // namespace emelex
