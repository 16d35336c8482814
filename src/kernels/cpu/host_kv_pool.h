#pragma once

#include <cstdlib>
#include <memory>
#include <vector>

#include "kernels/cpu/kernel_table.h"
#include "kernels/kv_memory.h"

namespace emelex::cpu {

// Keys and values in the host's memory: a block's layers lie one after another, each as KvLayout says.
class HostKvPool : public KvPool {
 public:
  HostKvPool(const KvSpec& spec, KvDtype dtype, int n_layers);

  int grow(int wanted, int most) override;
  int64_t block_bytes() const override { return static_cast<int64_t>(block_bytes_); }
  void copy_block(int from, int to, int n_tokens) override;

  const KvLayout& layout() const { return layout_; }
  std::byte* block(int number) const { return blocks_[static_cast<size_t>(number)].get(); }

 private:
  using Memory = std::unique_ptr<std::byte, decltype(&std::free)>;

  KvLayout layout_;
  size_t block_bytes_;
  std::vector<Memory> blocks_;
};

}  // namespace emelex::cpu
