#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "kernels/route.h"

namespace emelex {

using SequenceId = int;

// Which blocks of a KvStore hold which sequence. Blocks carry reference counts: a forked sequence shares those of the
// one it came from, and gets a copy of the last when it writes there. Belongs to the engine's thread.
class KvCache {
 public:
  // At most `max_blocks` blocks are in use at once.
  KvCache(std::unique_ptr<KvStore> store, int max_blocks) : store_(std::move(store)), max_blocks_(max_blocks) {}

  SequenceId create();
  // A new sequence that begins as `id` does.
  SequenceId fork(SequenceId id);
  void release(SequenceId id);

  int length(SequenceId id) const { return sequences_.at(id).length; }

  // Drops all tokens from `length` on.
  void trim(SequenceId id, int length);

  // Makes room for `count` tokens after the sequence's end and adds them to it, as the entry of a step whose tokens
  // begin at `first`. Throws Error(out_of_memory), with the sequence unchanged, when the blocks are used up.
  StepSequence extend(SequenceId id, int first, int count);

  KvStore& store() { return *store_; }

 private:
  struct Sequence {
    int length = 0;
    std::vector<int32_t> blocks;
  };

  void make_free(int count);  // at least that many in free_
  int32_t take_block();       // one of free_
  void drop_block(int32_t block);

  std::unique_ptr<KvStore> store_;
  int max_blocks_;
  std::map<SequenceId, Sequence> sequences_;
  SequenceId next_id_ = 0;
  std::vector<int> references_;  // [blocks]
  std::vector<int32_t> free_;
};

}  // namespace emelex
