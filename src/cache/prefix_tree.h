#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace emelex {

// What a KV cache remembers of tokens that were computed: a tree whose nodes are blocks of tokens, each after its
// parent's. Sequences that begin with the same tokens meet in the same nodes. Children lie in the order of their
// tokens, so that a lookup compares tokens, never their hashes alone, and the child that has most in common with a text
// is a neighbour of its place. Keeps the numbers of the blocks and knows nothing of their memory (KvCache).
//
// Keys and values depend on more than the tokens: a scope names the rest (model, LongRoPE's list, a tenant's salt), and
// each scope has a tree of its own.
class PrefixTree {
 public:
  struct Node;
  struct TokenOrder {
    using is_transparent = void;
    bool operator()(std::span<const int32_t> a, std::span<const int32_t> b) const;
  };
  using Children = std::map<std::vector<int32_t>, std::unique_ptr<Node>, TokenOrder>;

  struct Node {
    Node* parent = nullptr;          // of a root: nullptr
    std::vector<int32_t> blocks;     // [groups]; -1: not kept
    int users = 0;                   // sequences whose last whole block it is
    Children children;               // of a node that is not whole: none
    Children::iterator place;        // in the parent's children; its key has the node's tokens
    std::list<Node*>::iterator age;  // in nodes(); not of a root

    std::span<const int32_t> tokens() const { return place->first; }
    bool unused() const { return users == 0 && children.empty(); }
  };

  // The child that has all of its blocks and begins with most of `tokens`, and with how many of them; nullptr where
  // none begins with the first. Looks at kNeighbours children on either side.
  static constexpr int kNeighbours = 8;
  struct Match {
    Node* node = nullptr;
    int tokens = 0;
  };
  static Match longest(const Node& parent, std::span<const int32_t> tokens);
  // The child of exactly these tokens, or nullptr.
  static Node* find(const Node& parent, std::span<const int32_t> tokens);

  PrefixTree() = default;
  ~PrefixTree() { clear(); }
  PrefixTree(const PrefixTree&) = delete;
  PrefixTree& operator=(const PrefixTree&) = delete;

  // The root of a scope, made where there is none.
  Node* root(std::string_view scope);
  // A new child of `parent`, the youngest of all nodes, with `groups` blocks of -1. Throws std::bad_alloc, with nothing
  // changed.
  Node* add(Node* parent, std::span<const int32_t> tokens, size_t groups);
  // Removes a node that is not used.
  void remove(Node* node) noexcept;
  // Removes the root that the node has, if nothing is under it.
  void drop_empty(Node* root) noexcept;
  // Makes a node and all before it the youngest, so that a node is never younger than its parent.
  void touch(Node* node) noexcept;
  // Removes all nodes, and the roots that are not used.
  void clear() noexcept;

  // All nodes but the roots, from the least recently used.
  const std::list<Node*>& nodes() const { return nodes_; }

 private:
  std::map<std::string, std::unique_ptr<Node>, std::less<>> roots_;
  std::list<Node*> nodes_;
};

}  // namespace emelex
