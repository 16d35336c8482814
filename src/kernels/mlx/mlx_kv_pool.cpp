#include "kernels/mlx/mlx_kv_pool.h"

#include <mlx/ops.h>
#include <mlx/transforms.h>

#include <algorithm>
#include <utility>

#include "kernels/mlx/mlx_scaling.h"

namespace emelex::mlx_backend {

MlxKvPool::MlxKvPool(MlxContextPtr context, const KvSpec& spec, KvDtype dtype, int n_layers)
    : context_(std::move(context)),
      spec_(spec),
      dtype_(dtype == KvDtype::f16 ? mx::float16 : mx::float32),
      none_(mx::zeros(row_end(0), dtype_, context_->stream)) {
  arrays_.assign(static_cast<size_t>(2 * n_layers), none_);
}

// Arrays are immutable, so growing copies them: by half as much again. One after another, so that few are in memory
// twice; where one fails, those before it stay larger than is known, which does no harm.
int MlxKvPool::grow(int wanted, int most) {
  if (wanted <= n_blocks_) return n_blocks_;
  const int blocks = std::min(most, std::max({wanted, n_blocks_ + n_blocks_ / 2, 4}));
  for (mx::array& array : arrays_) {
    const int more = blocks * kBlockTokens - array.shape(0);
    if (more <= 0) continue;
    auto grown = mx::zeros(row_end(more), dtype_, context_->stream);
    if (array.shape(0) > 0) grown = mx::concatenate({array, grown}, 0, context_->stream);
    mx::eval(grown);
    array = grown;
  }
  return n_blocks_ = blocks;
}

// A step writes into the arrays' own memory, so those of one that failed can't be told from garbage.
bool MlxKvPool::recover() noexcept {
  std::fill(arrays_.begin(), arrays_.end(), none_);
  n_blocks_ = 0;
  return false;
}

int64_t MlxKvPool::block_bytes() const {
  return static_cast<int64_t>(arrays_.size()) * kBlockTokens * spec_.n_kv_heads * spec_.head_dim *
         static_cast<int64_t>(mx::size_of(dtype_));
}

void MlxKvPool::copy_block(int from, int to, int n_tokens) {
  const int source = from * kBlockTokens;
  const int target = to * kBlockTokens;
  for (mx::array& array : arrays_) {
    const auto rows = mx::slice(array, {source, 0, 0}, row_end(source + n_tokens), context_->stream);
    array = mx::slice_update(array, rows, {target, 0, 0}, row_end(target + n_tokens), context_->stream);
  }
  mx::eval(arrays_);
}

void MlxKvPool::write_keys(int layer, const Slots& slots, const mx::array& rows) {
  write(arrays_[static_cast<size_t>(2 * layer)], slots, rows);
}

void MlxKvPool::write_values(int layer, const Slots& slots, const mx::array& rows) {
  write(arrays_[static_cast<size_t>(2 * layer + 1)], slots, rows);
}

// The new array takes the old one's memory, since nothing else holds it; whoever reads it comes after the write.
void MlxKvPool::write(mx::array& array, const Slots& slots, const mx::array& rows) {
  const auto stored = dtype_ == mx::float16 ? to_half(*context_, rows) : rows;
  const mx::array old = std::move(array);
  if (slots.consecutive) {
    array = mx::slice_update(old, stored, {slots.rows.front(), 0, 0}, row_end(slots.rows.back() + 1), context_->stream);
  } else {
    const mx::array ids(slots.rows.data(), {static_cast<int>(slots.rows.size())}, mx::int32);
    array = mx::scatter(old, ids, mx::expand_dims(stored, 1, context_->stream), 0, context_->stream);
  }
}

}  // namespace emelex::mlx_backend
