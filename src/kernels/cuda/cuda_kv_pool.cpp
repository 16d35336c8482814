#include "kernels/cuda/cuda_kv_pool.h"

#include "base/strings.h"
#include "emelex/error.h"

namespace emelex::cuda {
namespace {

constexpr int kDimUnit = 64;  // heads are padded to it in the cache

DeviceMemory zeros(const DevicePtr& device, size_t bytes) {
  DeviceMemory memory(device, bytes);
  device->clear(memory.pointer(), bytes);
  return memory;
}

}  // namespace

int cached_head_dim(int head_dim) { return (head_dim + kDimUnit - 1) / kDimUnit * kDimUnit; }

CudaKvPool::CudaKvPool(DevicePtr device, const KvSpec& spec, KvDtype dtype, int n_layers)
    : device_(std::move(device)),
      dtype_(dtype),
      padded_dim_(cached_head_dim(spec.head_dim)),
      layer_bytes_(size_t{2} * static_cast<size_t>(spec.n_kv_heads) * kBlockTokens * static_cast<size_t>(padded_dim_) *
                   (dtype == KvDtype::f16 ? 2 : 4)),
      block_bytes_(layer_bytes_ * static_cast<size_t>(n_layers)) {
  if (dtype == KvDtype::q8_0) {
    throw Error(ErrorCode::unsupported, "[cuda] expected a KV cache of f16 or f32, got q8_0");
  }
  if (spec.head_dim > 512) {
    throw Error(ErrorCode::unsupported, str_cat("[cuda] expected heads of at most 512 values, got ", spec.head_dim));
  }
}

int CudaKvPool::grow(int wanted, int) {
  const auto n = static_cast<int>(blocks_.size());
  if (wanted <= n) return n;
  blocks_.reserve(static_cast<size_t>(wanted));
  memory_.reserve(memory_.size() + 1);
  if (nowhere_.bytes() == 0) nowhere_ = zeros(device_, block_bytes_);
  memory_.push_back(zeros(device_, block_bytes_ * static_cast<size_t>(wanted - n)));
  const DevicePointer first = memory_.back().pointer();
  for (int i = n; i < wanted; ++i) blocks_.push_back(first + static_cast<size_t>(i - n) * block_bytes_);
  return wanted;
}

// Whole, since a block's layers and heads are apart; copies are rare.
void CudaKvPool::copy_block(int from, int to, int) { device_->copy(block(to), block(from), block_bytes_); }

}  // namespace emelex::cuda
