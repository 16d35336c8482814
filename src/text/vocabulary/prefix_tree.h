#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <string_view>
#include <vector>

#include "text/vocabulary/hash.h"

namespace emelex {

// Texts with a number each, to be found as the beginnings of another text. Building it takes time in proportion to the
// bytes of all texts, whatever they are.
class PrefixTree {
 public:
  // `bytes`: of all texts together, at most.
  explicit PrefixTree(size_t bytes) : edges_(std::bit_ceil(bytes * 2 + 2)), seed_(hash_seed()) { roots_.fill(-1); }

  void insert(std::string_view text, int32_t value) {
    int32_t node = -1;
    for (const char byte : text) {
      int32_t& next = node < 0 ? roots_[static_cast<unsigned char>(byte)] : edge(node, byte).to;
      if (next < 0) {
        next = static_cast<int32_t>(values_.size());
        values_.push_back(-1);
      }
      node = next;
    }
    if (node >= 0) values_[static_cast<size_t>(node)] = value;
  }

  // Calls visit(length, value) for each text that `text` begins with, the shortest first.
  template <class Visit>
  void find_beginnings(std::string_view text, const Visit& visit) const {
    int32_t node = -1;
    for (size_t i = 0; i < text.size(); ++i) {
      node = node < 0 ? roots_[static_cast<unsigned char>(text[i])] : step(node, text[i]);
      if (node < 0) return;
      if (const int32_t value = values_[static_cast<size_t>(node)]; value >= 0) visit(i + 1, value);
    }
  }

 private:
  struct Edge {
    int32_t from = -1;
    int32_t to = -1;
    char byte = 0;
  };

  size_t slot_of(int32_t from, char byte) const {
    const auto key = (static_cast<uint64_t>(static_cast<uint32_t>(from)) << 8U) | static_cast<unsigned char>(byte);
    return hash_integer(key, seed_) & (edges_.size() - 1);
  }

  Edge& edge(int32_t from, char byte) {
    for (size_t slot = slot_of(from, byte);; slot = (slot + 1) & (edges_.size() - 1)) {
      Edge& there = edges_[slot];
      if (there.from == from && there.byte == byte) return there;
      if (there.from >= 0) continue;
      there = {from, -1, byte};
      return there;
    }
  }

  int32_t step(int32_t from, char byte) const {
    for (size_t slot = slot_of(from, byte);; slot = (slot + 1) & (edges_.size() - 1)) {
      const Edge& there = edges_[slot];
      if (there.from == from && there.byte == byte) return there.to;
      if (there.from < 0) return -1;
    }
  }

  std::array<int32_t, 256> roots_{};
  std::vector<Edge> edges_;      // open addressing; a power of two, at most half full
  std::vector<int32_t> values_;  // by node; -1: no text ends here
  uint64_t seed_;
};

}  // namespace emelex
