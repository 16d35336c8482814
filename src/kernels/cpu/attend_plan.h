#pragma once

#include <vector>

#include "kernels/attention.h"
#include "kernels/cpu/host_kv_pool.h"
#include "kernels/cpu/rope_table.h"
#include "kernels/step.h"

namespace emelex::cpu {

// Some consecutive tokens of a sequence, for one kv head.
struct AttendTile {
  int sequence;
  int token;  // index of the first in the step
  int n_tokens;
  int first_position;
  int kv_head;
  int begin_split;  // the first that the tile's tokens see
  int n_splits;
  int first_split;  // splits of the tiles before it
};

// How a step's attention is shared out, which is the same in all layers with equal configurations.
struct AttendPlan {
  explicit AttendPlan(const AttentionConfig& config) : rope(config.rope.dim) {}

  std::vector<std::vector<std::byte*>> blocks;  // of each sequence; nullptr: dropped
  std::vector<std::byte*> token_block;          // where each token's k and v go
  std::vector<int> token_slot;
  RopeTable rope;
  std::vector<AttendTile> tiles;
  std::vector<int> tile_of_split;  // [all splits of all tiles]
};

// `group`: which of the memory's pools has the layers.
AttendPlan plan_attention(const Step& step, const AttentionConfig& config, const KvMemory& memory, size_t group);

}  // namespace emelex::cpu
