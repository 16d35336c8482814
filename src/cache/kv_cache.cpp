#include "cache/kv_cache.h"

#include <algorithm>
#include <new>

#include "base/strings.h"
#include "emelex/error.h"

namespace emelex {
namespace {

int blocks_for(int tokens) { return (tokens + kBlockTokens - 1) / kBlockTokens; }

}  // namespace

SequenceId KvCache::create() {
  sequences_[next_id_] = {};
  return next_id_++;
}

SequenceId KvCache::fork(SequenceId id) {
  const Sequence copy = sequences_.at(id);
  for (const int32_t block : copy.blocks) ++references_[static_cast<size_t>(block)];
  sequences_[next_id_] = copy;
  return next_id_++;
}

void KvCache::release(SequenceId id) {
  trim(id, 0);
  sequences_.erase(id);
}

void KvCache::trim(SequenceId id, int length) {
  Sequence& s = sequences_.at(id);
  if (length >= s.length) return;
  s.length = length;
  while (static_cast<int>(s.blocks.size()) > blocks_for(length)) {
    drop_block(s.blocks.back());
    s.blocks.pop_back();
  }
}

StepSequence KvCache::extend(SequenceId id, int first, int count) {
  Sequence& s = sequences_.at(id);
  const bool copies =
      count > 0 && s.length % kBlockTokens != 0 && references_[static_cast<size_t>(s.blocks.back())] > 1;
  const int needed = blocks_for(s.length + count) - static_cast<int>(s.blocks.size()) + (copies ? 1 : 0);
  const int available = max_blocks_ - static_cast<int>(references_.size()) + static_cast<int>(free_.size());
  if (needed > available) {
    const int room = (static_cast<int>(s.blocks.size()) + available - (copies ? 1 : 0)) * kBlockTokens - s.length;
    throw Error(ErrorCode::out_of_memory, str_cat("[cache] the KV cache has room for ", std::max(room, 0),
                                                  " more tokens, and ", count, " are needed"));
  }
  make_free(needed);  // the one thing that can fail, before anything is changed
  if (copies) {
    const int32_t shared = s.blocks.back();
    const int32_t own = take_block();
    store_->copy_block(shared, own, s.length % kBlockTokens);
    drop_block(shared);
    s.blocks.back() = own;
  }
  while (static_cast<int>(s.blocks.size()) < blocks_for(s.length + count)) s.blocks.push_back(take_block());
  StepSequence entry{first, count, s.length, s.blocks};
  s.length += count;
  return entry;
}

void KvCache::make_free(int count) {
  const int blocks = static_cast<int>(references_.size()) + count - static_cast<int>(free_.size());
  if (blocks <= static_cast<int>(references_.size())) return;
  try {
    store_->grow(blocks);
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::out_of_memory,
                str_cat("[cache] no memory for a KV cache of ", blocks * kBlockTokens, " tokens"));
  }
  while (static_cast<int>(references_.size()) < blocks) {
    free_.push_back(static_cast<int32_t>(references_.size()));
    references_.push_back(0);
  }
}

int32_t KvCache::take_block() {
  const int32_t block = free_.back();
  free_.pop_back();
  references_[static_cast<size_t>(block)] = 1;
  return block;
}

void KvCache::drop_block(int32_t block) {
  if (--references_[static_cast<size_t>(block)] == 0) free_.push_back(block);
}

}  // namespace emelex
