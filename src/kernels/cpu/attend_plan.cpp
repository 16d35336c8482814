#include "kernels/cpu/attend_plan.h"

#include <algorithm>

#include "kernels/cpu/kernel_table.h"

namespace emelex::cpu {
namespace {

// Rows of attention that share one pass over the cache; more reuse a loaded block better, fewer spread better over
// threads.
constexpr int kRowsPerTile = 32;

void place_tokens(const StepSequence& sequence, const Rope& rope, AttendPlan& plan) {
  for (int i = 0; i < sequence.count; ++i) {
    const int position = sequence.start + i;
    plan.token_block.push_back(plan.blocks.back()[static_cast<size_t>(position / kBlockTokens)]);
    plan.token_slot.push_back(position % kBlockTokens);
    plan.rope.add(rope, sequence.long_rope, position);
  }
}

void add_tiles(const StepSequence& sequence, const AttentionConfig& config, AttendPlan& plan) {
  const auto number = static_cast<int>(plan.blocks.size()) - 1;
  const int tokens_per_tile = std::max(1, kRowsPerTile / (config.n_heads / config.n_kv_heads));
  for (int i = 0; i < sequence.count; i += tokens_per_tile) {
    const int n_tokens = std::min(tokens_per_tile, sequence.count - i);
    const int position = sequence.start + i;
    const int begin_split = first_seen(position, config.window) / kSplitTokens;
    const int n_splits = (position + n_tokens - 1) / kSplitTokens + 1 - begin_split;
    for (int kv_head = 0; kv_head < config.n_kv_heads; ++kv_head) {
      const auto tile = static_cast<int>(plan.tiles.size());
      plan.tiles.push_back({number, sequence.first + i, n_tokens, position, kv_head, begin_split, n_splits,
                            static_cast<int>(plan.tile_of_split.size())});
      plan.tile_of_split.insert(plan.tile_of_split.end(), static_cast<size_t>(n_splits), tile);
    }
  }
}

}  // namespace

AttendPlan plan_attention(const Step& step, const AttentionConfig& config, const KvMemory& memory, size_t group) {
  const auto& pool = static_cast<const HostKvPool&>(*memory.pools[group]);
  AttendPlan plan(config);
  for (const StepSequence& sequence : step.sequences) {
    auto& pointers = plan.blocks.emplace_back();
    for (const int32_t block : blocks_of(sequence, memory, group))
      pointers.push_back(block < 0 ? nullptr : pool.block(block));
    place_tokens(sequence, config.rope, plan);
    add_tiles(sequence, config, plan);
  }
  return plan;
}

}  // namespace emelex::cpu
