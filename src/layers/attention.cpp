#include "layers/attention.h"

namespace emelex {

Attention::Attention(Route& route, const AttentionWeights& weights, std::shared_ptr<const AttentionConfig> config,
                     int layer)
    : qkv_(route.linear({weights.q, weights.k, weights.v})),
      output_(route.linear({weights.output})),
      config_(std::move(config)),
      layer_(layer) {}

mx::array Attention::operator()(const mx::array& residual, const mx::array& x, KvStore& cache,
                                const StepPtr& step) const {
  const auto qkv = (*qkv_)(x);
  const auto attended = cache.attend(config_, layer_, qkv[0], qkv[1], qkv[2], step);
  return output_->add_to(residual, attended);
}

}  // namespace emelex
