#include "kernels/cpu/host_kv_pool.h"

#include <cstring>
#include <new>

namespace emelex::cpu {

HostKvPool::HostKvPool(const KvSpec& spec, KvDtype dtype, int n_layers)
    : layout_{spec.n_kv_heads, spec.head_dim, dtype},
      block_bytes_(layout_.layer_bytes() * static_cast<size_t>(n_layers)) {}

int HostKvPool::grow(int wanted, int) {
  blocks_.reserve(static_cast<size_t>(wanted));
  while (static_cast<int>(blocks_.size()) < wanted) {
    Memory memory(static_cast<std::byte*>(std::calloc(1, block_bytes_)), std::free);
    if (memory == nullptr) throw std::bad_alloc();
    blocks_.push_back(std::move(memory));
  }
  return static_cast<int>(blocks_.size());
}

// Whole, since a block's layers and heads are apart; copies are rare.
void HostKvPool::copy_block(int from, int to, int) { std::memcpy(block(to), block(from), block_bytes_); }

}  // namespace emelex::cpu
