#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "models/model.h"

namespace emelex {

// What a model with one sequence takes, in bytes.
struct MemoryNeed {
  int64_t weights = 0;
  int64_t work = 0;                              // activations and the program itself, by estimate_work
  std::function<int64_t(int64_t tokens)> cache;  // of a sequence of so many tokens

  int64_t with_context(int64_t tokens) const { return weights + work + cache(tokens); }
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
