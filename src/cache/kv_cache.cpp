#include "cache/kv_cache.h"

#include <algorithm>
#include <new>

#include "base/strings.h"
#include "emelex/error.h"

namespace emelex {
namespace {

int blocks_for(int tokens) { return (tokens + kBlockTokens - 1) / kBlockTokens; }

// The first block that the token at `position` sees in the layers with a window.
int first_seen_block(int position, int window) {
  return window > 0 && position >= window ? (position - window + 1) / kBlockTokens : 0;
}

}  // namespace

SequenceId KvCache::create() {
  sequences_[next_id_] = {};
  return next_id_++;
}

SequenceId KvCache::fork(SequenceId id) {
  const Sequence& copy = sequences_.emplace(next_id_, sequences_.at(id)).first->second;
  for (size_t i = 0; i < copy.blocks.size(); ++i) {
    const auto block = static_cast<size_t>(copy.blocks[i]);
    ++references_[block];
    if (static_cast<int>(i) >= copy.past) ++windowed_references_[block];
  }
  return next_id_++;
}

void KvCache::release(SequenceId id) noexcept {
  trim(id, 0);
  sequences_.erase(id);
}

int KvCache::trim(SequenceId id, int length) noexcept {
  Sequence& s = sequences_.at(id);
  if (length >= s.length) return s.length;
  if (first_seen_block(length, window_) < s.past) length = 0;
  s.length = length;
  while (static_cast<int>(s.blocks.size()) > blocks_for(length)) {
    drop_block(s.blocks.back(), static_cast<int>(s.blocks.size()) > s.past);
    s.blocks.pop_back();
  }
  s.past = std::min(s.past, static_cast<int>(s.blocks.size()));
  return length;
}

// Leaves the windowed layers of blocks that no token after the sequence's end sees.
void KvCache::pass_window(Sequence& s) {
  if (window_ == 0) return;
  const int first = first_seen_block(s.length - kTrimRoom, window_);
  while (s.past < first) drop_windowed(s.blocks[static_cast<size_t>(s.past++)]);
}

StepSequence KvCache::extend(SequenceId id, int first, int count) {
  Sequence& s = sequences_.at(id);
  pass_window(s);
  const bool copies =
      count > 0 && s.length % kBlockTokens != 0 && references_[static_cast<size_t>(s.blocks.back())] > 1;
  const int needed = blocks_for(s.length + count) - static_cast<int>(s.blocks.size()) + (copies ? 1 : 0);
  const int available = max_blocks_ - static_cast<int>(references_.size()) + static_cast<int>(free_.size());
  if (needed > available) {
    const int room = (static_cast<int>(s.blocks.size()) + available - (copies ? 1 : 0)) * kBlockTokens - s.length;
    throw Error(ErrorCode::out_of_memory, str_cat("[cache] the KV cache has room for ", std::max(room, 0),
                                                  " more tokens, and ", count, " are needed"));
  }
  // All that needs memory comes before the sequence is changed.
  const auto n_blocks = static_cast<size_t>(blocks_for(s.length + count));
  StepSequence entry{first, count, s.length, {}};
  entry.blocks.reserve(std::max(n_blocks, s.blocks.size()));
  s.blocks.reserve(n_blocks);
  make_free(needed);
  if (copies) copy_last_block(s);
  while (s.blocks.size() < n_blocks) s.blocks.push_back(take_block());
  entry.blocks = s.blocks;
  s.length += count;
  return entry;
}

void KvCache::copy_last_block(Sequence& s) {
  const int32_t shared = s.blocks.back();
  const int32_t own = take_block();
  try {
    store_->copy_block(shared, own, s.length % kBlockTokens);
  } catch (...) {
    drop_block(own, true);
    throw;
  }
  drop_block(shared, true);
  s.blocks.back() = own;
}

void KvCache::make_free(int count) {
  const int blocks = std::max(static_cast<int>(references_.size()) + count - static_cast<int>(free_.size()),
                              static_cast<int>(references_.size()));
  if (count <= 0) return;
  try {
    // So that dropping a block needs no memory.
    references_.reserve(static_cast<size_t>(blocks));
    windowed_references_.reserve(static_cast<size_t>(blocks));
    free_.reserve(static_cast<size_t>(blocks));
    store_->grow(blocks, n_windowed_ + count);
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::out_of_memory,
                str_cat("[cache] no memory for a KV cache of ", int64_t{blocks} * kBlockTokens, " tokens"));
  }
  while (static_cast<int>(references_.size()) < blocks) {
    free_.push_back(static_cast<int32_t>(references_.size()));
    references_.push_back(0);
    windowed_references_.push_back(0);
  }
}

int32_t KvCache::take_block() {
  const int32_t block = free_.back();
  free_.pop_back();
  references_[static_cast<size_t>(block)] = 1;
  windowed_references_[static_cast<size_t>(block)] = 1;
  ++n_windowed_;
  store_->take_windowed(block);
  return block;
}

bool KvCache::recover() noexcept {
  if (store_->recover()) return true;
  for (auto& [id, sequence] : sequences_) sequence = {};
  references_.clear();
  windowed_references_.clear();
  free_.clear();
  n_windowed_ = 0;
  return false;
}

void KvCache::drop_block(int32_t block, bool windowed) noexcept {
  if (windowed) drop_windowed(block);
  if (--references_[static_cast<size_t>(block)] == 0) free_.push_back(block);
}

void KvCache::drop_windowed(int32_t block) noexcept {
  if (--windowed_references_[static_cast<size_t>(block)] > 0) return;
  --n_windowed_;
  store_->drop_windowed(block);
}

}  // namespace emelex
