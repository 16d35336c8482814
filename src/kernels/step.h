#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/kv_format.h"

namespace emelex {

// A run of tokens of one sequence inside a Step, at consecutive positions.
struct StepSequence {
  int first;                    // index of its first token in the step
  int count;                    // how many tokens it has there
  int start;                    // position of its first token; tokens before it are in the cache
  std::vector<int32_t> blocks;  // of start + count tokens in order, one group of layers after another (blocks_of)
  bool long_rope = false;       // all its tokens, also those in the cache, are rotated by Rope::long_inv_freq
};

// The flat list of tokens that one forward pass works on, from any number of sequences. Prefill, chunked prefill,
// decode and batched decode differ only in this list.
struct Step {
  std::vector<int32_t> tokens;          // [tokens] ids
  std::vector<StepSequence> sequences;  // in the order of the tokens, covering all of them
  std::vector<int32_t> outputs;         // indices of the tokens whose logits are wanted

  int size() const { return static_cast<int>(tokens.size()); }
};

// Graph nodes keep the step alive until they have run.
using StepPtr = std::shared_ptr<const Step>;

}  // namespace emelex
