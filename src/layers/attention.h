#pragma once

#include <memory>

#include "kernels/route.h"

namespace emelex {

// The matrices of one attention block. q [n_heads · head_dim, dim], k and v [n_kv_heads · head_dim, dim],
// output [dim, n_heads · head_dim].
struct AttentionWeights {
  const Tensor* q;
  const Tensor* k;
  const Tensor* v;
  const Tensor* output;
};

// Grouped-query attention over the KV cache (Ainslie et al., arXiv:2305.13245).
class Attention {
 public:
  Attention(Route& route, const AttentionWeights& weights, std::shared_ptr<const AttentionConfig> config, int layer);

  // x [tokens, dim], already normalized → residual + attention(x)
  mx::array operator()(const mx::array& residual, const mx::array& x, KvStore& cache, const StepPtr& step) const;

 private:
  std::unique_ptr<Linear> qkv_;
  std::unique_ptr<Linear> output_;
  std::shared_ptr<const AttentionConfig> config_;
  int layer_;
};

}  // namespace emelex
