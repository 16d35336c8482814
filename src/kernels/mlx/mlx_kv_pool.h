#pragma once

#include <vector>

#include "kernels/kv_memory.h"
#include "kernels/mlx/mlx_context.h"

namespace emelex::mlx_backend {

// Rows of a pool's arrays, one for each token of a step.
struct Slots {
  std::vector<int32_t> rows;  // [tokens]
  bool consecutive = true;    // whether they follow one another
};

// Keys and values as MLX arrays, one of keys and one of values for each layer: [blocks · kBlockTokens, kv_heads,
// head_dim].
class MlxKvPool : public KvPool {
 public:
  MlxKvPool(MlxContextPtr context, const KvSpec& spec, KvDtype dtype, int n_layers);

  int grow(int wanted, int most) override;
  int64_t block_bytes() const override;
  void copy_block(int from, int to, int n_tokens) override;
  bool recover() noexcept override;

  const KvSpec& spec() const { return spec_; }
  // Writes rows [tokens, kv_heads, head_dim] of float32 to the rows `slots` of a layer's arrays.
  void write_keys(int layer, const Slots& slots, const mx::array& rows);
  void write_values(int layer, const Slots& slots, const mx::array& rows);
  const mx::array& keys(int layer) const { return arrays_[static_cast<size_t>(2 * layer)]; }
  const mx::array& values(int layer) const { return arrays_[static_cast<size_t>(2 * layer + 1)]; }

 private:
  void write(mx::array& array, const Slots& slots, const mx::array& rows);
  mx::Shape row_end(int row) const { return {row, spec_.n_kv_heads, spec_.head_dim}; }

  MlxContextPtr context_;
  KvSpec spec_;
  mx::Dtype dtype_;
  mx::array none_;  // an array without blocks
  int n_blocks_ = 0;
  std::vector<mx::array> arrays_;  // keys of layer 0, values of layer 0, keys of layer 1, …
};

}  // namespace emelex::mlx_backend
