#pragma once

#include <cstdint>
#include <string>

#include "models/model.h"

namespace emelex {

// What a model with one full sequence takes, in bytes.
struct MemoryNeed {
  int64_t weights = 0;
  int64_t cache_per_token = 0;
  int64_t work = 0;  // activations and the program itself, by estimate_work

  int64_t with_context(int tokens) const { return weights + work + cache_per_token * tokens; }
  // Tokens that fit into a limit, in whole blocks of the cache; 0: not even the weights do.
  int64_t tokens_within(int64_t limit) const;
};

// Bytes that computing takes beside weights and cache, for prompts in chunks of that many tokens. An upper bound as
// measured, not a promise of MLX's.
int64_t estimate_work(const ModelConfig& config, int chunk);

// The same for the cuda kernels, which reuse a layer's memory in the next.
int64_t estimate_cuda_work(const ModelConfig& config, int chunk);

// Throws Error(out_of_memory) with all numbers when a model with a sequence of `context` tokens would take more than
// `limit` bytes. `name` is the model's, `where` the limit's: "memory_limit".
void check_memory_limit(const MemoryNeed& need, int context, int64_t limit, const std::string& name,
                        const std::string& where);

}  // namespace emelex
