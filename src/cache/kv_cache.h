#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "kernels/route.h"

namespace emelex {

using SequenceId = int;

// Tokens before a window that are kept, so that as many of the last can be taken back, as a chat does whose template
// writes an answer in other words.
constexpr int kTrimRoom = 4 * kBlockTokens;

// Which blocks of a KvStore hold which sequence. Blocks carry reference counts: a forked sequence shares those of the
// one it came from, and gets a copy of the last when it writes there. Of layers with a window a sequence keeps the
// blocks that its next tokens see, and some before them. Belongs to the engine's thread.
class KvCache {
 public:
  // At most `max_blocks` blocks are in use at once. `window` is the largest of all windowed layers; 0 keeps all of
  // them.
  KvCache(std::unique_ptr<KvStore> store, int max_blocks, int window = 0)
      : store_(std::move(store)), max_blocks_(max_blocks), window_(window) {}

  SequenceId create();
  // A new sequence that begins as `id` does.
  SequenceId fork(SequenceId id);
  void release(SequenceId id) noexcept;

  int length(SequenceId id) const { return sequences_.at(id).length; }

  // Drops all tokens from `length` on. Gives the length that is left: 0 where the tokens after it would see some of a
  // window that are gone, more than kTrimRoom of them having been dropped.
  int trim(SequenceId id, int length) noexcept;

  // Makes room for `count` tokens after the sequence's end and adds them to it, as the entry of a step whose tokens
  // begin at `first`. Throws Error(out_of_memory), with the sequence unchanged, when the blocks are used up. The caller
  // trims the sequence again when the step fails.
  StepSequence extend(SequenceId id, int first, int count);

  // To be called after a step has failed. False when the store has lost what it held; then all sequences are empty.
  bool recover() noexcept;

  KvStore& store() { return *store_; }

 private:
  struct Sequence {
    int length = 0;
    std::vector<int32_t> blocks;
    int past = 0;  // its first blocks, whose windowed layers it does not have any more
  };

  void make_free(int count);  // at least that many in free_
  int32_t take_block();       // one of free_
  void copy_last_block(Sequence& sequence);
  void drop_block(int32_t block, bool windowed) noexcept;
  void drop_windowed(int32_t block) noexcept;
  void pass_window(Sequence& sequence);

  std::unique_ptr<KvStore> store_;
  int max_blocks_;
  std::map<SequenceId, Sequence> sequences_;
  SequenceId next_id_ = 0;
  int window_;
  int n_windowed_ = 0;                    // blocks with memory for windowed layers
  std::vector<int> references_;           // [blocks]
  std::vector<int> windowed_references_;  // [blocks], of sequences that have the windowed layers, too
  std::vector<int32_t> free_;
};

}  // namespace emelex
