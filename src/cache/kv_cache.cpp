#include "cache/kv_cache.h"

#include <algorithm>
#include <new>
#include <utility>

#include "base/strings.h"
#include "cache/window_blocks.h"
#include "emelex/error.h"

namespace emelex {
namespace {

constexpr int kMostBlocks = 1 << 24;  // of a group, so that its tokens are counted in int

}  // namespace

KvCache::KvCache(const std::vector<LayerMemory>& layers, const PoolMaker& make_pool, int64_t max_bytes)
    : max_bytes_(max_bytes) {
  std::vector<std::pair<KvSpec, int>> specs;  // and how many layers have it
  for (const LayerMemory& layer : layers) {
    const KvSpec& spec = std::get<KvSpec>(layer);
    auto group = std::find_if(specs.begin(), specs.end(), [&](const auto& known) { return known.first == spec; });
    if (group == specs.end()) group = specs.insert(specs.end(), {spec, 0});
    memory_.layers.push_back({static_cast<int>(group - specs.begin()), group->second++});
  }
  for (const auto& [spec, n_layers] : specs) {
    const auto& pool = memory_.pools.emplace_back(make_pool(spec, n_layers));
    groups_.push_back({spec.window, pool->block_bytes(), {}, {}, {}});
  }
}

SequenceId KvCache::create() {
  sequences_[next_id_].held.resize(groups_.size());
  return next_id_++;
}

SequenceId KvCache::fork(SequenceId id) {
  const Sequence& copy = sequences_.emplace(next_id_, sequences_.at(id)).first->second;
  for (size_t g = 0; g < groups_.size(); ++g) {
    for (const int32_t block : copy.held[g].blocks) {
      if (block >= 0) hold(g, block);
    }
  }
  if (copy.node != nullptr) ++copy.node->users;
  return next_id_++;
}

void KvCache::release(SequenceId id) noexcept {
  Sequence& s = sequences_.at(id);
  if (s.node != nullptr) remember_rest(s);
  trim(id, 0);
  if (s.node != nullptr) {
    --s.node->users;
    tree_.drop_empty(s.node);
  }
  sequences_.erase(id);
}

int KvCache::trim(SequenceId id, int length) noexcept {
  Sequence& s = sequences_.at(id);
  if (length >= s.length) return s.length;
  for (size_t g = 0; g < groups_.size(); ++g) {
    if (first_seen_block(length, groups_[g].window) < s.held[g].first_kept) length = 0;
  }
  s.length = length;
  for (size_t g = 0; g < groups_.size(); ++g) {
    Held& held = s.held[g];
    while (static_cast<int>(held.blocks.size()) > blocks_for(length)) {
      if (held.blocks.back() >= 0) drop_block(g, held.blocks.back());
      held.blocks.pop_back();
    }
    held.first_kept = std::min(held.first_kept, static_cast<int>(held.blocks.size()));
  }
  if (s.node != nullptr) {
    s.tokens.resize(std::min(s.tokens.size(), static_cast<size_t>(length)));
    leave(s, std::min(s.whole, length / kBlockTokens));
  }
  give_up(most_kept_);
  return length;
}

// Drops the blocks that no token after the sequence's end sees.
void KvCache::pass_window(size_t group, Sequence& s) noexcept {
  if (groups_[group].window == 0) return;
  Held& held = s.held[group];
  const int first = first_seen_block(s.length - kTrimRoom, groups_[group].window);
  while (held.first_kept < first) {
    if (s.node != nullptr) pass_in_tree(group, s, held.first_kept);
    drop_block(group, std::exchange(held.blocks[static_cast<size_t>(held.first_kept++)], -1));
  }
}

StepSequence KvCache::extend(SequenceId id, int first, int count) {
  Sequence& s = sequences_.at(id);
  for (size_t g = 0; g < groups_.size(); ++g) pass_window(g, s);
  if (!fits(s, count) && fits(id, count)) forget(last_in_tree(s));
  if (!fits(s, count)) {
    int room = 0;  // the most that fits, by halving
    for (int most = count - 1; room < most;) {
      const int middle = most - (most - room) / 2;
      if (fits(s, middle)) {
        room = middle;
      } else {
        most = middle - 1;
      }
    }
    throw Error(ErrorCode::out_of_memory,
                str_cat("[cache] the KV cache has room for ", room, " more tokens, and ", count, " are needed"));
  }
  // All that needs memory comes before the sequence is changed.
  const auto n_blocks = static_cast<size_t>(blocks_for(s.length + count));
  StepSequence entry{first, count, s.length, {}};
  entry.blocks.reserve(groups_.size() * n_blocks);
  for (Held& held : s.held) held.blocks.reserve(n_blocks);
  make_free(s, count);
  for (size_t g = 0; g < groups_.size(); ++g) {
    if (count > 0 && copies_last(g, s)) copy_last_block(g, s);
  }
  for (size_t g = 0; g < groups_.size(); ++g) {
    auto& blocks = s.held[g].blocks;
    while (blocks.size() < n_blocks) blocks.push_back(take_block(g));
    entry.blocks.insert(entry.blocks.end(), blocks.begin(), blocks.end());
  }
  s.length += count;
  give_up(most_kept_);
  return entry;
}

bool KvCache::copies_last(size_t group, const Sequence& s) const {
  if (s.length % kBlockTokens == 0) return false;
  return groups_[group].references[static_cast<size_t>(s.held[group].blocks.back())] > 1;
}

int KvCache::blocks_needed(size_t group, const Sequence& s, int count, bool owned) const {
  const int copies = count > 0 && !owned && copies_last(group, s) ? 1 : 0;
  return std::max(0, blocks_for(int64_t{s.length} + count) - static_cast<int>(s.held[group].blocks.size())) + copies;
}

bool KvCache::fits(SequenceId id, int count) const {
  const Sequence& s = sequences_.at(id);
  return fits(s, count) || (last_in_tree(s) != nullptr && fits(s, count, true));
}

// Whether there is memory for `count` more tokens of a sequence.
bool KvCache::fits(const Sequence& s, int count, bool owned) const {
  int64_t left = max_bytes_ - bytes_;
  for (size_t g = 0; g < groups_.size(); ++g) {
    const Group& group = groups_[g];
    const int more = blocks_to_grow(g, s, count, owned);
    if (more > kMostBlocks - static_cast<int>(group.references.size())) return false;
    left -= more * group.block_bytes;
  }
  return left >= 0;
}

int KvCache::blocks_missing(size_t group, const Sequence& s, int count, bool owned) const {
  return std::max(0, blocks_needed(group, s, count, owned) - static_cast<int>(groups_[group].free.size()));
}

// Of those, the ones that what the tree gives up does not make up for.
int KvCache::blocks_to_grow(size_t group, const Sequence& s, int count, bool owned) const {
  return std::max(0, blocks_missing(group, s, count, owned) - groups_[group].kept);
}

// Makes free the blocks that `count` more tokens of a sequence need, for which there is room. More memory comes before
// giving up what is remembered. Throws Error(out_of_memory), with the sequences unchanged.
void KvCache::make_free(const Sequence& s, int count) {
  int64_t spare = max_bytes_ - bytes_;  // what pools may take beyond what they have to
  for (size_t g = 0; g < groups_.size(); ++g) spare -= blocks_to_grow(g, s, count) * groups_[g].block_bytes;
  for (size_t g = 0; g < groups_.size(); ++g) {
    const int missing = blocks_missing(g, s, count);
    const int at_least = blocks_to_grow(g, s, count);
    const auto there = static_cast<int>(groups_[g].references.size());
    const int64_t may =
        std::min(at_least + spare / std::max<int64_t>(1, groups_[g].block_bytes), int64_t{kMostBlocks} - there);
    const int grown = static_cast<int>(std::min<int64_t>(missing, may));
    if (grown > 0) {
      spare -= (grown - at_least) * groups_[g].block_bytes;
      spare -= (grow(g, grown, spare) - grown) * groups_[g].block_bytes;
    }
    if (grown < missing) give_up_blocks(g, static_cast<size_t>(blocks_needed(g, s, count)));
  }
}

// Makes `missing` more blocks of a group exist, and some more within `spare` bytes. Returns how many it made.
int KvCache::grow(size_t g, int missing, int64_t spare) {
  Group& group = groups_[g];
  const auto there = static_cast<int>(group.references.size());
  const int64_t most = there + missing + spare / std::max<int64_t>(1, group.block_bytes);
  try {
    const int blocks = memory_.pools[g]->grow(there + missing, static_cast<int>(std::min<int64_t>(kMostBlocks, most)));
    // So that dropping a block needs no memory.
    group.references.reserve(static_cast<size_t>(blocks));
    group.in_tree.reserve(static_cast<size_t>(blocks));
    group.free.reserve(static_cast<size_t>(blocks));
    for (int i = there; i < blocks; ++i) {
      group.references.push_back(0);
      group.in_tree.push_back(0);
      group.free.push_back(i);
    }
    bytes_ += (blocks - there) * group.block_bytes;
    return blocks - there;
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::out_of_memory,
                str_cat("[cache] no memory for a KV cache of ", int64_t{there + missing} * kBlockTokens, " tokens"));
  }
}

void KvCache::copy_last_block(size_t group, Sequence& s) {
  auto& blocks = s.held[group].blocks;
  const int32_t own = take_block(group);
  try {
    memory_.pools[group]->copy_block(blocks.back(), own, s.length % kBlockTokens);
  } catch (...) {
    drop_block(group, own);
    throw;
  }
  drop_block(group, std::exchange(blocks.back(), own));
}

int32_t KvCache::take_block(size_t group) noexcept {
  Group& of = groups_[group];
  const int32_t block = of.free.back();
  of.free.pop_back();
  of.references[static_cast<size_t>(block)] = 1;
  return block;
}

void KvCache::drop_block(size_t group, int32_t block) noexcept {
  Group& of = groups_[group];
  const int left = --of.references[static_cast<size_t>(block)];
  if (left == 0) of.free.push_back(block);
  if (left == 1 && of.in_tree[static_cast<size_t>(block)] != 0) count_kept(of, 1);
}

bool KvCache::recover() noexcept {
  bool kept = true;
  for (const auto& pool : memory_.pools) kept = pool->recover() && kept;
  if (kept) return true;
  // One pool's loss is all pools': a sequence needs all layers.
  for (auto& [id, sequence] : sequences_) {
    sequence.length = 0;
    sequence.tokens.clear();
    if (sequence.node != nullptr) leave(sequence, 0);
    for (Held& held : sequence.held) held = {};
  }
  tree_.clear();
  for (Group& group : groups_) {
    group.references.clear();
    group.in_tree.clear();
    group.free.clear();
    group.kept = 0;
  }
  bytes_ = kept_bytes_ = 0;
  return false;
}

int64_t KvCache::bytes_per_token() const {
  int64_t bytes = 0;
  for (const Group& group : groups_) bytes += group.block_bytes / kBlockTokens;
  return bytes;
}

int64_t KvCache::bytes_for(int64_t tokens, int chunk) const {
  int64_t bytes = 0;
  for (const Group& group : groups_) {
    int64_t blocks = blocks_for(tokens);
    // What the next tokens see, what may be taken back and what is being added, wherever in its block it begins.
    if (group.window > 0) {
      const int64_t held = int64_t{group.window} - 1 + kTrimRoom + chunk;
      blocks = std::min<int64_t>(blocks, blocks_for(held + kBlockTokens - 1));
    }
    bytes += blocks * group.block_bytes;
  }
  return bytes;
}

}  // namespace emelex
