#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <variant>
#include <vector>

#include "kernels/step.h"

// The memory that layers have of the tokens before, described by the layers (Block::memory) and made by a backend.
// Which sequence owns which block is decided by KvCache (cache/kv_cache.h).

namespace emelex {

// Keys and values of each token.
struct KvSpec {
  int n_kv_heads = 0;
  int head_dim = 0;
  int window = 0;  // a token attends to so many positions, its own among them; 0: to all before it

  bool operator==(const KvSpec&) const = default;
};

// What a layer has memory for. Other kinds of layers will add alternatives.
using LayerMemory = std::variant<KvSpec>;

// The memory of a group of layers with equal specs: numbered blocks, each with the keys and values of kBlockTokens
// tokens in all layers of the group. Each backend has its own form of it.
class KvPool {
 public:
  virtual ~KvPool() = default;
  // Makes at least blocks 0 … wanted-1 exist, and at most `most` blocks. Returns how many exist now; never shrinks.
  // Throws std::bad_alloc or Error(out_of_memory); the blocks that existed keep what they hold.
  virtual int grow(int wanted, int most) = 0;
  virtual int64_t block_bytes() const = 0;
  // Copies the first `n_tokens` tokens of a block, after all work already given to the backend.
  virtual void copy_block(int from, int to, int n_tokens) = 0;
  // To be called after a step has failed. False when the pool has lost what it held; then no block exists any more.
  virtual bool recover() noexcept { return true; }
};

// Which of a pool's layers has the keys and values of one of the model's layers.
struct PoolLayer {
  int group;  // the number of the pool
  int layer;  // its number among the layers of the group
};

// All of a model's memory.
struct KvMemory {
  std::vector<std::unique_ptr<KvPool>> pools;  // [groups]
  std::vector<PoolLayer> layers;               // [layers]
};

// A sequence's blocks in one of the groups: StepSequence::blocks has those of all groups, one group after another. -1:
// the block was dropped, because it is before the window of the group's layers.
inline std::span<const int32_t> blocks_of(const StepSequence& sequence, const KvMemory& memory, size_t group) {
  const size_t n = sequence.blocks.size() / memory.pools.size();
  return std::span(sequence.blocks).subspan(group * n, n);
}

}  // namespace emelex
