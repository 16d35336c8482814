#include "cache/prefix_tree.h"

#include <algorithm>
#include <iterator>

namespace emelex {
namespace {

int common(std::span<const int32_t> a, std::span<const int32_t> b) {
  const auto [end, other] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  return static_cast<int>(end - a.begin());
}

}  // namespace

bool PrefixTree::TokenOrder::operator()(std::span<const int32_t> a, std::span<const int32_t> b) const {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end());
}

PrefixTree::Match PrefixTree::longest(const Node& parent, std::span<const int32_t> tokens) {
  Match best;
  // False where what is further away has less in common.
  const auto consider = [&](const Children::value_type& child) {
    const int n = common(child.first, tokens);
    const auto& blocks = child.second->blocks;
    if (n > best.tokens && std::find(blocks.begin(), blocks.end(), -1) == blocks.end()) best = {child.second.get(), n};
    return n > best.tokens;
  };
  // What begins with most of them is next to where they would lie.
  const auto after = parent.children.lower_bound(tokens);
  int looked = 0;
  for (auto child = after; child != parent.children.end() && looked++ < kNeighbours && consider(*child);) ++child;
  looked = 0;
  for (auto child = after; child != parent.children.begin() && looked++ < kNeighbours && consider(*std::prev(child));) {
    --child;
  }
  return best;
}

PrefixTree::Node* PrefixTree::find(const Node& parent, std::span<const int32_t> tokens) {
  const auto found = parent.children.find(tokens);
  return found == parent.children.end() ? nullptr : found->second.get();
}

PrefixTree::Node* PrefixTree::root(std::string_view scope) {
  auto found = roots_.find(scope);
  if (found == roots_.end()) found = roots_.emplace(std::string(scope), std::make_unique<Node>()).first;
  return found->second.get();
}

PrefixTree::Node* PrefixTree::add(Node* parent, std::span<const int32_t> tokens, size_t groups) {
  auto made = std::make_unique<Node>();
  Node* node = made.get();
  node->parent = parent;
  node->blocks.assign(groups, -1);
  nodes_.push_back(node);
  try {
    node->place = parent->children.emplace(std::vector<int32_t>(tokens.begin(), tokens.end()), std::move(made)).first;
  } catch (...) {
    nodes_.pop_back();
    throw;
  }
  node->age = std::prev(nodes_.end());
  return node;
}

void PrefixTree::remove(Node* node) noexcept {
  nodes_.erase(node->age);
  node->parent->children.erase(node->place);
}

void PrefixTree::drop_empty(Node* root) noexcept {
  if (!root->unused()) return;
  const auto found = std::find_if(roots_.begin(), roots_.end(), [&](const auto& r) { return r.second.get() == root; });
  if (found != roots_.end()) roots_.erase(found);
}

void PrefixTree::touch(Node* node) noexcept {
  for (; node->parent != nullptr; node = node->parent) nodes_.splice(nodes_.end(), nodes_, node->age);
}

void PrefixTree::clear() noexcept {
  // From the leaves, since a chain of nodes that ends by itself takes a stack as deep as it is long.
  for (const auto& [scope, root] : roots_) {
    for (Node* node = root.get(); node != root.get() || !node->children.empty();) {
      if (!node->children.empty()) {
        node = node->children.begin()->second.get();
      } else {
        Node* parent = node->parent;
        remove(node);
        node = parent;
      }
    }
  }
  std::erase_if(roots_, [](const auto& root) { return root.second->users == 0; });
}

}  // namespace emelex
