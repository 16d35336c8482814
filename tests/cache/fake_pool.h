#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <new>
#include <vector>

#include "kernels/kv_memory.h"

namespace emelex {

// Blocks that hold one number a token, so that a test sees what a sequence would attend to. A block takes a byte.
class FakePool : public KvPool {
 public:
  int grow(int wanted, int most) override {
    CHECK(wanted <= most);
    if (wanted > most_blocks) throw std::bad_alloc();
    if (static_cast<int>(blocks.size()) < wanted) blocks.resize(static_cast<size_t>(wanted));
    return static_cast<int>(blocks.size());
  }
  int64_t block_bytes() const override { return 1; }
  void copy_block(int from, int to, int n_tokens) override {
    if (!copies_blocks) throw std::bad_alloc();
    const auto& source = blocks[static_cast<size_t>(from)];
    std::copy_n(source.begin(), n_tokens, blocks[static_cast<size_t>(to)].begin());
    ++copies;
  }
  bool recover() noexcept override {
    if (!loses) return true;
    blocks.clear();
    return false;
  }

  int& at(const std::vector<int32_t>& held, int position) {
    return blocks[static_cast<size_t>(held[static_cast<size_t>(position / kBlockTokens)])]
                 [static_cast<size_t>(position % kBlockTokens)];
  }

  std::vector<std::array<int, kBlockTokens>> blocks;
  int copies = 0;
  int most_blocks = 1 << 20;  // that there is memory for
  bool loses = false;         // what it holds, when a step fails
  bool copies_blocks = true;
};

}  // namespace emelex
