#pragma once

#include <vector>

#include "kernels/cuda/device.h"
#include "kernels/kv_memory.h"

namespace emelex::cuda {

// The block of tokens that only fill up a step (pad_step), and of tokens that were dropped.
constexpr int32_t kNoBlock = -1;

// The values of a head as the GPU's cache has them, padded.
int cached_head_dim(int head_dim);

// Keys and values in the GPU's memory. A block's layers lie one after another; source/attention.cu has their layout.
class CudaKvPool : public KvPool {
 public:
  // Throws Error(unsupported) for numbers and heads that the kernels can't store.
  CudaKvPool(DevicePtr device, const KvSpec& spec, KvDtype dtype, int n_layers);

  int grow(int wanted, int most) override;
  int64_t block_bytes() const override { return static_cast<int64_t>(block_bytes_); }
  void copy_block(int from, int to, int n_tokens) override;

  // kNoBlock: memory that any kernel may read and write, and whose content no token sees.
  DevicePointer block(int32_t number) const {
    return number == kNoBlock ? nowhere_.pointer() : blocks_[static_cast<size_t>(number)];
  }
  // Where a layer begins in a block.
  long long layer_at(int layer) const { return static_cast<long long>(layer) * static_cast<long long>(layer_bytes_); }
  KvDtype dtype() const { return dtype_; }
  int padded_dim() const { return padded_dim_; }

 private:
  DevicePtr device_;
  KvDtype dtype_;
  int padded_dim_;
  size_t layer_bytes_;
  size_t block_bytes_;
  DeviceMemory nowhere_;
  std::vector<DeviceMemory> memory_;
  std::vector<DevicePointer> blocks_;
};

}  // namespace emelex::cuda
