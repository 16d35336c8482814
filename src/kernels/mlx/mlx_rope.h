#pragma once

#include <optional>

#include "kernels/attention.h"
#include "kernels/mlx/mlx_context.h"

namespace emelex::mlx_backend {

struct MlxBatch;

// The rotary embedding of a layer.
class MlxRope {
 public:
  MlxRope(MlxContextPtr context, const Rope& rope, int head_dim);

  // x [tokens, heads · head_dim] → [tokens, heads, head_dim], each token rotated by its position
  mx::array operator()(const mx::array& x, int heads, const MlxBatch& batch) const;

 private:
  mx::array rotate(const mx::array& x, int heads, const mx::array& positions, bool long_rope) const;

  MlxContextPtr context_;
  int dim_;
  int head_dim_;
  bool interleaved_;
  // What a position is divided by, which is how MLX wants it; of sequences by long_rope.
  mx::array wavelengths_;
  mx::array long_wavelengths_;
  std::optional<mx::array> scales_;  // [head_dim]; nothing: all are 1
};

}  // namespace emelex::mlx_backend
