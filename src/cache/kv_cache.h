#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "cache/prefix_tree.h"
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
// them.
//
// Sequences that entered a scope share what they have in common: the cache remembers their blocks in a tree
// (PrefixTree), while they are in use and after their release, and reuse() finds them. What only the tree holds is
// given up when its room is wanted, the least recently used first. Belongs to the engine's thread.
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

  // Shares the sequence's tokens with all others of the same scope from now on. Only for a sequence without tokens.
  // Scopes differ in anything that keys and values depend on beside the tokens before them.
  void enter(SequenceId id, std::string_view scope);
  // Lets a sequence that has entered a scope begin with what is remembered of `tokens`, which begin with the tokens
  // that it holds already. → its length now
  int reuse(SequenceId id, std::span<const int32_t> tokens);
  // What extend() made room for was computed, and is `tokens`. To be called after each extend() of a sequence that has
  // entered a scope, unless it is trimmed again. Without memory for it, less is shared.
  void computed(SequenceId id, std::span<const int32_t> tokens) noexcept;
  // The node that a sequence's next whole block will be a child of, as a name: sequences with equal names that go on
  // with equal tokens compute the same. nullptr where it has not entered a scope.
  const void* place(SequenceId id) const { return sequences_.at(id).node; }

  // What the tree alone holds takes at most `bytes`.
  void set_most_kept(int64_t bytes);
  int64_t kept_bytes() const { return kept_bytes_; }
  // Gives up all that the tree alone holds.
  void forget() noexcept { give_up(0); }
  // Whether `count` more tokens fit, with what is remembered given up.
  bool fits(SequenceId id, int count) const;

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
    std::vector<int> references;   // [blocks that exist], of sequences and of the tree
    std::vector<uint8_t> in_tree;  // [blocks that exist] 1: one of the references is the tree's
    std::vector<int32_t> free;
    int kept = 0;  // blocks that the tree alone holds
  };
  // A sequence's blocks in a group; -1 before number first_kept.
  struct Held {
    std::vector<int32_t> blocks;
    int first_kept = 0;
  };
  struct Sequence {
    int length = 0;
    std::vector<Held> held;            // [groups]
    std::vector<int32_t> tokens;       // that were computed, of a sequence in a scope
    PrefixTree::Node* node = nullptr;  // of its last whole block in the tree; nullptr: it has entered no scope
    int whole = 0;                     // blocks in the tree
  };
  using Node = PrefixTree::Node;

  // `owned`: as if the sequence had its last block alone
  bool fits(const Sequence& sequence, int count, bool owned = false) const;
  int blocks_needed(size_t group, const Sequence& sequence, int count, bool owned = false) const;
  bool copies_last(size_t group, const Sequence& sequence) const;
  int blocks_missing(size_t group, const Sequence& sequence, int count, bool owned = false) const;
  int blocks_to_grow(size_t group, const Sequence& sequence, int count, bool owned = false) const;
  void make_free(const Sequence& sequence, int count);
  int grow(size_t group, int missing, int64_t spare);
  void copy_last_block(size_t group, Sequence& sequence);
  int32_t take_block(size_t group) noexcept;
  void drop_block(size_t group, int32_t block) noexcept;
  void pass_window(size_t group, Sequence& sequence) noexcept;

  // shared_prefixes.cpp
  struct Found;
  Found find(const Sequence& sequence, std::span<const int32_t> tokens);
  static int32_t block_of(const Sequence& sequence, const Found& found, size_t group, int block);
  bool sees_all(const Sequence& sequence, const Found& found, int length) const;
  void take(Sequence& sequence, const Found& found, std::span<const int32_t> tokens);
  void keep_from(size_t group, Held& held, int first) noexcept;
  void remember_block(Sequence& sequence);
  void remember_rest(Sequence& sequence) noexcept;
  Node* last_in_tree(const Sequence& sequence) const;
  void give_to_tree(Node* node, Sequence& sequence) noexcept;
  void leave(Sequence& sequence, int whole) noexcept;
  void hold(size_t group, int32_t block) noexcept;
  void count_kept(Group& group, int more) noexcept;
  void drop_from_tree(size_t group, Node* node) noexcept;
  void pass_in_tree(size_t group, const Sequence& sequence, int block) noexcept;
  void forget(Node* node) noexcept;
  template <class Enough>
  void give_up_until(const Enough& enough) noexcept;
  void give_up_blocks(size_t group, size_t wanted) noexcept;
  void give_up(int64_t most) noexcept;

  KvMemory memory_;
  std::vector<Group> groups_;
  int64_t max_bytes_;
  int64_t bytes_ = 0;  // of all blocks that exist
  PrefixTree tree_;
  int64_t kept_bytes_ = 0;  // of the blocks that the tree alone holds
  int64_t most_kept_ = kNoLimit;
  std::map<SequenceId, Sequence> sequences_;
  SequenceId next_id_ = 0;
};

}  // namespace emelex
