// What sequences of a KvCache share: its side of the tree that remembers their blocks.
//
// A node of the tree holds one reference to each of its blocks. In groups without a window a sequence holds the blocks
// of all nodes on the way to its own, so a block that the tree alone holds is a node's under which no sequence is, and
// can be given up, the leaves first. In groups with a window any node's block can.
#include <algorithm>
#include <new>
#include <utility>

#include "cache/kv_cache.h"
#include "cache/window_blocks.h"

namespace emelex {

void KvCache::enter(SequenceId id, std::string_view scope) {
  Sequence& s = sequences_.at(id);
  s.node = tree_.root(scope);
  ++s.node->users;
}

// What the tree and other sequences have of a text, from a sequence's last whole block on.
struct KvCache::Found {
  std::vector<Node*> nodes;          // whole blocks
  int rest = 0;                      // tokens of one more
  std::vector<int32_t> rest_blocks;  // [groups] where those are
  Node* rest_node = nullptr;         // whose they are, if a node's
};

KvCache::Found KvCache::find(const Sequence& s, std::span<const int32_t> tokens) {
  Found found;
  Node* at = s.node;
  tokens = tokens.subspan(static_cast<size_t>(s.whole) * kBlockTokens);
  while (tokens.size() >= kBlockTokens) {
    Node* next = PrefixTree::find(*at, tokens.first(kBlockTokens));
    if (next == nullptr) break;
    found.nodes.push_back(at = next);
    tokens = tokens.subspan(kBlockTokens);
  }
  const PrefixTree::Match match = PrefixTree::longest(*at, tokens);
  if (match.tokens > 0) {
    found.rest = match.tokens;
    found.rest_blocks = match.node->blocks;
    found.rest_node = match.node;
  }
  for (const auto& [id, other] : sequences_) {  // what they have computed of a block that is not whole
    if (other.node != at || &other == &s) continue;
    const auto theirs = std::span(other.tokens).subspan(static_cast<size_t>(other.whole) * kBlockTokens);
    const auto n = static_cast<int>(std::mismatch(theirs.begin(), theirs.end(), tokens.begin(), tokens.end()).first -
                                    theirs.begin());
    if (n <= found.rest) continue;
    found.rest = n;
    found.rest_node = nullptr;
    found.rest_blocks.clear();
    for (const Held& held : other.held) found.rest_blocks.push_back(held.blocks[static_cast<size_t>(other.whole)]);
  }
  return found;
}

int32_t KvCache::block_of(const Sequence& s, const Found& found, size_t group, int block) {
  if (block < s.whole) return s.held[group].blocks[static_cast<size_t>(block)];
  const auto beyond = static_cast<size_t>(block - s.whole);
  return beyond < found.nodes.size() ? found.nodes[beyond]->blocks[group] : found.rest_blocks[group];
}

// Whether all that the token at position `length` sees is there.
bool KvCache::sees_all(const Sequence& s, const Found& found, int length) const {
  for (size_t g = 0; g < groups_.size(); ++g) {
    for (int i = first_seen_block(length, groups_[g].window); i < blocks_for(length); ++i) {
      if (block_of(s, found, g, i) < 0) return false;
    }
  }
  return true;
}

int KvCache::reuse(SequenceId id, std::span<const int32_t> tokens) {
  Sequence& s = sequences_.at(id);
  const Found found = find(s, tokens);
  const int whole = (s.whole + static_cast<int>(found.nodes.size())) * kBlockTokens;
  int length = whole + found.rest;
  while (length > s.length && !sees_all(s, found, length)) {
    length = length > whole ? whole : length - kBlockTokens;
  }
  if (length > s.length) take(s, found, tokens.first(static_cast<size_t>(length)));
  return s.length;
}

// Makes what was found the sequence's, `tokens` all of its tokens then.
void KvCache::take(Sequence& s, const Found& found, std::span<const int32_t> tokens) {
  const auto length = static_cast<int>(tokens.size());
  // All that needs memory comes first.
  s.tokens.reserve(tokens.size());
  for (Held& held : s.held) held.blocks.reserve(static_cast<size_t>(blocks_for(length)));
  for (size_t g = 0; g < groups_.size(); ++g) {
    Held& held = s.held[g];
    for (int i = s.whole; i < blocks_for(length); ++i) {
      const int32_t block = block_of(s, found, g, i);
      if (block >= 0) hold(g, block);
      if (i < static_cast<int>(held.blocks.size())) {  // its own, of which it has less
        drop_block(g, std::exchange(held.blocks[static_cast<size_t>(i)], block));
      } else {
        held.blocks.push_back(block);
      }
    }
    keep_from(g, held, first_seen_block(length, groups_[g].window));
  }
  s.length = length;
  s.tokens.assign(tokens.begin(), tokens.end());
  const int more = length / kBlockTokens - s.whole;
  if (more > 0) {
    --s.node->users;
    s.node = found.nodes[static_cast<size_t>(more) - 1];
    ++s.node->users;
    s.whole += more;
  }
  tree_.touch(s.node);
  if (length % kBlockTokens == 0 || found.rest_node == nullptr) return;
  tree_.touch(found.rest_node);
  // The end of a sequence that this one continues: the block can be written in place.
  Node* end = last_in_tree(s);
  if (end != nullptr && static_cast<int>(end->tokens().size()) == found.rest) forget(end);
}

// The node that beside the sequence alone has its last block, which is not whole; nullptr where there is none or it is
// used.
KvCache::Node* KvCache::last_in_tree(const Sequence& s) const {
  if (s.node == nullptr || s.length % kBlockTokens == 0 || s.length / kBlockTokens != s.whole) return nullptr;
  for (size_t g = 0; g < groups_.size(); ++g) {
    const auto last = static_cast<size_t>(s.held[g].blocks.back());
    if (groups_[g].references[last] != 2 || groups_[g].in_tree[last] == 0) return nullptr;
  }
  const auto rest = std::span(s.tokens).subspan(static_cast<size_t>(s.whole) * kBlockTokens);
  const auto child = s.node->children.lower_bound(rest);
  if (child == s.node->children.end() || !child->second->unused()) return nullptr;
  for (size_t g = 0; g < groups_.size(); ++g) {
    if (child->second->blocks[g] != s.held[g].blocks.back()) return nullptr;
  }
  return child->second.get();
}

// Finds from which block on a sequence has all in a row, at the latest from `first` on, and drops what is before.
void KvCache::keep_from(size_t group, Held& held, int first) noexcept {
  while (first > 0 && held.blocks[static_cast<size_t>(first) - 1] >= 0) --first;
  held.first_kept = first;
  for (int i = 0; i < first; ++i) {
    const int32_t block = std::exchange(held.blocks[static_cast<size_t>(i)], -1);
    if (block >= 0) drop_block(group, block);
  }
}

void KvCache::computed(SequenceId id, std::span<const int32_t> tokens) noexcept {
  Sequence& s = sequences_.at(id);
  if (s.node == nullptr || s.tokens.size() + tokens.size() != static_cast<size_t>(s.length)) return;
  try {
    s.tokens.insert(s.tokens.end(), tokens.begin(), tokens.end());
    while (s.tokens.size() >= static_cast<size_t>(s.whole + 1) * kBlockTokens) remember_block(s);
  } catch (const std::bad_alloc&) {  // so it shares less
  }
}

void KvCache::remember_block(Sequence& s) {
  const auto tokens = std::span(s.tokens).subspan(static_cast<size_t>(s.whole) * kBlockTokens, kBlockTokens);
  Node* node = PrefixTree::find(*s.node, tokens);
  if (node == nullptr) node = tree_.add(s.node, tokens, groups_.size());
  give_to_tree(node, s);
  --s.node->users;
  s.node = node;
  ++node->users;
  ++s.whole;
  tree_.touch(node);
}

// Remembers the tokens after the last whole block of a sequence that is about to end.
void KvCache::remember_rest(Sequence& s) noexcept {
  const auto rest = std::span(s.tokens).subspan(static_cast<size_t>(s.whole) * kBlockTokens);
  if (rest.empty() || s.tokens.size() != static_cast<size_t>(s.length)) return tree_.touch(s.node);
  const PrefixTree::Match match = PrefixTree::longest(*s.node, rest);
  if (match.tokens == static_cast<int>(rest.size())) return tree_.touch(match.node);
  for (size_t g = 0; g < groups_.size(); ++g) {  // a node has the block already, with more tokens
    if (groups_[g].in_tree[static_cast<size_t>(s.held[g].blocks.back())] != 0) return tree_.touch(s.node);
  }
  try {
    Node* node = PrefixTree::find(*s.node, rest);
    if (node == nullptr) node = tree_.add(s.node, rest, groups_.size());
    give_to_tree(node, s);
    tree_.touch(node);
  } catch (const std::bad_alloc&) {
    tree_.touch(s.node);
  }
}

// Shares a sequence's block after its last whole one with the node that has the same tokens. Where both have one, the
// node's becomes the sequence's.
void KvCache::give_to_tree(Node* node, Sequence& s) noexcept {
  // What was remembered of ends that this continues has no use any more, and may be in the same block.
  for (size_t n = 1; n < node->tokens().size(); ++n) {
    if (Node* beginning = PrefixTree::find(*node->parent, node->tokens().first(n))) forget(beginning);
  }
  for (size_t g = 0; g < groups_.size(); ++g) {
    int32_t& theirs = node->blocks[g];
    int32_t& own = s.held[g].blocks[static_cast<size_t>(s.whole)];
    if (own == theirs || own < 0) continue;
    if (theirs < 0) {
      theirs = own;
      groups_[g].in_tree[static_cast<size_t>(own)] = 1;
      ++groups_[g].references[static_cast<size_t>(own)];
    } else {
      hold(g, theirs);
      drop_block(g, std::exchange(own, theirs));
    }
  }
}

// Moves a sequence up the tree, to its first `whole` blocks.
void KvCache::leave(Sequence& s, int whole) noexcept {
  --s.node->users;
  for (; s.whole > whole; --s.whole) s.node = s.node->parent;
  ++s.node->users;
}

void KvCache::hold(size_t group, int32_t block) noexcept {
  Group& of = groups_[group];
  if (++of.references[static_cast<size_t>(block)] == 2 && of.in_tree[static_cast<size_t>(block)] != 0)
    count_kept(of, -1);
}

void KvCache::count_kept(Group& group, int more) noexcept {
  group.kept += more;
  kept_bytes_ += more * group.block_bytes;
}

void KvCache::drop_from_tree(size_t group, Node* node) noexcept {
  const int32_t block = std::exchange(node->blocks[group], -1);
  if (block < 0) return;
  Group& of = groups_[group];
  of.in_tree[static_cast<size_t>(block)] = 0;
  if (of.references[static_cast<size_t>(block)] == 1) count_kept(of, -1);
  drop_block(group, block);
}

// A sequence has a window's block behind it. The tree gives it up as well, unless it is in the window of a place where
// sequences part, which others will begin from.
void KvCache::pass_in_tree(size_t group, const Sequence& s, int block) noexcept {
  if (block >= s.whole) return;
  const int seen_until = block + 1 + blocks_for(groups_[group].window);
  Node* node = s.node;
  for (int i = s.whole - 1; i > block; --i, node = node->parent) {
    if (i <= seen_until && node->children.size() > 1) return;
  }
  if (node->children.size() <= 1) drop_from_tree(group, node);
}

// Removes a node that is not used.
void KvCache::forget(Node* node) noexcept {
  for (size_t g = 0; g < groups_.size(); ++g) drop_from_tree(g, node);
  Node* parent = node->parent;
  tree_.remove(node);
  if (parent->parent == nullptr) tree_.drop_empty(parent);
}

// Takes from the tree what a sequence does not hold, the least recently used first, until `enough`.
template <class Enough>
void KvCache::give_up_until(const Enough& enough) noexcept {
  // In one pass: a node is never younger than its parent, which may be given up once it has no children.
  const auto& nodes = tree_.nodes();
  for (auto next = nodes.begin(); next != nodes.end() && !enough();) {
    Node* node = *next++;
    if (node->unused()) {
      forget(node);
      continue;
    }
    for (size_t g = 0; g < groups_.size(); ++g) {
      const int32_t block = node->blocks[g];
      if (groups_[g].window > 0 && block >= 0 && groups_[g].references[static_cast<size_t>(block)] == 1) {
        drop_from_tree(g, node);
      }
    }
  }
}

void KvCache::give_up(int64_t most) noexcept {
  if (kept_bytes_ > most) give_up_until([&] { return kept_bytes_ <= most; });
}

void KvCache::give_up_blocks(size_t group, size_t wanted) noexcept {
  give_up_until([&] { return groups_[group].free.size() >= wanted; });
}

void KvCache::set_most_kept(int64_t bytes) {
  most_kept_ = bytes;
  give_up(bytes);
}

}  // namespace emelex
