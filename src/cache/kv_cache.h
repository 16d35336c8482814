#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <vector>

#include "kernels/kv_memory.h"
#include "kernels/step.h"

namespace emelex {

using SequenceId = int;

// Tokens before a window that are kept, so that as many of the last can be taken back, as a chat does whose template
// writes an answer in other words.
constexpr int kTrimRoom = 4 * kBlockTokens;

// Makes the memory of `n_layers` layers with equal specs.
using PoolMaker = std::function<std::unique_ptr<KvPool>(const KvSpec& spec, int n_layers)>;

// A model's KV cache: which blocks hold which sequence. Layers with equal specs form a group with memory of its own.
// Blocks carry reference counts: a forked sequence shares those of the one it came from, and gets a copy of the last
// when it writes there. In groups with a window a sequence keeps the blocks that its next tokens see, and some before
// them. Belongs to the engine's thread.
class KvCache {
 public:
  static constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();

  // `layers`: what each layer needs. At most `max_bytes` are taken.
  KvCache(const std::vector<LayerMemory>& layers, const PoolMaker& make_pool, int64_t max_bytes = kNoLimit);

  SequenceId create();
  // A new sequence that begins as `id` does.
  SequenceId fork(SequenceId id);
  void release(SequenceId id) noexcept;

  int length(SequenceId id) const { return sequences_.at(id).length; }

  // Drops all tokens from `length` on. Returns the length that is left: 0 where the tokens after it would see some of a
  // window that are gone, more than kTrimRoom of them having been dropped.
  int trim(SequenceId id, int length) noexcept;

  // Makes room for `count` tokens after the sequence's end and adds them to it, as the entry of a step whose tokens
  // begin at `first`. Throws Error(out_of_memory), with the sequence unchanged, when the memory is used up. The caller
  // trims the sequence again when the step fails.
  StepSequence extend(SequenceId id, int first, int count);

  // To be called after a step has failed. False when the memory has lost what it held; then all sequences are empty.
  bool recover() noexcept;

  // For Backend::prepare.
  const KvMemory& memory() const { return memory_; }

  // Bytes that a token takes, as long as it is in no group's past.
  int64_t bytes_per_token() const;
  // The most that one sequence of so many tokens takes, if it is extended by at most `chunk` tokens at a time.
  int64_t bytes_for(int64_t tokens, int chunk) const;
  void set_max_bytes(int64_t max_bytes) { max_bytes_ = max_bytes; }

 private:
  // Layers with equal specs.
  struct Group {
    int window;
    int64_t block_bytes;
    std::vector<int> references;  // [blocks that exist]
    std::vector<int32_t> free;
  };
  // A sequence's blocks in a group; -1 before number first_kept.
  struct Held {
    std::vector<int32_t> blocks;
    int first_kept = 0;
  };
  struct Sequence {
    int length = 0;
    std::vector<Held> held;  // [groups]
  };

  bool fits(const Sequence& sequence, int count) const;
  int blocks_needed(size_t group, const Sequence& sequence, int count) const;
  bool copies_last(size_t group, const Sequence& sequence) const;
  int blocks_missing(size_t group, const Sequence& sequence, int count) const;
  void make_free(const Sequence& sequence, int count);
  int grow(size_t group, int missing, int64_t spare);
  void copy_last_block(size_t group, Sequence& sequence);
  int32_t take_block(size_t group) noexcept;
  void drop_block(size_t group, int32_t block) noexcept;
  void pass_window(size_t group, Sequence& sequence) noexcept;

  KvMemory memory_;
  std::vector<Group> groups_;
  int64_t max_bytes_;
  int64_t bytes_ = 0;  // of all blocks that exist
  std::map<SequenceId, Sequence> sequences_;
  SequenceId next_id_ = 0;
};

}  // namespace emelex
